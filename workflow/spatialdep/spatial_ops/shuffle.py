"""The module form of a shuffle."""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from spatialdep.spatial_ops.random_stream import RandomModule


class Shuffle(RandomModule):
    """Base of the modules that draw anew in every forward pass, in testing as in training.

    A subclass names its tensor function in :attr:`function`; :attr:`generator` is passed on to it
    and is set by :func:`spatialdep.spatial_ops.random_stream.set_generator`.

    Parameters
    ----------
    per_image
        Draw for each image instead of once for the whole batch.
    **options
        What else the function takes.
    """

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, *, per_image: bool = False, **options: int) -> None:
        super().__init__()
        self.options = {**options, "per_image": per_image}

    def forward(self, x: Tensor) -> Tensor:
        """Shuffle ``x``, ``(N, C, H, W)``; its type, device and memory format stay."""
        return type(self).function(x, generator=self.generator, **self.options)

    def extra_repr(self) -> str:
        """Show the options in the printed network."""
        return ", ".join(f"{name}={value}" for name, value in self.options.items())
