"""Digests of files, without reading again what has not changed since its digest was taken."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spatialdep.atomic import atomic_write


@dataclass(frozen=True)
class FileDigest:
    """A file's sha256 with the size (bytes) and modification time (ns) it had then."""

    sha256: str
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> "FileDigest":
        """Read the file at ``path`` and return its digest."""
        status = path.stat()
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(sha256, status.st_size, status.st_mtime_ns)

    @classmethod
    def from_dict(cls, whole: dict[str, Any]) -> "FileDigest":
        """Rebuild a digest from :meth:`to_dict`'s form."""
        return cls(whole["sha256"], whole["size"], whole["modified"])

    def to_dict(self) -> dict[str, Any]:
        """Return the digest as JSON holds it."""
        return asdict(self)

    def looks_unchanged(self, status: os.stat_result) -> bool:
        """Whether a file with this status need not be read again."""
        return (self.size, self.modified) == (status.st_size, status.st_mtime_ns)


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
