"""Patch shuffle: positions lose their order inside small patches, patches keep their places."""

import torch
from torch import Tensor

from spatialdep.spatial_ops.operation import Operation, Rearrangement
from spatialdep.spatial_ops.permutations import image_shape, index_range, random_permutations
from spatialdep.spatial_ops.random_stream import RandomSource
from spatialdep.spatial_ops.rearrangement import rearrange
from spatialdep.spatial_ops.shuffle import Shuffle

DECLARATION = {
    "summary": "Each channel's positions are permuted at random inside each n×n patch.",
    "options": {
        "patch": {
            "type": "integer",
            "minimum": 1,
            "description": "Height and width of a patch; it must divide those of the maps.",
        },
        "per_image": {
            "type": "boolean",
            "default": False,
            "description": "Draw the permutations for each image instead of once a batch.",
        },
    },
    "architecture_options": ["downsampling", "shuffle_shortcut"],
    "suffix_only": False,
    "random": True,
    "keeps_parameters": True,
    "divides": "patch",
}


def patch_shuffle(
    x: Tensor, *, patch: int, generator: RandomSource = None, per_image: bool = False
) -> Tensor:
    """Permute the positions inside each patch, each patch of each channel by its own permutation.

    A patch as large as the map makes this :func:`spatial_shuffle`, a patch of 1 the identity.

    Source: the public code of Fan et al. 2020, arXiv 2002.01827.

    Parameters
    ----------
    x
        Feature maps, ``(N, C, H, W)``.
    patch
        Height and width of a patch, in positions.
    generator
        Source of the random numbers, on the device of ``x``; by default the device's own.
    per_image
        Draw the permutations for each image; by default all images of the batch share them.

    Returns
    -------
    Tensor
        ``(N, C, H, W)``, in the type and memory format of ``x``.

    Raises
    ------
    ValueError
        If ``x`` has not four dimensions, or ``patch`` does not divide its height and width.
    """
    images, channels, height, width = image_shape(x)
    if patch < 1 or height % patch or width % patch:
        raise ValueError(f"patch={patch} does not divide maps of {height}×{width}")
    if patch == 1:
        return x
    grid = (height // patch, width // patch)
    shape = (images if per_image else 1, channels, *grid, patch * patch)
    # Position inside the patch, then where that is in the map: rows and columns apart.
    drawn = random_permutations(shape, x.device, generator)
    inside = drawn.view(*drawn.shape[:-1], patch, patch)
    down, right = (patch * torch.arange(count, device=x.device) for count in grid)
    row = down.view(-1, 1, 1, 1) + inside // patch
    column = right.view(-1, 1, 1) + inside % patch
    position = (row * width + column).transpose(3, 4).reshape(-1, channels, height * width)
    return rearrange(x, index_range(x, 1), position)


class PatchShuffle(Shuffle):
    """Module form of :func:`patch_shuffle`.

    Parameters
    ----------
    patch
        Height and width of a patch, in positions.
    per_image
        Draw the permutations for each image instead of once a batch.
    """

    function = staticmethod(patch_shuffle)

    def __init__(self, patch: int, *, per_image: bool = False) -> None:
        super().__init__(patch=patch, per_image=per_image)


def operation(*, patch: int, per_image: bool) -> Operation:
    """Return what the architectures build modified units with."""
    return Rearrangement(lambda channels, height, width: PatchShuffle(patch, per_image=per_image))
