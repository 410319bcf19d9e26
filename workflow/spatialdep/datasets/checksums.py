"""Checksums that a user states, and what they are compared with."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from spatialdep.errors import UserError

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

    def check(self, path: Path, remedy: str) -> None:
        """Hash ``path`` and compare.

        Raises
        ------
        UserError
            If the file's digest is another; the sentence ends in ``remedy``.
        """
        found = hash_file(path, self.algorithm)
        if found != self.digest:
            raise UserError(
                f"{path} is not the file that was asked for: its {self.algorithm} is {found}, "
                f"expected {self.digest}; {remedy}"
            )


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file, showing progress when it takes long."""
    digest = hashlib.new(algorithm)
    size = path.stat().st_size
    with (
        path.open("rb") as stream,
        tqdm.wrapattr(
            stream, "read", total=size, desc=f"{algorithm} of {path.name}", delay=5
        ) as watched,
    ):
        while chunk := watched.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
