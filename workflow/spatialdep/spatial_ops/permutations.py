"""Uniform random permutations, many at once, on the device that needs them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spatialdep.spatial_ops.random_stream import RandomSource, random_keys


def random_permutations(shape: Sequence[int], device: torch.device, source: RandomSource) -> Tensor:
    """Draw independent uniform permutations of ``range(shape[-1])``.

    The order of independent random keys is a uniform permutation. Sorting draws all of them in one
    go, where ``torch.randperm`` draws one, and never waits for the device.

    Parameters
    ----------
    shape
        The leading sizes count permutations, the last is their length.
    device
        Where they are drawn and stay.
    source
        See :mod:`spatialdep.spatial_ops.random_stream`.

    Returns
    -------
    Tensor
        int64, of ``shape``.
    """
    return random_keys(shape, device, source).argsort(-1)


def index_range(x: Tensor, dim: int) -> Tensor:
    """Return the indices of an axis of ``(N, C, H·W)``, shaped to be broadcast to all of it.

    Parameters
    ----------
    x
        Feature maps, ``(N, C, H, W)``.
    dim
        1 for the channels, 2 for the positions.

    Returns
    -------
    Tensor
        int64, ``(1, C, 1)`` or ``(1, 1, H·W)``.
    """
    if dim == 1:
        return torch.arange(x.shape[1], device=x.device).view(1, -1, 1)
    return torch.arange(x.shape[2] * x.shape[3], device=x.device).view(1, 1, -1)


def image_shape(x: Tensor) -> tuple[int, int, int, int]:
    """Return ``(N, C, H, W)``.

    Raises
    ------
    ValueError
        If ``x`` has not four dimensions.
    """
    if x.dim() != 4:
        raise ValueError(f"expected maps of shape (N, C, H, W), got {tuple(x.shape)}")
    images, channels, height, width = x.shape
    return images, channels, height, width
