"""Which settings make sense: an architecture, an operation, where it acts and how.

Planning and :func:`spatialdep.architectures.build_network` call the same :func:`check_setting`, so
a senseless setting is refused when the configuration is read. It knows architectures and operations
by their declarations alone and needs no torch.

The units of a ``torchvision/<name>`` network are known only when it is built: for these the names
of units, ``last_k`` and the sizes at the units are checked by ``build_network``, all else here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spatialdep.errors import UserError
from spatialdep.plugins import declarations
from spatialdep.specification.run import BASELINE, Option, RunSpecification

OPERATIONS = "spatial_ops.operations"
ARCHITECTURES = "architectures"

# From here on a network gets the stem and the poolings of ImageNet, below those of CIFAR.
IMAGENET_STEM_FROM = 128
# Five halvings, in every architecture of the study, must each come out even.
IMAGE_SIZE_STEP = 32

# JSON-schema types: what they are to Python and to a reader.
_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}
_KINDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a word",
}


@dataclass(frozen=True)
class Setting:
    """A setting that makes sense, with everything that was left to a default filled in.

    Attributes
    ----------
    architecture, operation, image_size
        As asked for; the operation is ``"none"`` where no unit is modified.
    units
        The modified units in the network's order. Empty for the baseline, and for torchvision
        networks asked for by ``last_k``.
    last_k
        How many units are modified at the end, 0 where ``units`` were picked and are no suffix.
    operation_options, architecture_options
        All options in force, by who declares them.
    """

    architecture: str
    operation: str
    image_size: int
    units: tuple[str, ...] = ()
    last_k: int = 0
    operation_options: Mapping[str, Option] = field(default_factory=dict)
    architecture_options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Option]:
        """All options in force."""
        return {**self.operation_options, **self.architecture_options}


def plugin_of(architecture: str) -> str:
    """Return the plug-in of :mod:`spatialdep.architectures` that builds ``architecture``.

    A plug-in lists the architectures it builds, or claims every name with a prefix
    (``torchvision/``).

    Raises
    ------
    UserError
        If there is none; the sentence lists the known names.
    """
    known = []
    for plugin, declaration in declarations(ARCHITECTURES).items():
        prefix = declaration.get("prefix")
        if architecture in declaration["architectures"]:
            return plugin
        if prefix and architecture.startswith(prefix) and architecture != prefix:
            return plugin
        known += [*declaration["architectures"], *([f"{prefix}<name>"] if prefix else [])]
    raise UserError(f"there is no architecture {architecture!r}: choose {_one_of(known)}.")


def selection_of(run: RunSpecification) -> tuple[tuple[str, str], ...]:
    """Return the plug-ins that a run's network is built from, as pairs of room and name."""
    return ((ARCHITECTURES, plugin_of(run.architecture)), (OPERATIONS, run.operation))


def unit_names(architecture: str) -> tuple[str, ...]:
    """Return the units of ``architecture`` in order, from its declaration.

    Raises
    ------
    UserError
        If the architecture is unknown, or is one of those whose units only building it tells.
    """
    return tuple(_declared_units(architecture))


def unit_input_size(architecture: str, unit: str, image_size: int) -> int:
    """Return the height, equal to the width, of the maps that enter ``unit`` of the plain network.

    Parameters
    ----------
    architecture, unit
        Names as in :func:`unit_names`.
    image_size
        Height and width of the images in pixels.
    """
    factors = _declared_units(architecture)
    factor = factors[unit]
    # The first unit is the stem itself and sees the image, whatever the stem is.
    if unit != next(iter(factors)) and image_size >= IMAGENET_STEM_FROM:
        factor *= _architecture(architecture).get("imagenet_stem_factor", 1)
    return image_size // factor


def check_setting(
    architecture: str,
    operation: str,
    *,
    image_size: int,
    last_k: int = 0,
    units: Sequence[str] | None = None,
    options: Mapping[str, Option] | None = None,
    width: float = 1.0,
) -> Setting:
    """Refuse a setting that makes no sense, and fill in the defaults of one that does.

    Parameters
    ----------
    architecture
        ``"vgg16"``, ``"resnet50"``, ``"resnet152"`` or ``"torchvision/<name>"``.
    operation
        A file of ``spatial_ops/operations``; ``"none"`` is the baseline.
    image_size
        Height and width of the images in pixels: a multiple of 32.
    last_k
        Modify the last k units; 0 is the baseline, whatever the operation.
    units
        Instead of ``last_k``: the units to modify, in any order.
    options
        Options of the operation, and of the architecture where the operation heeds them.
    width
        Factor on the number of channels.

    Raises
    ------
    UserError
        With one sentence that says what is wrong and what would be right.
    """
    operations = declarations(OPERATIONS)
    if operation not in operations:
        raise UserError(f"there is no operation {operation!r}: choose {_one_of(operations)}.")
    _check_image_size(architecture, image_size)
    _check_width(architecture, width)
    chosen = _chosen_units(architecture, operation, last_k, units)
    resolved = _resolve_options(architecture, operation, image_size, dict(options or {}))
    if not (last_k or units):
        return Setting(architecture, BASELINE, image_size)
    setting = Setting(architecture, operation, image_size, chosen, last_k, *resolved)
    declared = operations[operation]
    if _lists_units(architecture):
        _check_suffix(architecture, operation, chosen)
        for unit in chosen:
            check_divides(setting, unit, unit_input_size(architecture, unit, image_size))
        if chosen == unit_names(architecture)[-len(chosen) :]:
            setting = Setting(architecture, operation, image_size, chosen, len(chosen), *resolved)
    elif declared["suffix_only"]:
        raise UserError(
            f"{operation} needs a network whose units follow one another, which is not known of "
            f"{architecture}: choose an operation that modifies convolutions singly, such as "
            "spatial_shuffle, or one of vgg16, resnet50, resnet152."
        )
    return setting


def check_divides(setting: Setting, unit: str, height: int, width: int | None = None) -> None:
    """Refuse an option (``patch``) that does not divide the input of ``unit``.

    Parameters
    ----------
    setting
        The setting whose operation and options count.
    unit
        For the message.
    height, width
        Size of the unit's input; the width is the height if not given.

    Raises
    ------
    UserError
        If the option does not divide both.
    """
    name = declarations(OPERATIONS)[setting.operation].get("divides")
    if name is None:
        return
    width = height if width is None else width
    size = int(setting.options[name])
    if height % size or width % size:
        raise UserError(
            f"{setting.operation} with {name}={size} does not fit the {height}×{width} input of "
            f"{unit} in {setting.architecture} at {setting.image_size} pixels: "
            f"choose a {name} that divides both, or fewer units."
        )


def _architecture(architecture: str) -> dict[str, Any]:
    return declarations(ARCHITECTURES)[plugin_of(architecture)]


def _lists_units(architecture: str) -> bool:
    return architecture in _architecture(architecture)["architectures"]


def _declared_units(architecture: str) -> dict[str, int]:
    if not _lists_units(architecture):
        raise UserError(
            f"the units of {architecture} are known only when it is built: "
            "call spatialdep.architectures.unit_names for them."
        )
    units = _architecture(architecture)["architectures"][architecture]["units"]
    return dict(units)


def _check_image_size(architecture: str, image_size: int) -> None:
    # Whether a torchvision network accepts a size is seen when it is built.
    step = IMAGE_SIZE_STEP if _lists_units(architecture) else 1
    if not _is(image_size, "integer") or image_size < 1 or image_size % step:
        raise UserError(
            f"an image size of {image_size!r} does not suit {architecture}: it must be a multiple "
            f"of {step} pixels, such as 32, 64 or 224."
        )


def _check_width(architecture: str, width: float) -> None:
    if not _is(width, "number") or not 0 < width <= 16:
        raise UserError(f"width {width!r} must be a factor above 0 and at most 16, such as 0.25.")
    if width != 1 and not _lists_units(architecture):
        raise UserError(f"{architecture} has no variable width: leave width at 1.0.")


def _chosen_units(
    architecture: str, operation: str, last_k: int, units: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the modified units in the network's order, as far as the declaration knows them."""
    if not _is(last_k, "integer") or last_k < 0:
        raise UserError(f"last_k is {last_k!r}: it must be a whole number from 0 on.")
    if isinstance(units, str) or not all(isinstance(unit, str) for unit in units or ()):
        raise UserError(f"units is {units!r}: it must be a list of unit names.")
    if last_k and units:
        raise UserError(
            f"last_k={last_k} and units={_one_of(units, 'and')} were both given: give only one."
        )
    if operation == BASELINE and (last_k or units):
        raise UserError(
            "the operation none modifies nothing, so it takes neither last_k nor units: "
            "leave them out, or choose another operation."
        )
    if units and len(set(units)) < len(units):
        raise UserError(f"units={_one_of(units, 'and')} names a unit twice: name each once.")
    if not _lists_units(architecture):
        return tuple(units or ())
    return pick_units(architecture, unit_names(architecture), last_k, units)


def pick_units(
    architecture: str, names: Sequence[str], last_k: int, units: Sequence[str] | None
) -> tuple[str, ...]:
    """Return those of ``names``, in order, that are the last k or are among ``units``.

    Raises
    ------
    UserError
        If there are fewer than k, or a unit is unknown.
    """
    if last_k > len(names):
        raise UserError(
            f"last_k={last_k} is beyond the {len(names)} units of {architecture}: "
            f"choose 0 to {len(names)}."
        )
    unknown = [unit for unit in units or () if unit not in names]
    if unknown:
        raise UserError(
            f"{architecture} has no unit {_one_of(unknown)}: its units are {_one_of(names, 'and')}."
        )
    if units:
        return tuple(name for name in names if name in units)
    return tuple(names[len(names) - last_k :])


def _check_suffix(architecture: str, operation: str, chosen: tuple[str, ...]) -> None:
    names = unit_names(architecture)
    if declarations(OPERATIONS)[operation]["suffix_only"] and chosen != names[-len(chosen) :]:
        raise UserError(
            f"{operation} leaves no positions for the units after it, so it can only modify the "
            f"last units of {architecture}: {_one_of(chosen, 'and')} "
            f"{'is' if len(chosen) == 1 else 'are'} not its last {len(chosen)}."
        )


def _resolve_options(
    architecture: str, operation: str, image_size: int, given: dict[str, Option]
) -> tuple[dict[str, Option], dict[str, Option]]:
    """Check the given options and return all options of the operation and of the architecture."""
    declared = declarations(OPERATIONS)[operation]
    heeded = declared.get("architecture_options", [])
    own = declared["options"]
    shared = {
        name: schema
        for name, schema in _architecture(architecture)["options"].items()
        if name in heeded and image_size >= schema.get("image_size_from", 0)
    }
    for name, value in given.items():
        if name not in own and name not in shared:
            known = sorted({*own, *shared})
            raise UserError(
                f"{operation} on {architecture} takes no option {name!r}: "
                + (f"choose {_one_of(known)}." if known else "it takes none.")
            )
        _check_option(operation, name, value, own.get(name) or shared[name])
    missing = [
        name for name, schema in own.items() if name not in given and "default" not in schema
    ]
    if missing:
        raise UserError(f"{operation} needs the option {_one_of(missing, 'and')}: give a value.")
    defaults = declared.get("architecture_defaults", {})
    return (
        {name: given.get(name, schema.get("default")) for name, schema in own.items()},
        {
            name: given.get(name, defaults.get(name, _default(schema, image_size)))
            for name, schema in shared.items()
        },
    )


def _default(schema: Mapping[str, Any], image_size: int) -> Option:
    """Return an option's default, which an architecture may declare by the size of the images."""
    if "default" in schema:
        default: Option = schema["default"]
        return default
    small = image_size < IMAGENET_STEM_FROM
    by_size: Option = schema["default_below_128" if small else "default_from_128"]
    return by_size


def _check_option(operation: str, name: str, value: object, schema: Mapping[str, Any]) -> None:
    if "enum" in schema and value not in schema["enum"]:
        raise UserError(f"{name}={value!r} of {operation} must be {_one_of(schema['enum'])}.")
    if "type" in schema and not _is(value, schema["type"]):
        kind = _KINDS[schema["type"]]
        raise UserError(f"{name}={value!r} of {operation} must be {kind}.")
    if "minimum" in schema and isinstance(value, int | float) and value < schema["minimum"]:
        raise UserError(f"{name}={value!r} of {operation} must be at least {schema['minimum']}.")


def _is(value: object, kind: str) -> bool:
    # True is an int to Python, but nobody who writes last_k: true means 1.
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _one_of(names: Sequence[object] | Mapping[str, object], word: str = "or") -> str:
    listed = [str(name) for name in names]
    return f" {word} ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))
