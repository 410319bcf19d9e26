"""What is to become of each unit, for architectures that are built unit by unit."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from spatialdep.spatial_ops.operation import Operation
from spatialdep.specification.settings import Setting, unit_input_size, unit_names


@dataclass(frozen=True)
class PlannedUnit:
    """One unit to be built.

    Attributes
    ----------
    name
        Its name.
    size
        Height and width of its input in the plain network.
    operation
        How it is modified; the base class for a plain unit.
    entry
        What comes before it, if it is the first modified unit and the operation wants that.
    strided
        Whether it takes a larger stride where the plain unit pools.
    shuffle_shortcut
        Whether the input of its shortcut is rearranged too.
    """

    name: str
    size: int
    operation: Operation
    entry: nn.Module | None
    strided: bool
    shuffle_shortcut: bool


def planned_units(setting: Setting, operation: Operation) -> Iterator[PlannedUnit]:
    """Go through the units of a network that is modified by ``operation`` as ``setting`` says."""
    for name in unit_names(setting.architecture):
        modified = name in setting.units
        if modified and operation.drops_units:
            return
        options = setting.architecture_options if modified else {}
        yield PlannedUnit(
            name=name,
            size=unit_input_size(setting.architecture, name, setting.image_size),
            operation=operation if modified else Operation(),
            entry=operation.entry() if name in setting.units[:1] else None,
            strided=options.get("downsampling") == "strided",
            shuffle_shortcut=bool(options.get("shuffle_shortcut", False)),
        )
