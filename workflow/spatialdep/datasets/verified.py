"""The record that a dataset's sources were hashed and looked into, and found to be right.

``verified.json`` says what the sources are, and is the same wherever and whenever they are looked
at. ``sources.json`` beside it holds their sizes and times of change, so that who reads them need
not hash them again. A source is a file with a stated checksum, or a folder of the user's own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatialdep.atomic import atomic_write
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.errors import UserError
from spatialdep.provenance.files import FileDigest, read_digests, state_of, write_digests

SOURCES = "sources.json"


def write_verified(
    path: Path,
    entry: DatasetEntry,
    found: Mapping[str, FileDigest],
    details: Mapping[str, Any],
) -> list[Path]:
    """Write ``verified.json`` and ``sources.json``; return both."""
    content = {
        "dataset": entry.name,
        "kind": entry.kind,
        "sources": {
            name: {"checksum": str(source.checksum), "sha256": found[name].sha256}
            for name, source in entry.plugin.sources(entry).items()
        },
        "folders": {name: found[name].sha256 for name in entry.folders},
        "details": details,
    }
    with atomic_write(path) as stream:
        json.dump(content, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    write_digests(path.parent / SOURCES, found)
    return [path, path.parent / SOURCES]


def verified_paths(path: Path, entry: DatasetEntry) -> dict[str, Path]:
    """Return the sources of ``entry`` by name, being sure that all is what was verified.

    Hashing ImageNet takes minutes, so a source is hashed again only if its size or time of change
    is another.

    Raises
    ------
    UserError
        If ``path`` is missing, speaks of other checksums, or a source is no longer what it was.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        checksums = {name: source["checksum"] for name, source in content["sources"].items()}
        folders = dict(content["folders"])
        kind = content["kind"]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: verify dataset {entry.name} first.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged: verify dataset {entry.name} again.") from error
    expected: dict[str, Source] = entry.plugin.sources(entry)
    stated = {name: str(source.checksum) for name, source in expected.items()}
    if kind != entry.kind or checksums != stated or folders.keys() != entry.folders.keys():
        raise UserError(
            f"{path} was written for another configuration of {entry.name}: verify it again."
        )
    paths = {name: path.parent / "sources" / name for name in expected}
    known = read_digests(path.parent / SOURCES)
    for name, source in expected.items():
        if not paths[name].is_file():
            raise UserError(f"{paths[name]} is missing: fetch it again.")
        if name not in known or not known[name].looks_unchanged(state_of(paths[name])):
            source.checksum.check(
                paths[name], "it has changed since it was verified: get it again."
            )
    for name, folder in entry.folders.items():
        if not folder.is_dir():
            raise UserError(f"{folder} is missing: put it back, or correct datasets.{entry.name}.")
        unchanged = name in known and known[name].looks_unchanged(state_of(folder))
        if not unchanged and FileDigest.of(folder).sha256 != folders[name]:
            raise UserError(
                f"the files in {folder} have changed since they were verified: "
                "run the same command again."
            )
    return paths


def verified_details(path: Path) -> Any:
    """Return what the inspection of the sources reported."""
    return json.loads(path.read_text(encoding="utf-8"))["details"]
