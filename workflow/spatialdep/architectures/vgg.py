"""VGG-16 with BatchNorm.

torchvision's ``vgg16_bn`` is not used: its convolutions have biases, its head wants 7×7 maps and
drops out, and its layers are numbered, not named.
"""

from torch import nn

from spatialdep.architectures.conv_unit import conv_unit, sequential
from spatialdep.architectures.initialisation import initialise
from spatialdep.architectures.plan import planned_units
from spatialdep.architectures.widths import scaled
from spatialdep.spatial_ops.operation import Operation
from spatialdep.specification.settings import Setting, unit_names

__all__ = ["DECLARATION", "build", "unit_names"]

DECLARATION = {
    "architectures": {
        # Each unit, and by how much its input is smaller than the image.
        "vgg16": {
            "units": [
                ["conv11", 1], ["conv12", 1],
                ["conv21", 2], ["conv22", 2],
                ["conv31", 4], ["conv32", 4], ["conv33", 4],
                ["conv41", 8], ["conv42", 8], ["conv43", 8],
                ["conv51", 16], ["conv52", 16], ["conv53", 16],
            ],
        },
    },
    "options": {
        "downsampling": {
            "enum": ["strided", "pooled"],
            "default_below_128": "strided",
            "default_from_128": "pooled",
            "description": "Where the plain network pools, a modified unit has stride 2 instead "
            "(strided) or keeps the pooling (pooled). By default strided below 128 pixels and "
            "pooled from there on.",
        },
    },
}  # fmt: skip

CHANNELS = {"conv1": 64, "conv2": 128, "conv3": 256, "conv4": 512, "conv5": 512}
POOLED = ("conv12", "conv22", "conv33", "conv43", "conv53")
HEAD = 4096


def build(
    setting: Setting, operation: Operation, *, classes: int, width: float = 1.0
) -> nn.Sequential:
    """Build a VGG-16: 13 units, global average pooling, and a head of three linear layers.

    Parameters
    ----------
    setting
        From :func:`spatialdep.specification.settings.check_setting`.
    operation
        How the units of ``setting`` are modified.
    classes
        Number of outputs.
    width
        Factor on the channels of the units and on the two 4096s of the head.

    Returns
    -------
    nn.Sequential
        From images ``(N, 3, S, S)`` to logits ``(N, classes)``.

    Notes
    -----
    Source: Simonyan and Zisserman 2015, arXiv 1409.1556. BatchNorm, convolutions without bias and a
    head on the averaged map, without dropout, as in the authors' public code.
    """
    units, channels = _units(setting, operation, width)
    hidden = scaled(HEAD, width)
    head = nn.Sequential(
        nn.Linear(channels, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, classes),
    )
    network = sequential(
        {"units": units, "pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "head": head}
    )
    initialise(network)
    return network


def _units(setting: Setting, operation: Operation, width: float) -> tuple[nn.Sequential, int]:
    """Build the units and return them with their output's number of channels."""
    units = nn.Sequential()
    inputs = 3
    for unit in planned_units(setting, operation):
        outputs = scaled(CHANNELS[unit.name[:5]], width)
        pooled = unit.name in POOLED and not unit.operation.one_position
        stride = 2 if pooled and unit.strided else 1
        convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        pool = nn.MaxPool2d(2) if pooled and not unit.strided else None
        if unit.entry:
            units.add_module("entry", unit.entry)
        units.add_module(unit.name, conv_unit(unit.operation, convolution, unit.size, pool))
        inputs = outputs
    return units, inputs
