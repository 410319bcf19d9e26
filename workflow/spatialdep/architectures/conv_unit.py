"""The unit convolution + BatchNorm (+ pooling) + ReLU, plain or modified."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn

from spatialdep.spatial_ops.operation import Operation


def conv_unit(
    operation: Operation, convolution: nn.Conv2d, size: int, pool: nn.MaxPool2d | None = None
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
        A max-pooling, if the unit ends in one.

    Notes
    -----
    ReLU and max-pooling commute, forward and backward, bit for bit. Pooling comes first, since
    ReLU then has a quarter of the work.
    """
    return sequential(
        {
            "before": operation.before(convolution.in_channels, size, size),
            "conv": operation.layer(convolution),
            "norm": operation.norm(convolution.out_channels),
            "pool": pool,
            "relu": nn.ReLU(inplace=True),
        }
    )


def sequential(parts: Mapping[str, nn.Module | None]) -> nn.Sequential:
    """Chain the parts that are there, under their names."""
    return nn.Sequential(OrderedDict((name, part) for name, part in parts.items() if part))
