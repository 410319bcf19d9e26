"""GAP + FC: positions are averaged away once, then every convolution is fully connected."""

from torch import nn

from spatialdep.spatial_ops.operation import Operation

DECLARATION = {
    "summary": "The input of the first modified unit is averaged over its positions; "
    "from there on convolutions are fully connected layers of the same width.",
    "options": {},
    "architecture_options": [],
    "suffix_only": True,
    "random": False,
    "keeps_parameters": False,
}


class GapFc(Operation):
    """Global average pooling first, then Linear + BatchNorm1d for convolution + BatchNorm2d.

    Maps keep their form ``(N, C, 1, 1)`` between units, so that an architecture's 1×1 convolutions
    and shortcuts stay as they are.

    Source: Fan et al. 2020, arXiv 2002.01827, and its authors' public code.
    """

    one_position = True

    def entry(self) -> nn.Module | None:
        """Return the pooling, from ``(N, C, H, W)`` to ``(N, C, 1, 1)``."""
        return nn.AdaptiveAvgPool2d(1)

    def layer(self, convolution: nn.Conv2d) -> nn.Module:
        """Return a linear layer from ``(N, C, 1, 1)`` to ``(N, C')``."""
        linear = nn.Linear(convolution.in_channels, convolution.out_channels, bias=False)
        return nn.Sequential(nn.Flatten(), linear)

    def norm(self, channels: int) -> nn.Module:
        """Return BatchNorm1d and the way back to ``(N, C', 1, 1)``."""
        return nn.Sequential(nn.BatchNorm1d(channels), nn.Unflatten(1, (channels, 1, 1)))


def operation() -> Operation:
    """Return what the architectures build modified units with."""
    return GapFc()
