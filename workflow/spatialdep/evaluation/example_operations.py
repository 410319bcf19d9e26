"""Applies operations to pictures, so that people see what they do."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spatialdep import plugins
from spatialdep.errors import UserError
from spatialdep.spatial_ops.random_stream import set_generator
from spatialdep.specification.run import Option
from spatialdep.specification.settings import OPERATIONS


def apply_operation(name: str, options: Mapping[str, Option], x: Tensor, seed: int = 0) -> Tensor:
    """Return what an operation makes of the input of its first modified unit.

    Parameters
    ----------
    name, options
        The operation and its switches.
    x
        ``(N, C, H, W)``.
    seed
        Of the permutations.

    Returns
    -------
    Tensor
        ``(N, C, H, W)``; an average over positions is repeated at each of them.

    Raises
    ------
    UserError
        If the operation changes layers and not what comes into them.
    """
    declared = plugins.declarations(OPERATIONS)[name]["options"]
    defaults = {key: schema["default"] for key, schema in declared.items() if "default" in schema}
    operation = plugins.load(OPERATIONS, name).operation(**{**defaults, **options})
    with torch.random.fork_rng(devices=[]):
        # A fixed shuffle draws when it is built, the others from the generator that they are given.
        torch.manual_seed(seed)
        parts = [part for part in (operation.entry(), operation.before(*x.shape[1:])) if part]
    if not parts and name != "none":
        raise UserError(
            f"{name} changes a network's layers, not their input, so there is nothing to show: "
            "take it out of the figure's operations."
        )
    network = nn.Sequential(*parts)
    set_generator(network, torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        changed: Tensor = network(x)
        return changed.expand_as(x)


def position_map(size: int) -> Tensor:
    """Return a map ``(1, 3, size, size)`` in which each position has its own colour.

    Red grows to the right, green downwards, blue towards the upper left corner.
    """
    along = torch.linspace(0, 1, size)
    right, down = along.expand(size, size), along[:, None].expand(size, size)
    return torch.stack([right, down, 1 - (right + down) / 2])[None]
