"""Hostile and damaged tar archives."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spatialdep.datasets.archives import Limits, checked_members, open_tar, read_member
from spatialdep.errors import UserError

LIMITS = Limits(members=10, member_bytes=1000, total_bytes=2500)


def _member(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def _read(path: Path) -> dict[str, bytes]:
    with open_tar(path) as archive:
        return {
            member.name: read_member(archive, member)
            for member in checked_members(archive, path, LIMITS)
        }


def _write(path: Path, members: list[tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def test_plain_members_are_read(tmp_path: Path) -> None:
    members = [_member("a", type=tarfile.DIRTYPE), _member("a/b", size=5), _member("./c", size=0)]
    assert _read(_write(tmp_path / "x.tar.gz", members)) == {"a/b": b"xxxxx", "./c": b""}


@pytest.mark.parametrize(
    "member",
    [
        _member("/etc/passwd", size=1),
        _member("../../home", size=1),
        _member("a/../../b", size=1),
        _member("..\\windows", size=1),
        _member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        _member("hard", type=tarfile.LNKTYPE, linkname="a"),
        _member("device", type=tarfile.CHRTYPE),
        _member("block", type=tarfile.BLKTYPE),
        _member("pipe", type=tarfile.FIFOTYPE),
        _member("large", size=1001),
    ],
)
def test_a_hostile_member_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    with pytest.raises(UserError, match="is refused"):
        _read(_write(tmp_path / "x.tar.gz", [_member("a", size=1), member]))


@pytest.mark.parametrize("size, count", [(1, 11), (900, 3)])
def test_too_much_is_refused(tmp_path: Path, size: int, count: int) -> None:
    members = [_member(str(number), size=size) for number in range(count)]
    with pytest.raises(UserError, match="more than"):
        _read(_write(tmp_path / "x.tar.gz", members))


def test_a_bomb_is_refused_by_its_header_alone(tmp_path: Path) -> None:
    """A terabyte of zeros would take long to skip; the header says it beforehand."""
    header = _member("bomb", size=1 << 40).tobuf(tarfile.GNU_FORMAT)
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(header + bytes(10_000)))
    with pytest.raises(UserError, match="1099511627776 bytes"):
        _read(path)


def _truncated(data: bytes) -> bytes:
    return data[: min(len(data) // 2, 700)]  # Within the member: the rest is padding.


def _flipped(data: bytes) -> bytes:
    return data[:30] + bytes(byte ^ 0x55 for byte in data[30:60]) + data[60:]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("damage", [_truncated, _flipped, lambda data: b"", lambda data: b"text"])
def test_damage_is_one_sentence(
    tmp_path: Path, mode: str, damage: Callable[[bytes], bytes]
) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(_member("a", size=900), io.BytesIO(bytes(range(225)) * 4))
    path = tmp_path / "x.tar"
    path.write_bytes(damage(stream.getvalue()))
    with pytest.raises(UserError, match="cannot be read as a tar archive"):
        _read(path)


def test_a_missing_archive_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        _read(tmp_path / "none.tar")
