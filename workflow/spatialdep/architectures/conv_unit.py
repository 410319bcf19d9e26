"""The unit convolution + BatchNorm + ReLU (+ pooling), plain or modified."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn

from spatialdep.spatial_ops.operation import Operation


def conv_unit(
    operation: Operation, convolution: nn.Conv2d, size: int, pool: nn.Module | None = None
) -> nn.Sequential:
    """Build a unit from a plain convolution and from what ``operation`` makes of it.

    A plain unit and one whose input is rearranged have the same parameter names, so that the
    weights of one can be loaded into the other.

    Parameters
    ----------
    operation
        How the unit is modified; the base class for a plain unit.
    convolution
        The plain convolution, without bias.
    size
        Height and width of the unit's input.
    pool
        What follows the activation, if anything.
    """
    return sequential(
        {
            "before": operation.before(convolution.in_channels, size, size),
            "conv": operation.layer(convolution),
            "norm": operation.norm(convolution.out_channels),
            "relu": nn.ReLU(inplace=True),
            "pool": pool,
        }
    )


def sequential(parts: Mapping[str, nn.Module | None]) -> nn.Sequential:
    """Chain the parts that are there, under their names."""
    return nn.Sequential(OrderedDict((name, part) for name, part in parts.items() if part))
