"""How much arithmetic a training is, from its specification alone.

Planning needs it before torch is ever imported, so the networks' convolutions are added up here by
formula; ``tests/cluster/test_work.py`` compares the sums with what torch counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from spatialdep.specification.run import RunSpecification
from spatialdep.specification.settings import unit_input_size, unit_names

VGG_CHANNELS = {"conv1": 64, "conv2": 128, "conv3": 256, "conv4": 512, "conv5": 512}
VGG_HEAD = 4096
RESNET_CHANNELS = {"conv2": 64, "conv3": 128, "conv4": 256, "conv5": 512}
RESNET_EXPANSION = 4
# What stands in for a network that is not known here: the dearest of the study.
DEAREST = "resnet152"


@dataclass(frozen=True)
class Unit:
    """Multiply-adds of one image's forward pass through a unit: 3×3 (or 7×7) parts and the rest."""

    name: str
    spatial: float
    pointwise: float
    positions: int

    @property
    def total(self) -> float:
        """All multiply-adds."""
        return self.spatial + self.pointwise


def is_known(architecture: str) -> bool:
    """Whether the estimate is of this very network, and not of :data:`DEAREST` in its place."""
    return architecture == "vgg16" or architecture in ("resnet50", "resnet152")


def forward_flops(run: RunSpecification) -> float:
    """Return the floating-point operations of one image's forward pass, two a multiply-add.

    An operation that is not named here costs what the plain unit costs, as every shuffle does.
    """
    architecture = run.architecture if is_known(run.architecture) else DEAREST
    units = _units(architecture, run.image_size, run.width)
    modified = set(run.units) if run.units else set(_last(units, run.last_k))
    total = 0.0
    for unit in units:
        total += _modified(unit, run.operation) if unit.name in modified else unit.total
    return 2 * (total + _head(architecture, run.width))


def training_flops(run: RunSpecification, train_images: int, test_images: int) -> float:
    """Return the operations of a whole training: backward counts twice, each epoch is tested."""
    return run.recipe.epochs * (3 * train_images + test_images) * forward_flops(run)


def _last(units: tuple[Unit, ...], count: int) -> Iterator[str]:
    return (unit.name for unit in units[len(units) - min(count, len(units)) :])


def _modified(unit: Unit, operation: str) -> float:
    if operation == "truncated":
        return 0.0
    if operation == "gap_fc":
        return (unit.spatial / 9 + unit.pointwise) / unit.positions
    if operation == "conv1x1":
        return unit.spatial / 9 + unit.pointwise
    return unit.total


@cache
def _units(architecture: str, image_size: int, width: float) -> tuple[Unit, ...]:
    build = _vgg_units if architecture == "vgg16" else _resnet_units
    return tuple(build(architecture, image_size, width))


def _vgg_units(architecture: str, image_size: int, width: float) -> Iterator[Unit]:
    channels: float = 3
    for name in unit_names(architecture):
        outputs = VGG_CHANNELS[name[:5]] * width
        positions = unit_input_size(architecture, name, image_size) ** 2
        yield Unit(name, 9 * channels * outputs * positions, 0, positions)
        channels = outputs


def _resnet_units(architecture: str, image_size: int, width: float) -> Iterator[Unit]:
    channels: float = 64 * width
    for name in unit_names(architecture):
        positions = unit_input_size(architecture, name, image_size) ** 2
        if name == "stem":
            # ImageNet's stem is 7×7 with stride 2, the small one 3×3.
            weights = 49 / 4 if image_size >= 128 else 9
            yield Unit(name, weights * 3 * channels * positions, 0, positions)
            continue
        inner = RESNET_CHANNELS[name[:5]] * width
        outputs = inner * RESNET_EXPANSION
        first = name.endswith("_1")
        after = positions // (4 if first and not name.startswith("conv2") else 1)
        pointwise = channels * inner * positions + inner * outputs * after
        pointwise += channels * outputs * after if first else 0
        yield Unit(name, 9 * inner * inner * after, pointwise, after)
        channels = outputs


def _head(architecture: str, width: float) -> float:
    # The last layer's classes are left out: it is small beside all else.
    if architecture == "vgg16":
        hidden = VGG_HEAD * width
        return 512 * width * hidden + hidden * hidden
    return 0.0
