"""A run's specification as command-line options, in both directions."""

import argparse
import json
from dataclasses import MISSING, Field, fields
from typing import Any, get_args, get_type_hints

from spatialdep.errors import UserError
from spatialdep.specification.run import Option, Recipe, RunSpecification

# A recipe's own name would be the option --name, which says too little.
FLAGS = {"name": "--recipe"}


def add_specification_arguments(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` one option for each field of a run and of its recipe."""
    for kind, title in ((RunSpecification, "the run"), (Recipe, "its recipe")):
        group = parser.add_argument_group(title)
        hints = get_type_hints(kind)
        for entry in fields(kind):
            if entry.name != "recipe":
                _add_argument(group, entry, hints[entry.name])


def specification_from(namespace: argparse.Namespace) -> RunSpecification:
    """Build the specification that the options of ``namespace`` describe."""
    given = vars(namespace)
    recipe = Recipe(**{entry.name: given[entry.name] for entry in fields(Recipe)})
    run = {
        entry.name: given[entry.name]
        for entry in fields(RunSpecification)
        if entry.name != "recipe"
    }
    run["options"] = tuple(sorted(run["options"]))
    return RunSpecification(recipe=recipe, **run)


def to_arguments(specification: RunSpecification) -> list[str]:
    """Return the options from which :func:`specification_from` builds ``specification``.

    Options that have their default value are left out, so that a command stays readable.
    """
    arguments = []
    for owner in (specification, specification.recipe):
        for entry in fields(owner):
            value = getattr(owner, entry.name)
            if entry.name != "recipe" and value != entry.default:
                arguments += _argument(_flag(entry), value)
    return arguments


def _flag(entry: Field[Any]) -> str:
    return FLAGS.get(entry.name, f"--{entry.name.replace('_', '-')}")


def _argument(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    if isinstance(value, tuple):
        items = [f"{item[0]}={json.dumps(item[1])}" if isinstance(item, tuple) else str(item)
                 for item in value]  # fmt: skip
        return [flag, *items]
    return [flag, repr(value) if isinstance(value, float) else str(value)]


def _add_argument(group: Any, entry: Field[Any], hint: Any) -> None:
    settings: dict[str, Any] = {"dest": entry.name, "help": entry.metadata["description"]}
    if entry.default is MISSING:
        settings["required"] = True
    else:
        settings["default"] = entry.default
        settings["help"] += "" if entry.default == () else " (default: %(default)s)"
    if hint is bool:
        group.add_argument(_flag(entry), action=argparse.BooleanOptionalAction, **settings)
        return
    if entry.metadata.get("choices"):
        settings["choices"] = entry.metadata["choices"]
    else:
        settings["metavar"] = "NAME=VALUE" if entry.name == "options" else entry.name.upper()
    if entry.name == "options":
        settings |= {"type": _option, "nargs": "*", "action": _AsTuple}
    elif get_args(hint):
        settings |= {"type": get_args(hint)[0], "nargs": "*", "action": _AsTuple}
    else:
        settings["type"] = hint
    group.add_argument(_flag(entry), **settings)


class _AsTuple(argparse.Action):
    """Store a list option as a tuple, since a specification is hashable."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, tuple(values))


def _option(text: str) -> tuple[str, Option]:
    name, separator, value = text.partition("=")
    if not separator:
        raise UserError(f"--options {text}: expected NAME=VALUE, such as patch=4.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
