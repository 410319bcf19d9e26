"""Tar archives of unknown origin, read in place and never unpacked."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from spatialdep.errors import UserError


@dataclass(frozen=True)
class Limits:
    """The most that an archive of some kind may hold."""

    members: int
    member_bytes: int
    total_bytes: int


@contextmanager
def open_tar(
    path: Path, stream: BinaryIO | None = None, mode: str = "r:*"
) -> Iterator[tarfile.TarFile]:
    """Open a tar archive, plain or compressed, for reading in place.

    Parameters
    ----------
    path
        The archive; with ``stream``, its name in errors.
    stream
        The archive's bytes, where it is not a file of its own.
    mode
        As :func:`tarfile.open` takes it; ``"r:"`` insists on an uncompressed archive.

    Raises
    ------
    UserError
        If the archive is missing, truncated, damaged, or no tar archive, whether that shows now or
        while the block reads it.
    """
    try:
        with tarfile.open(path if stream is None else None, mode, fileobj=stream) as archive:  # type: ignore[call-overload]
            yield archive
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: fetch it first.") from error
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read as a tar archive ({error}): it is truncated, damaged or "
            "something else; get it again."
        ) from error


def checked_members(
    archive: tarfile.TarFile, path: Path, limits: Limits
) -> Iterator[tarfile.TarInfo]:
    """Yield an archive's regular files, in its order, having checked every member up to there.

    Raises
    ------
    UserError
        If a member's name leads out of the archive, if it is a link or a device, or if there is
        more than ``limits`` allows. A size is checked before the member is read or skipped, so a
        bomb is never expanded.
    """
    total = 0
    for count, member in enumerate(archive, start=1):
        total += member.size
        problem = _problem(member, limits)
        if problem is None and count > limits.members:
            problem = f"has more than {limits.members} members"
        if problem is None and total > limits.total_bytes:
            problem = f"holds more than {limits.total_bytes} bytes"
        if problem is not None:
            raise UserError(
                f"{path} is refused: it {problem}, which the real archive does not; "
                "get it again from a source that you trust."
            )
        if member.isreg():
            yield member


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return a regular member's bytes."""
    stream = archive.extractfile(member)
    assert stream is not None, "a regular member"
    with stream:
        return stream.read()


def _problem(member: tarfile.TarInfo, limits: Limits) -> str | None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or "\0" in member.name:
        return f"has a member whose name leads elsewhere, {member.name!r}"
    if member.issparse() or not (member.isreg() or member.isdir()):
        return f"has a member that is neither plain file nor folder, {member.name!r}"
    if not 0 <= member.size <= limits.member_bytes:
        return f"has a member of {member.size} bytes, {member.name!r}"
    return None
