"""ResNet-50 and ResNet-152.

torchvision's ``Bottleneck`` is not used: its ``forward`` has no place for a shuffle before the 3×3
or in the shortcut that would leave the parameters' names as they are in the plain network.
"""

from torch import Tensor, nn

from spatialdep.architectures.conv_unit import conv_unit, sequential
from spatialdep.architectures.initialisation import initialise
from spatialdep.architectures.plan import PlannedUnit, planned_units
from spatialdep.architectures.widths import scaled
from spatialdep.spatial_ops.operation import Operation
from spatialdep.specification.settings import IMAGENET_STEM_FROM, Setting, unit_names

__all__ = ["DECLARATION", "build", "unit_names"]

DECLARATION = {
    "architectures": {
        # Each unit, and by how much its input is smaller than the image with CIFAR's stem.
        # A block is named as in the paper: conv3_1 is the first block of stage conv3_x.
        "resnet50": {
            "units": [
                ["stem", 1],
                ["conv2_1", 1], ["conv2_2", 1], ["conv2_3", 1],
                ["conv3_1", 1], ["conv3_2", 2], ["conv3_3", 2], ["conv3_4", 2],
                ["conv4_1", 2], ["conv4_2", 4], ["conv4_3", 4], ["conv4_4", 4], ["conv4_5", 4],
                ["conv4_6", 4],
                ["conv5_1", 4], ["conv5_2", 8], ["conv5_3", 8],
            ],
        },
        "resnet152": {
            "units": [
                ["stem", 1],
                ["conv2_1", 1], ["conv2_2", 1], ["conv2_3", 1],
                ["conv3_1", 1], ["conv3_2", 2], ["conv3_3", 2], ["conv3_4", 2], ["conv3_5", 2],
                ["conv3_6", 2], ["conv3_7", 2], ["conv3_8", 2],
                ["conv4_1", 2], ["conv4_2", 4], ["conv4_3", 4], ["conv4_4", 4], ["conv4_5", 4],
                ["conv4_6", 4], ["conv4_7", 4], ["conv4_8", 4], ["conv4_9", 4], ["conv4_10", 4],
                ["conv4_11", 4], ["conv4_12", 4], ["conv4_13", 4], ["conv4_14", 4], ["conv4_15", 4],
                ["conv4_16", 4], ["conv4_17", 4], ["conv4_18", 4], ["conv4_19", 4], ["conv4_20", 4],
                ["conv4_21", 4], ["conv4_22", 4], ["conv4_23", 4], ["conv4_24", 4], ["conv4_25", 4],
                ["conv4_26", 4], ["conv4_27", 4], ["conv4_28", 4], ["conv4_29", 4], ["conv4_30", 4],
                ["conv4_31", 4], ["conv4_32", 4], ["conv4_33", 4], ["conv4_34", 4], ["conv4_35", 4],
                ["conv4_36", 4],
                ["conv5_1", 4], ["conv5_2", 8], ["conv5_3", 8],
            ],
        },
    },
    # ImageNet's stem, from 128 pixels on, makes the inputs of all units after it this much smaller.
    "imagenet_stem_factor": 4,
    "options": {
        "downsampling": {
            "enum": ["strided", "pooled"],
            "default": "pooled",
            "image_size_from": 128,
            "description": "Where ImageNet's stem pools, a modified stem has twice the stride "
            "instead (strided) or keeps the pooling (pooled). Other stems and blocks pool nothing.",
        },
        "shuffle_shortcut": {
            "type": "boolean",
            "default": True,
            "description": "Rearrange the input of a modified block's shortcut as well, "
            "independently of the input of its 3×3 convolution.",
        },
    },
}  # fmt: skip

STEM = 64
CHANNELS = {"conv2": 64, "conv3": 128, "conv4": 256, "conv5": 512}
EXPANSION = 4


def build(
    setting: Setting, operation: Operation, *, classes: int, width: float = 1.0
) -> nn.Sequential:
    """Build a ResNet of bottleneck blocks: stem, blocks, global average pooling, linear head.

    Below 128 pixels the stem is a 3×3 convolution with stride 1, from there on it is ImageNet's, a
    7×7 convolution and a max-pooling, each with stride 2.

    Parameters
    ----------
    setting
        From :func:`spatialdep.specification.settings.check_setting`.
    operation
        How the units of ``setting`` are modified.
    classes
        Number of outputs.
    width
        Factor on the channels of the stem and of the blocks.

    Returns
    -------
    nn.Sequential
        From images ``(N, 3, S, S)`` to logits ``(N, classes)``.

    Notes
    -----
    Source: He et al. 2016, arXiv 1512.03385; stride on the 3×3 convolution and stem for small
    images as in the authors' public code.
    """
    units, channels = _units(setting, operation, width)
    network = sequential(
        {
            "units": units,
            "pool": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "head": nn.Linear(channels, classes),
        }
    )
    initialise(network)
    return network


def _units(setting: Setting, operation: Operation, width: float) -> tuple[nn.Sequential, int]:
    """Build the units and return them with their output's number of channels."""
    units = nn.Sequential()
    channels = 3
    for unit in planned_units(setting, operation):
        if unit.entry:
            units.add_module("entry", unit.entry)
        if unit.name == "stem":
            channels = scaled(STEM, width)
            units.add_module(unit.name, _stem(unit, channels))
        else:
            inner = scaled(CHANNELS[unit.name[:5]], width)
            units.add_module(unit.name, _Bottleneck(unit, channels, inner))
            channels = inner * EXPANSION
    return units, channels


def _stem(unit: PlannedUnit, channels: int) -> nn.Sequential:
    if unit.size < IMAGENET_STEM_FROM:
        convolution = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        return conv_unit(unit.operation, convolution, unit.size)
    stride = 4 if unit.strided else 2
    convolution = nn.Conv2d(3, channels, 7, stride=stride, padding=3, bias=False)
    pooled = not (unit.strided or unit.operation.one_position)
    pool = nn.MaxPool2d(3, stride=2, padding=1) if pooled else None
    return conv_unit(unit.operation, convolution, unit.size, pool)


class _Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolution beside a shortcut; the 3×3 is what an operation modifies."""

    def __init__(self, unit: PlannedUnit, inputs: int, inner: int) -> None:
        super().__init__()
        halves = unit.name.endswith("_1") and unit.name != "conv2_1"
        stride = 2 if halves and not unit.operation.one_position else 1
        outputs = inner * EXPANSION
        self.branch = sequential(
            {
                "conv1": nn.Conv2d(inputs, inner, 1, bias=False),
                "norm1": nn.BatchNorm2d(inner),
                "relu1": nn.ReLU(inplace=True),
                "before": unit.operation.before(inner, unit.size, unit.size),
                "conv2": unit.operation.layer(
                    nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
                ),
                "norm2": unit.operation.norm(inner),
                "relu2": nn.ReLU(inplace=True),
                "conv3": nn.Conv2d(inner, outputs, 1, bias=False),
                "norm3": nn.BatchNorm2d(outputs),
            }
        )
        rearranged = unit.shuffle_shortcut
        projected = inputs != outputs or halves
        self.shortcut = sequential(
            {
                "before": unit.operation.before(inputs, unit.size, unit.size)
                if rearranged
                else None,
                "conv": nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
                if projected
                else None,
                "norm": nn.BatchNorm2d(outputs) if projected else None,
            }
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C', H', W')``."""
        activation: Tensor = self.relu(self.branch(x) + self.shortcut(x))
        return activation
