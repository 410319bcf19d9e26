"""Digests of files, without reading again what has not changed since its digest was taken."""

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


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
