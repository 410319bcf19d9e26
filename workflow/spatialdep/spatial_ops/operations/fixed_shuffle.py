"""Fixed shuffle: a spatial shuffle drawn once, when the network is built."""

import torch
from torch import Tensor, nn

from spatialdep.spatial_ops.operation import Operation, Rearrangement
from spatialdep.spatial_ops.permutations import image_shape, index_range, random_permutations
from spatialdep.spatial_ops.random_stream import RandomSource
from spatialdep.spatial_ops.rearrangement import rearrange
from spatialdep.spatial_ops.state import FIXED_PERMUTATION

DECLARATION = {
    "summary": "Each channel's positions are permuted by a permutation drawn once.",
    "options": {},
    "architecture_options": ["downsampling", "shuffle_shortcut"],
    "suffix_only": False,
    "random": False,
    "keeps_parameters": True,
}


class FixedShuffle(nn.Module):
    """Permute the positions of each channel in the same way in every forward pass.

    The permutations are drawn here, from the default generator unless another is given, and are
    saved with the network's state.

    Source: inferred from the public code of Fan et al. 2020, arXiv 2002.01827.

    Parameters
    ----------
    channels, height, width
        Shape of the maps ``(N, C, H, W)`` to come.
    generator
        Source of the random numbers.
    device
        Where the permutations are drawn and kept; by default torch's default device.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        *,
        generator: RandomSource = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__()
        self.shape = (channels, height, width)
        device = device or torch.get_default_device()
        permutations = random_permutations((channels, height * width), device, generator)
        self.register_buffer(FIXED_PERMUTATION, permutations)

    def forward(self, x: Tensor) -> Tensor:
        """Shuffle ``x``, ``(N, C, H, W)``; another C, H or W than announced is a ValueError."""
        if image_shape(x)[1:] != self.shape:
            raise ValueError(f"maps of {tuple(x.shape[1:])} came, {self.shape} were announced")
        position: Tensor = getattr(self, FIXED_PERMUTATION)
        return rearrange(x, index_range(x, 1), position.unsqueeze(0))

    def extra_repr(self) -> str:
        """Show the announced shape in the printed network."""
        return "channels={}, height={}, width={}".format(*self.shape)


def operation() -> Operation:
    """Return what the architectures build modified units with."""
    return Rearrangement(FixedShuffle)
