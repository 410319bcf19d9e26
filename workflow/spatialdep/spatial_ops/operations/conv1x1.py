"""1×1 convolutions: the receptive field stops growing."""

from torch import nn

from spatialdep.spatial_ops.operation import Operation

DECLARATION = {
    "summary": "Convolutions become 1×1, with stride 2 where the plain network pools.",
    "options": {},
    "architecture_options": ["downsampling"],
    "architecture_defaults": {"downsampling": "strided"},
    "suffix_only": False,
    "random": False,
    "keeps_parameters": False,
}


class Conv1x1(Operation):
    """Replace a convolution by one that sees a single position, with the same stride.

    Source: the public code of Fan et al. 2020, arXiv 2002.01827.
    """

    def layer(self, convolution: nn.Conv2d) -> nn.Module:
        """Return a 1×1 convolution of the same channels, groups and stride."""
        return nn.Conv2d(
            convolution.in_channels,
            convolution.out_channels,
            1,
            stride=convolution.stride,  # type: ignore[arg-type]  # a pair at run time
            groups=convolution.groups,
            bias=convolution.bias is not None,
        )


def operation() -> Operation:
    """Return what the architectures build modified units with."""
    return Conv1x1()
