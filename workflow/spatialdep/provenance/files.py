"""Digests of files and folders, without reading again what has not changed since."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spatialdep.atomic import atomic_write


@dataclass(frozen=True)
class FileDigest:
    """A file's sha256 with the size (bytes) and modification time (ns) it had then.

    Of a folder, the names and contents of its files count, but for what begins with a dot. Its size
    is theirs together, and in place of its time stands a number made from their names and times.
    """

    sha256: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> "FileDigest":
        """Read the file or folder at ``path`` and return its digest."""
        # Before reading: a change in the meantime is then seen as one.
        state = state_of(path)
        return cls(_folder_sha256(path) if path.is_dir() else _sha256(path), *state)

    @classmethod
    def from_dict(cls, whole: dict[str, Any]) -> "FileDigest":
        """Rebuild a digest from :meth:`to_dict`'s form."""
        return cls(whole["sha256"], whole["size"], whole["modified"])

    def to_dict(self) -> dict[str, Any]:
        """Return the digest as JSON holds it."""
        return asdict(self)

    def looks_unchanged(self, state: tuple[int, int]) -> bool:
        """Whether what is in this state (:func:`state_of`) need not be read again."""
        return (self.size, self.modified) == state


def state_of(path: Path) -> tuple[int, int]:
    """Return size (bytes) and modification time (ns) of a file or a folder.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    """
    status = path.stat()
    if not path.is_dir():
        return status.st_size, status.st_mtime_ns
    statuses = {file: file.stat() for file in sorted(_files_below(path))}
    listing = [(str(file.relative_to(path)), s.st_mtime_ns) for file, s in statuses.items()]
    number = int(hashlib.sha256(repr(listing).encode()).hexdigest()[:16], 16)
    return sum(s.st_size for s in statuses.values()), number


def write_digests(path: Path, digests: Mapping[Any, FileDigest]) -> None:
    """Write digests as JSON, by the names or paths of their files."""
    with atomic_write(path) as stream:
        json.dump({str(name): digest.to_dict() for name, digest in digests.items()}, stream)


def read_digests(path: Path) -> dict[str, FileDigest]:
    """Read what :func:`write_digests` wrote; nothing where there is nothing that can be read."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        return {name: FileDigest.from_dict(digest) for name, digest in whole.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # It only spares reading files again.
        return {}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder_sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(_files_below(folder)):
        line = f"{file.relative_to(folder)}\0{_sha256(file)}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in files if not name.startswith("."))
