"""Stochastic gradient descent with momentum, its state in plain tensors.

The update is torch's own fused kernel behind ``torch.optim.SGD``. That class itself is not used:
constructing one imports ``torch._dynamo``, which takes seconds, more than some of our runs.
"""

from collections.abc import Iterable

import torch
from torch.nn import Parameter
from torch.optim.sgd import sgd

from spatialdep.specification.run import Recipe


class Sgd:
    """SGD over ``parameters`` with the momentum and weight decay of ``recipe``.

    Attributes
    ----------
    rate
        The learning rate, a scalar on the parameters' device, so that a captured step reads the
        present one.
    momenta
        One tensor for each parameter.
    """

    def __init__(self, parameters: Iterable[Parameter], recipe: Recipe) -> None:
        self.parameters = list(parameters)
        self.momenta = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.rate = torch.zeros((), device=self.parameters[0].device)
        self._recipe = recipe

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the gradients, and drop them."""
        sgd(
            list(self.parameters),
            [gradient for p in self.parameters if (gradient := p.grad) is not None],
            list(self.momenta),
            fused=True,
            # A tensor, as torch.optim.SGD passes it too; the annotation is older than that.
            lr=self.rate,  # type: ignore[arg-type]
            momentum=self._recipe.momentum,
            nesterov=self._recipe.nesterov,
            weight_decay=self._recipe.weight_decay,
            dampening=0,
            maximize=False,
        )
        for parameter in self.parameters:
            parameter.grad = None
