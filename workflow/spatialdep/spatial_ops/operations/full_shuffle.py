"""Full shuffle: neither positions nor channels keep their order."""

from torch import Tensor

from spatialdep.spatial_ops.operation import Operation, Rearrangement
from spatialdep.spatial_ops.permutations import image_shape, random_permutations
from spatialdep.spatial_ops.random_stream import RandomSource
from spatialdep.spatial_ops.rearrangement import rearrange
from spatialdep.spatial_ops.shuffle import Shuffle

DECLARATION = {
    "summary": "One random permutation of all C·H·W elements of an image.",
    "options": {
        "per_image": {
            "type": "boolean",
            "default": False,
            "description": "Draw a permutation for each image instead of one a batch.",
        },
    },
    "architecture_options": ["downsampling", "shuffle_shortcut"],
    "suffix_only": False,
    "random": True,
    "keeps_parameters": True,
}


def full_shuffle(x: Tensor, *, generator: RandomSource = None, per_image: bool = False) -> Tensor:
    """Permute all elements of an image, over channels and positions, by one random permutation.

    Source: the public code of Fan et al. 2020, arXiv 2002.01827.

    Parameters
    ----------
    x
        Feature maps, ``(N, C, H, W)``.
    generator
        Source of the random numbers, on the device of ``x``; by default the device's own.
    per_image
        Draw a permutation for each image; by default all images of the batch share one.

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
    positions = height * width
    shape = (images if per_image else 1, channels * positions)
    element = random_permutations(shape, x.device, generator).view(-1, channels, positions)
    return rearrange(x, element // positions, element % positions)


class FullShuffle(Shuffle):
    """Module form of :func:`full_shuffle`."""

    function = staticmethod(full_shuffle)


def operation(*, per_image: bool) -> Operation:
    """Return what the architectures build modified units with."""
    return Rearrangement(lambda channels, height, width: FullShuffle(per_image=per_image))
