"""The shuffles under test and what they are given."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from spatialdep.spatial_ops import functional

# Each operation, in a form that takes any map of even height and width.
SHUFFLES: dict[str, Callable[..., Tensor]] = {
    **{name: getattr(functional, name) for name in functional.__all__ if name != "patch_shuffle"},
    "patch_shuffle": partial(functional.patch_shuffle, patch=2),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(*shape: int) -> Tensor:
    """Maps in which every image holds the same numbers, each once."""
    images = shape[0]
    return torch.arange(torch.Size(shape[1:]).numel()).expand(images, -1).reshape(shape).float()
