"""The record that a dataset's sources were hashed and looked into, and found to be right."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spatialdep.atomic import atomic_write
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.errors import UserError


@dataclass(frozen=True)
class VerifiedSource:
    """A source as it was when its checksum was compared."""

    checksum: str
    bytes: int
    modified_ns: int


def write_verified(
    path: Path,
    entry: DatasetEntry,
    sources: Mapping[str, VerifiedSource],
    details: Mapping[str, Any],
) -> None:
    """Write ``verified.json``."""
    content = {
        "dataset": entry.name,
        "kind": entry.kind,
        "sources": {name: asdict(source) for name, source in sources.items()},
        "details": details,
    }
    with atomic_write(path) as stream:
        json.dump(content, stream, indent=2, ensure_ascii=False)
        stream.write("\n")


def observe(path: Path, source: Source) -> VerifiedSource:
    """Note a source's size and time of change."""
    status = path.stat()
    return VerifiedSource(str(source.checksum), status.st_size, status.st_mtime_ns)


def verified_paths(path: Path, entry: DatasetEntry) -> dict[str, Path]:
    """Return the sources of ``entry`` by name, being sure that they are what was verified.

    Hashing ImageNet takes minutes, so a source is hashed again only if its size or time of change
    is another.

    Raises
    ------
    UserError
        If ``path`` is missing, speaks of other checksums, or a source is no longer what it was.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {name: VerifiedSource(**source) for name, source in content["sources"].items()}
        kind = content["kind"]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: verify dataset {entry.name} first.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: verify dataset {entry.name} again.") from error
    expected: dict[str, Source] = entry.plugin.sources(entry)
    stated = {name: str(source.checksum) for name, source in expected.items()}
    if kind != entry.kind or {name: was.checksum for name, was in found.items()} != stated:
        raise UserError(
            f"{path} was written for another configuration of {entry.name}: verify it again."
        )
    paths = {name: path.parent / "sources" / name for name in expected}
    for name, source in expected.items():
        if not paths[name].is_file():
            raise UserError(f"{paths[name]} is missing: fetch it again.")
        if observe(paths[name], source) != found[name]:
            source.checksum.check(
                paths[name], "it has changed since it was verified: get it again."
            )
    return paths


def verified_details(path: Path) -> Any:
    """Return what the inspection of the sources reported."""
    return json.loads(path.read_text(encoding="utf-8"))["details"]
