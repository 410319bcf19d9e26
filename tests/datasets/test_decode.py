"""Pixels are Pillow's, bit for bit, or the image is refused for a stated reason."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from ilsvrc_files import encode, picture
from PIL import Image

from spatialdep.datasets.decode import Decoder, UnreadableError


def by_pillow(data: bytes, size: int) -> np.ndarray:
    """Return what the published sets were made with."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BOX)).transpose(2, 0, 1)


@pytest.mark.parametrize("size", [32, 64])
def test_every_sample_is_pillows(samples: list[Path], size: int) -> None:
    assert len(samples) == 250
    decoder = Decoder()
    for path in samples:
        data = path.read_bytes()
        assert np.array_equal(decoder.small(data, size), by_pillow(data, size)), path.name
        full = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert np.array_equal(decoder.rgb(data), full), path.name


def _exif_rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(picture(1), exif=exif)


def _interlaced_palette() -> bytes:
    return encode(picture(1).quantize(16), "PNG", transparency=3)


def _two_frames() -> bytes:
    return encode(picture(1), "GIF", save_all=True, append_images=[picture(2)])


def _rgb_16_bit_png() -> bytes:
    """Pillow cannot write these, other programs do."""
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (5, 7, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 7, 5, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


ODD_FILES = {
    "plain": encode(picture(1)),
    "one pixel": encode(picture(1, 1, 1)),
    "thin": encode(picture(1, 200, 1)),
    "smaller than the result": encode(picture(1, 9, 11)),
    "4:4:4": encode(picture(1), subsampling=0, quality=95),
    "4:2:2": encode(picture(1), subsampling=1),
    "4:2:0 of odd size": encode(picture(1, 61, 83), subsampling=2),
    "progressive": encode(picture(1), progressive=True),
    "restart markers": encode(picture(1), restart_marker_blocks=2),
    "stored as RGB": encode(picture(1), keep_rgb=True),
    "grey": encode(picture(1, channels=1)),
    "CMYK": encode(picture(1).convert("CMYK")),
    "rotated by EXIF": _exif_rotated(),
    "trailing bytes": encode(picture(1)) + b"more",
    "PNG": encode(picture(1), "PNG"),
    "PNG with transparency": encode(picture(1, channels=4), "PNG"),
    "PNG with a palette": _interlaced_palette(),
    "PNG of one bit": encode(picture(1, channels=1).convert("1"), "PNG"),
    "PNG of 3 × 16 bits": _rgb_16_bit_png(),
    "GIF of two frames": _two_frames(),
    "BMP": encode(picture(1), "BMP"),
    "WebP": encode(picture(1), "WEBP"),
    "TIFF": encode(picture(1), "TIFF"),
}


@pytest.mark.parametrize("kind", ODD_FILES)
@pytest.mark.parametrize("size", [32, 64])
def test_odd_files_are_pillows_too(kind: str, size: int) -> None:
    data = ODD_FILES[kind]
    assert np.array_equal(Decoder().small(data, size), by_pillow(data, size))


def test_exif_orientation_is_ignored() -> None:
    upright, rotated = Decoder().small(ODD_FILES["plain"], 32), Decoder().small(_exif_rotated(), 32)
    assert np.array_equal(upright, rotated)


def test_16_bits_a_channel_keep_the_upper_8() -> None:
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (5, 7, 3))
    assert np.array_equal(Decoder().rgb(_rgb_16_bit_png()), pixels >> 8)


def _deep(mode: str, kind: str) -> bytes:
    values = np.random.default_rng(0).integers(0, 60_000, (8, 9))
    types = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    return encode(Image.fromarray(values.astype(types[mode])), kind)


def _bomb() -> bytes:
    return encode(Image.new("1", (10_000, 10_000)), "PNG")


def _large_jpeg() -> bytes:
    data = bytearray(encode(picture(1)))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"<html>not found</html>", "cannot identify"),
    "truncated JPEG": (encode(picture(1))[:-100], "truncated"),
    "JPEG without its end": (encode(picture(1))[:-2], "truncated"),
    "header of a JPEG": (encode(picture(1))[:200], ""),
    "truncated PNG": (encode(picture(1), "PNG")[:-1000], "truncated"),
    "damaged PNG": (encode(picture(1), "PNG")[:60] + b"\0" * 200, ""),
    "grey of 16 bits": (_deep("I;16", "PNG"), "more than 8 bits"),
    "grey of 32 bits": (_deep("I", "TIFF"), "more than 8 bits"),
    "floating point": (_deep("F", "TIFF"), "more than 8 bits"),
    "bomb": (_bomb(), "10000×10000 pixels"),
    "JPEG that claims to be huge": (_large_jpeg(), ""),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", "cannot identify"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_one_reading_is_refused(kind: str) -> None:
    data, reason = REFUSED[kind]
    with pytest.raises(UnreadableError, match=reason or None):
        Decoder().small(data, 32)


def test_damage_is_read_as_pillow_reads_it_or_refused() -> None:
    """Both decoders must agree about every damaged file, too."""
    random, decoder = np.random.default_rng(0), Decoder()
    original = encode(picture(1), quality=60)
    agreed = 0
    for _ in range(500):
        data = bytearray(original)
        for position in random.integers(2, len(data), size=random.integers(1, 4)):
            data[position] = random.integers(256)
        try:
            expected = by_pillow(bytes(data), 32)
        except (OSError, SyntaxError):
            with pytest.raises(UnreadableError):
                decoder.small(bytes(data), 32)
            continue
        assert np.array_equal(decoder.small(bytes(data), 32), expected)
        agreed += 1
    assert agreed > 100
