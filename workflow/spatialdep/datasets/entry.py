"""A dataset's entry in the configuration, as the commands receive it."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from spatialdep import plugins
from spatialdep.datasets.checksums import Checksum
from spatialdep.errors import UserError

ROOM = "datasets"


@dataclass(frozen=True)
class DatasetEntry:
    """One dataset of the configuration: its name, its kind, and that kind's options, complete.

    Options that only say where a file lies may be absent, since nothing but fetching needs them.
    """

    name: str
    kind: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, name: str, text: str) -> "DatasetEntry":
        """Read an entry from JSON, with the kind's defaults for what it leaves out.

        Raises
        ------
        UserError
            If the entry's kind is unknown, or its keys are not those of that kind.
        """
        try:
            content = json.loads(text)
            kind = content.pop("kind")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise UserError(
                f'the entry of dataset {name} must be JSON with a kind, such as {{"kind": '
                f'"digits"}}; found {text!r}.'
            ) from error
        declared = plugins.declarations(ROOM)
        if kind not in declared:
            raise UserError(
                f"datasets.{name}.kind is {kind!r}: choose one of {', '.join(declared)}."
            )
        known = declared[kind]["options"]
        required = [key for key in declared[kind]["required"] if not _is_location(known[key])]
        for key in (*content, *required):
            if key not in known or key not in content | dict.fromkeys(set(known) - set(required)):
                raise UserError(
                    f"datasets.{name}: {key} is "
                    f"{'not an option of' if key not in known else 'missing for'} kind {kind}, "
                    f"which takes {', '.join(known) or 'none'} (needed: "
                    f"{', '.join(required) or 'none'})."
                )
        defaults = {key: value["default"] for key, value in known.items() if "default" in value}
        return cls(name, kind, {**defaults, **content})

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the result: everything but where the sources lie."""
        declared = plugins.declarations(ROOM)[self.kind]["options"]
        options = {
            key: value for key, value in self.options.items() if not _is_location(declared[key])
        }
        return {"dataset": self.name, "kind": self.kind, **options}

    @property
    def folders(self) -> dict[str, Path]:
        """The user's own folders that the dataset is read from, by the option that names each."""
        names = plugins.declarations(ROOM)[self.kind].get("folders", [])
        return {name: Path(self.options[name]) for name in names}

    @property
    def plugin(self) -> ModuleType:
        """The module of this kind: ``sources``, ``inspect``, and ``prepare`` or ``blueprint``."""
        return plugins.load(ROOM, self.kind)


@dataclass(frozen=True)
class Source:
    """A file that a dataset is made from: where the user says it is, and what it must be.

    The size is told beforehand where it is known, since hashing ImageNet takes minutes.
    """

    location: str | None
    checksum: Checksum
    bytes: int | None = None

    @property
    def local_path(self) -> Path | None:
        """The path on this machine, or None for something that must be downloaded."""
        if self.location is None:
            return None
        parts = urlsplit(self.location)
        if parts.scheme == "file":
            return Path(url2pathname(parts.path))
        return None if "://" in self.location else Path(self.location).expanduser()


def _is_location(option: Mapping[str, Any]) -> bool:
    return bool(option.get("location", False))


def add_entry_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--dataset`` and ``--entry``, from which :func:`entry_from` reads."""
    parser.add_argument("--dataset", required=True, help="the dataset's name in the configuration")
    parser.add_argument(
        "--entry", required=True, help="its configuration as JSON: the kind and its options"
    )


def entry_from(arguments: argparse.Namespace) -> DatasetEntry:
    """Read what :func:`add_entry_arguments` added."""
    return DatasetEntry.parse(arguments.dataset, arguments.entry)
