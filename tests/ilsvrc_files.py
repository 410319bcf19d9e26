"""Small archives laid out as ILSVRC-2012's are."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Put a file into an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed archive of files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            add(archive, name, data)
    return stream.getvalue()


def write_train(path: Path, classes: Mapping[str, Mapping[str, bytes]]) -> None:
    """Write ``ILSVRC2012_img_train.tar``: a tar a class, each uncompressed."""
    path.write_bytes(tar_of({f"{wnid}.tar": tar_of(files) for wnid, files in classes.items()}))


def write_validation(path: Path, images: Sequence[bytes]) -> None:
    """Write ``ILSVRC2012_img_val.tar``: flat, numbered from 1."""
    numbered = enumerate(images, start=1)
    path.write_bytes(
        tar_of({f"ILSVRC2012_val_{number:08}.JPEG": data for number, data in numbered})
    )


def write_devkit(path: Path, wnids: Sequence[str], truth: Sequence[int]) -> None:
    """Write ``ILSVRC2012_devkit_t12.tar.gz`` for wnids in the order of their IDs; truth from 1."""
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children",
              "wordnet_height", "num_train_images")  # fmt: skip
    rows = [
        (number, wnid, f"word {number}, synonym", "a gloss", 0, np.zeros(0), 0, 1300)
        for number, wnid in enumerate(wnids, start=1)
    ]
    # An inner node of the hierarchy, as the real file has 860 of them.
    rows.append((len(wnids) + 1, "n00001740", "entity", "that", 2, np.array([1, 2]), 3, 0))
    synsets = np.empty((len(rows), 1), dtype=[(name, object) for name in fields])
    for position, row in enumerate(rows):
        synsets[position, 0] = row
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    lines = "".join(f"{number}\n" for number in truth)
    with tarfile.open(path, "w:gz") as archive:
        folder = "ILSVRC2012_devkit_t12"
        add(archive, f"{folder}/readme.txt", b"about")
        add(archive, f"{folder}/data/meta.mat", meta.getvalue())
        add(archive, f"{folder}/data/ILSVRC2012_validation_ground_truth.txt", lines.encode())


def picture(seed: int, height: int = 60, width: int = 80, channels: int = 3) -> Image.Image:
    """Return a smooth random picture, as unlike its neighbours as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, channels), dtype=np.uint8)
    return Image.fromarray(coarse.squeeze()).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return an encoded picture."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
