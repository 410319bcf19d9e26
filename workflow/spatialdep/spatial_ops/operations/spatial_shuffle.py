"""Spatial shuffle: each channel loses the order of its positions."""

from torch import Tensor

from spatialdep.spatial_ops.operation import Operation, Rearrangement
from spatialdep.spatial_ops.permutations import image_shape, index_range, random_permutations
from spatialdep.spatial_ops.random_stream import RandomSource
from spatialdep.spatial_ops.rearrangement import rearrange
from spatialdep.spatial_ops.shuffle import Shuffle

DECLARATION = {
    "summary": "Each channel's positions are permuted at random, anew in every forward pass.",
    "options": {
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
}


def spatial_shuffle(
    x: Tensor, *, generator: RandomSource = None, per_image: bool = False
) -> Tensor:
    """Permute the positions of each channel, each channel by its own random permutation.

    Source: Fan et al. 2020, arXiv 2002.01827, and its authors' public code.

    Parameters
    ----------
    x
        Feature maps, ``(N, C, H, W)``.
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
        If ``x`` has not four dimensions.
    """
    images, channels, height, width = image_shape(x)
    if height * width == 1:
        return x
    shape = (images if per_image else 1, channels, height * width)
    position = random_permutations(shape, x.device, generator)
    return rearrange(x, index_range(x, 1), position)


class SpatialShuffle(Shuffle):
    """Module form of :func:`spatial_shuffle`."""

    function = staticmethod(spatial_shuffle)


def operation(*, per_image: bool) -> Operation:
    """Return what the architectures build modified units with."""
    return Rearrangement(lambda channels, height, width: SpatialShuffle(per_image=per_image))
