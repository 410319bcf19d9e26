"""Checksums of the files that tests write."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """Return a file's checksum as a configuration states it."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
