"""The configuration, checked before anything is planned, and what it asks for."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import jsonschema
import yaml

from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE, declarations
from spatialdep.specification.grid import View, expand, make_recipe
from spatialdep.specification.run import Recipe, described_fields

SCHEMA = PACKAGE.parent / "schemas" / "config.schema.yaml"

JSON_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}

# Recipes say whether they are of use without a GPU; it changes nothing in a run's result.
RECIPE_EXTRAS = {
    "needs_gpu": {"type": "boolean", "description": "refuse to train where no GPU is seen"}
}


@dataclass(frozen=True)
class Configuration:
    """A checked configuration; make it with :func:`read_configuration`."""

    whole: Mapping[str, Any]

    @cached_property
    def datasets(self) -> dict[str, dict[str, Any]]:
        """The datasets by name, each with its kind's defaults for what its entry leaves out."""
        complete = {}
        for name, entry in self.whole["datasets"].items():
            options = declarations("datasets")[entry["kind"]]["options"]
            defaults = {key: val["default"] for key, val in options.items() if "default" in val}
            complete[name] = {**defaults, **entry}
        return complete

    @property
    def figures(self) -> Mapping[str, Mapping[str, Any]]:
        """The figures by name."""
        return self.whole["figures"]  # type: ignore[no-any-return]  # the schema says so

    @property
    def targets(self) -> list[str]:
        """The figures that are made when none is named."""
        return list(self.whole.get("targets", self.figures))

    @property
    def passes(self) -> int:
        """Test passes of a network that is random at test time."""
        return int(self.whole.get("passes", 10))

    def needs_gpu(self, recipe: str) -> bool:
        """Whether a recipe asks for a GPU and nothing allows to go without."""
        entry = self.whole["recipes"][recipe]
        return bool(entry.get("needs_gpu")) and not self.whole.get("allow_cpu", False)

    def image_size(self, dataset: str) -> int:
        """Return the height and width of a dataset's images in pixels."""
        entry = self.datasets[dataset]
        declared = declarations("datasets")[entry["kind"]]["image_size"]
        return int(entry["image_size"] if declared == "option" else declared)

    def grid(self, experiments: list[str]) -> dict[str, Any]:
        """Return all that the configuration says about some experiments, and nothing else."""
        entries = {name: self.whole["experiments"][name] for name in experiments}
        datasets = sorted({entry["dataset"] for entry in entries.values()})
        recipes = sorted({entry["recipe"] for entry in entries.values()})
        return {
            "experiments": entries,
            "recipes": {name: _without_extras(self.whole["recipes"][name]) for name in recipes},
            "image_sizes": {name: self.image_size(name) for name in datasets},
        }

    @cached_property
    def views(self) -> dict[str, list[View]]:
        """Each experiment's trainings and evaluations."""
        return expand(self.grid(list(self.whole["experiments"])))

    def figure_views(self, figure: str) -> list[View]:
        """Return the views that a figure shows, in a fixed order, without repeats."""
        names = self.figures[figure].get("experiments", [])
        return list(dict.fromkeys(view for name in names for view in self.views[name]))


def from_command_line(given: Any) -> Any:
    """Return what ``--config`` gave with numbers and switches as a file would have them.

    Snakemake leaves both as text inside a mapping or a list, and ``true`` everywhere.
    """
    if isinstance(given, Mapping):
        return {key: from_command_line(value) for key, value in given.items()}
    if isinstance(given, list):
        return [from_command_line(value) for value in given]
    try:
        value = yaml.safe_load(given)
    except (AttributeError, yaml.YAMLError):
        # No text, or text that only quotes would make YAML.
        return given
    return value if isinstance(value, bool | int | float) else given


def read_configuration(config: Mapping[str, Any]) -> Configuration:
    """Check a configuration as Snakemake has read it.

    Raises
    ------
    UserError
        Names the key, what was found, what is expected, and what to do.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    _check(config, schema, "")
    for name, entry in config["recipes"].items():
        _check(entry, _recipe_schema(), f"recipes.{name}")
        _check_milestones(name, entry)
    for section, room in (("datasets", "datasets"), ("figures", "reporting.figures")):
        for name, entry in config[section].items():
            general = schema["properties"][section]["additionalProperties"]
            _check_kind(f"{section}.{name}", entry, room, general)
    _check_references(config)
    configuration = Configuration(config)
    _ = configuration.views  # expanding the grids checks every setting
    return configuration


def _without_extras(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in RECIPE_EXTRAS}


def _recipe_schema() -> dict[str, Any]:
    """Derive the schema of a recipe's entry from the fields of :class:`Recipe`."""
    hints = get_type_hints(Recipe)
    described = described_fields(Recipe)
    properties: dict[str, Any] = dict(RECIPE_EXTRAS)
    required = []
    for entry in dataclasses.fields(Recipe):
        if entry.name == "name":
            continue
        property_ = {**_json_type(hints[entry.name])}
        property_["description"] = described[entry.name]["description"]
        if described[entry.name].get("choices"):
            property_["enum"] = list(described[entry.name]["choices"])
        properties[entry.name] = property_
        if entry.default is dataclasses.MISSING:
            required.append(entry.name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _json_type(hint: type | UnionType) -> dict[str, Any]:
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _json_type(get_args(hint)[0])}
    positive = {"exclusiveMinimum": 0} if hint is int else {}
    lowest = {"minimum": 0} if hint is float else positive
    return {"type": JSON_TYPES[hint], **lowest}  # type: ignore[index]  # no unions in Recipe


def _check_milestones(name: str, entry: Mapping[str, Any]) -> None:
    recipe = make_recipe(name, _without_extras(entry))
    late = [epoch for epoch in recipe.milestones if epoch >= recipe.epochs]
    if late or list(recipe.milestones) != sorted(set(recipe.milestones)):
        raise UserError(
            f"recipes.{name}.milestones: {list(recipe.milestones)} must rise and stay below "
            f"epochs ({recipe.epochs}); give milestones that fit the number of epochs."
        )


def _check_kind(key: str, entry: Mapping[str, Any], room: str, general: Mapping[str, Any]) -> None:
    """Check the entry of a dataset or figure against what its kind declares."""
    kinds = declarations(room)
    if entry["kind"] not in kinds:
        raise UserError(f"{key}.kind: {_unknown(entry['kind'], kinds)}")
    declared = kinds[entry["kind"]]
    schema = {
        "type": "object",
        "properties": {**general["properties"], **declared["options"]},
        "required": [*general["required"], *declared.get("required", [])],
        "additionalProperties": False,
    }
    _check(entry, schema, key)


def _check_references(config: Mapping[str, Any]) -> None:
    for name, experiment in config["experiments"].items():
        for key, section in (("dataset", "datasets"), ("recipe", "recipes")):
            if experiment[key] not in config[section]:
                reason = _unknown(experiment[key], config[section])
                raise UserError(f"experiments.{name}.{key}: {reason}")
    for name, figure in config["figures"].items():
        for experiment in figure.get("experiments", []):
            if experiment not in config["experiments"]:
                reason = _unknown(experiment, config["experiments"])
                raise UserError(f"figures.{name}.experiments: {reason}")
        if figure.get("dataset", next(iter(config["datasets"]))) not in config["datasets"]:
            reason = _unknown(figure["dataset"], config["datasets"])
            raise UserError(f"figures.{name}.dataset: {reason}")
    for target in config.get("targets", ()):
        if target not in config["figures"]:
            raise UserError(f"targets: {_unknown(target, config['figures'])}")


def _unknown(found: str, known: Mapping[str, Any]) -> str:
    return f"{found!r} is not known; choose one of {', '.join(sorted(known))}.{_hint(found, known)}"


def _hint(found: str, known: Any) -> str:
    close = difflib.get_close_matches(found, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _check(instance: Any, schema: Mapping[str, Any], prefix: str) -> None:
    """Raise one sentence for the first thing in ``instance`` that ``schema`` refuses."""
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(instance))
    if error is not None:
        raise UserError("; ".join(_sentences(error, prefix)))


def _sentences(error: jsonschema.ValidationError, prefix: str) -> Iterator[str]:
    key = ".".join([*([prefix] if prefix else []), *map(str, error.absolute_path)])
    where = f"{key}: " if key else "configuration: "
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    known = schema.get("properties", {})
    found = list(error.instance) if isinstance(error.instance, dict) else []
    if error.validator == "additionalProperties":
        for name in sorted(set(found) - set(known)):
            yield f"{where}unknown key {name!r}; expected {', '.join(sorted(known))}." + _hint(
                name, known
            )
    elif error.validator == "required":
        for name in sorted(set(schema["required"]) - set(found)):
            meaning = known.get(name, {}).get("description", "")
            yield f"{where}the key {name!r} is missing{f' ({meaning})' if meaning else ''}; add it."
    else:
        meaning = schema.get("description", "")
        yield f"{where}{error.message}{f'; expected: {meaning}' if meaning else ''}."


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of configuration.

    Raises
    ------
    UserError
        If it is missing or is not valid YAML.
    """
    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; name an existing file.") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
