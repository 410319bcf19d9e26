"""Encoded images where they lie: a range of bytes in a file, be it an archive or their own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spatialdep.datasets.archives import Limits, checked_members, open_tar
from spatialdep.errors import UserError

# An image of ImageNet has 15 MB at the most, a class 1,300 images.
_LIMITS = Limits(members=2_000_000, member_bytes=200_000_000, total_bytes=1 << 40)


@dataclass(frozen=True)
class EncodedImage:
    """One image: where its bytes are, what it is called there, and its class."""

    file: Path
    offset: int
    length: int
    name: str
    label: int


def images_in_tar(
    path: Path, *, offset: int = 0, length: int | None = None
) -> Iterator[tuple[str, int, int]]:
    """Yield name, offset and length of each file in an uncompressed tar archive, in its order.

    A tar archive in a tar archive is a range of bytes too: with ``offset`` and ``length`` it is
    read in place. Offsets count from the beginning of the file.

    Raises
    ------
    UserError
        If the archive is damaged or refused; see :func:`checked_members`.
    """
    end = path.stat().st_size if length is None else offset + length
    with path.open("rb") as stream:
        stream.seek(offset)
        with open_tar(path, stream, "r:") as archive:
            for member in checked_members(archive, path, _LIMITS):
                if member.offset >= end:
                    return
                if member.offset_data + member.size > end:
                    raise UserError(
                        f"{path} is truncated: {member.name} reaches beyond the end of its "
                        "archive; get it again."
                    )
                yield member.name, member.offset_data, member.size


def read_all(images: Iterable[EncodedImage]) -> Iterator[tuple[EncodedImage, bytes]]:
    """Read the bytes of images, opening a file once for a run of images in it.

    Raises
    ------
    UserError
        If a file is missing or shorter than it was.
    """
    path, stream = None, None
    try:
        for image in images:
            if stream is None or image.file != path:
                if stream is not None:
                    stream.close()
                path, stream = image.file, image.file.open("rb")
            stream.seek(image.offset)
            data = stream.read(image.length)
            if len(data) != image.length:
                raise UserError(
                    f"{image.name} in {image.file} is cut short: verify the dataset again."
                )
            yield image, data
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    finally:
        if stream is not None:
            stream.close()
