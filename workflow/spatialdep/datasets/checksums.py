"""Checksums that a user states, and what they are compared with."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from spatialdep.errors import UserError
from spatialdep.provenance.files import FileDigest

_CHUNK_BYTES = 1 << 20
_HEX_DIGITS = {"md5": 32, "sha256": 64}


@dataclass(frozen=True)
class Checksum:
    """A stated digest of a file, written ``md5:…`` or ``sha256:…``."""

    algorithm: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "Checksum":
        """Read ``algorithm:hexadecimal``.

        Raises
        ------
        UserError
            If ``text`` is not of that form.
        """
        match = re.fullmatch(r"(md5|sha256):([0-9a-fA-F]+)", text.strip())
        if match is None or len(match[2]) != _HEX_DIGITS[match[1]]:
            raise UserError(
                f"{text!r} is not a checksum: write md5: and 32, or sha256: and 64, "
                "hexadecimal digits."
            )
        return cls(match[1], match[2].lower())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"

    def check(self, path: Path, remedy: str) -> FileDigest:
        """Hash ``path``, compare, and return its SHA-256, whatever algorithm was stated.

        Raises
        ------
        UserError
            If the file's digest is another; the sentence ends in ``remedy``.
        """
        # Before hashing: a change in the meantime is then seen as one.
        status = path.stat()
        found = _hashed(path, {self.algorithm, "sha256"})
        if found[self.algorithm] != self.digest:
            raise UserError(
                f"{path} is not the file that was asked for: its {self.algorithm} is "
                f"{found[self.algorithm]}, expected {self.digest}; {remedy}"
            )
        return FileDigest(found["sha256"], status.st_size, status.st_mtime_ns)


def _hashed(path: Path, algorithms: Iterable[str]) -> dict[str, str]:
    """Return a file's digests, reading it once, and showing progress when that takes long."""
    digests = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
    size = path.stat().st_size
    with (
        path.open("rb") as stream,
        tqdm.wrapattr(stream, "read", total=size, desc=f"hashing {path.name}", delay=5) as watched,
    ):
        while chunk := watched.read(_CHUNK_BYTES):
            for digest in digests.values():
                digest.update(chunk)
    return {algorithm: digest.hexdigest() for algorithm, digest in digests.items()}
