"""Channel permutation: all positions lose the order of their channels together."""

from torch import Tensor

from spatialdep.spatial_ops.operation import Operation, Rearrangement
from spatialdep.spatial_ops.permutations import image_shape, index_range, random_permutations
from spatialdep.spatial_ops.random_stream import RandomSource
from spatialdep.spatial_ops.rearrangement import rearrange
from spatialdep.spatial_ops.shuffle import Shuffle

DECLARATION = {
    "summary": "One random permutation of the channels, shared by all positions.",
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


def channel_permutation(
    x: Tensor, *, generator: RandomSource = None, per_image: bool = False
) -> Tensor:
    """Permute the channels, by one random permutation for all positions.

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
    images, channels, _, _ = image_shape(x)
    if channels == 1:
        return x
    shape = (images if per_image else 1, channels)
    channel = random_permutations(shape, x.device, generator).unsqueeze(-1)
    return rearrange(x, channel, index_range(x, 2))


class ChannelPermutation(Shuffle):
    """Module form of :func:`channel_permutation`."""

    function = staticmethod(channel_permutation)


def operation(*, per_image: bool) -> Operation:
    """Return what the architectures build modified units with."""
    return Rearrangement(lambda channels, height, width: ChannelPermutation(per_image=per_image))
