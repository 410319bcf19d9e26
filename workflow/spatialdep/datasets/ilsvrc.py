"""ILSVRC-2012's three files: train and validation archives, read in place, and the devkit."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from spatialdep.datasets.archives import Limits, checked_members, open_tar, read_member
from spatialdep.datasets.checksums import Checksum
from spatialdep.datasets.encoded import EncodedImage, images_in_tar
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.errors import UserError

_OFFICIAL_MD5 = {
    "train": "1d675b47d978889d74fa0da5fadfb00e",
    "validation": "29b22e2961454d5413ddabcf34fc5622",
    "devkit": "fa75699e90414af021442c21a62c3abf",
}
_OFFICIAL_BYTES = {"train": 147_897_477_120, "validation": 6_744_924_160}
_DEVKIT_LIMITS = Limits(members=1000, member_bytes=50_000_000, total_bytes=200_000_000)
_OUTER_LIMITS = Limits(members=100_000, member_bytes=1 << 40, total_bytes=1 << 41)


@dataclass(frozen=True)
class Devkit:
    """What the devkit says.

    ``wnids`` and ``words`` are in the order of ``ILSVRC2012_ID``, which is also the order of
    ``map_clsloc.txt`` in the later devkits, and so of the published Small-ImageNet's labels.
    ``validation_labels`` count from 0 in that order, the first for ``ILSVRC2012_val_00000001``.
    """

    wnids: tuple[str, ...]
    words: tuple[str, ...]
    validation_labels: tuple[int, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Readable names that are unique, which the words alone are not (there are two cranes)."""
        return tuple(f"{wnid} {word}" for wnid, word in zip(self.wnids, self.words, strict=True))

    @property
    def sorted_ranks(self) -> tuple[int, ...]:
        """For each class, its place among the sorted wnids: torchvision's label for it."""
        ranks = {wnid: rank for rank, wnid in enumerate(sorted(self.wnids))}
        return tuple(ranks[wnid] for wnid in self.wnids)


def ilsvrc_sources(
    entry: DatasetEntry, names: tuple[str, ...], also_stated: tuple[str, ...] = ()
) -> dict[str, Source]:
    """Return those of the three files; checksums are the official ones unless others are stated.

    ``also_stated`` are files of other origin for which a checksum may be stated as well.

    Raises
    ------
    UserError
        If a checksum is stated for something else than these files.
    """
    stated: Mapping[str, str] = entry.options["checksums"]
    known = (*names, *also_stated)
    unknown = sorted(set(stated) - set(known))
    if unknown:
        raise UserError(
            f"datasets.{entry.name}.checksums has {unknown[0]!r}: expected {', '.join(known)}."
        )
    return {
        name: Source(
            entry.options.get(name),
            Checksum.parse(stated.get(name, f"md5:{_OFFICIAL_MD5[name]}")),
            None if name in stated else _OFFICIAL_BYTES.get(name),
        )
        for name in names
    }


def read_devkit(path: Path) -> Devkit:
    """Read classes and validation labels from ``ILSVRC2012_devkit_t12.tar.gz``, in memory.

    Raises
    ------
    UserError
        If the archive is damaged, or does not hold what the devkit holds.
    """
    wanted = ("meta.mat", "ILSVRC2012_validation_ground_truth.txt")
    found = {}
    with open_tar(path) as archive:
        for member in checked_members(archive, path, _DEVKIT_LIMITS):
            name = PurePosixPath(member.name)
            if name.name in wanted and name.parent.name == "data":
                found[name.name] = read_member(archive, member)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UserError(f"{path} has no data/{missing[0]}: expected ILSVRC-2012's devkit (t12).")
    try:
        wnids, words = _classes(found["meta.mat"])
        truth = [int(line) for line in found["ILSVRC2012_validation_ground_truth.txt"].split()]
    except (
        MatReadError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        NotImplementedError,
    ) as error:
        raise UserError(
            f"{path} cannot be understood ({error}): expected ILSVRC-2012's devkit (t12)."
        ) from error
    if not all(1 <= number <= len(wnids) for number in truth):
        raise UserError(f"{path} has validation labels outside 1…{len(wnids)}.")
    return Devkit(wnids, words, tuple(number - 1 for number in truth))


def _classes(meta: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return wnids and first words of the classes with images, by ILSVRC2012_ID."""
    stream = io.BytesIO(meta)
    # scipy documents streams, its annotations do not.
    content = loadmat(stream, squeeze_me=True)  # type: ignore[arg-type]
    synsets = np.atleast_1d(content["synsets"])
    # The other 860 synsets are inner nodes of the hierarchy, without images of their own.
    leaves = sorted(
        (int(row["ILSVRC2012_ID"]), str(row["WNID"]), str(row["words"]).split(",")[0])
        for row in synsets
        if int(row["num_children"]) == 0
    )
    if [number for number, _, _ in leaves] != list(range(1, len(leaves) + 1)) or not leaves:
        raise ValueError("its ILSVRC2012_IDs do not count from 1")
    if not all(re.fullmatch(r"n\d{8}", wnid) for _, wnid, _ in leaves):
        raise ValueError("it has something else than wnids")
    return tuple(wnid for _, wnid, _ in leaves), tuple(word for _, _, word in leaves)


def inspect_ilsvrc(paths: Mapping[str, Path]) -> dict[str, Any]:
    """Check that the archives hold the devkit's classes and validation images.

    Raises
    ------
    UserError
        If they do not.
    """
    devkit = read_devkit(paths["devkit"])
    tars = class_archives(paths["train"])
    odd = sorted(set(tars) ^ set(devkit.wnids))
    if odd:
        raise UserError(
            f"{paths['train']} has {len(tars)} classes, the devkit {len(devkit.wnids)}; they "
            f"differ in {odd[0]}: expected ILSVRC2012_img_train.tar and its devkit."
        )
    validation = validation_images(paths["validation"], devkit)
    return {"classes": len(devkit.wnids), "validation_images": len(validation)}


def class_archives(train: Path) -> dict[str, tuple[int, int]]:
    """Return offset and length of each class's archive inside the train archive, by sorted wnid."""
    ranges = {}
    with open_tar(train, mode="r:") as archive:
        for member in checked_members(archive, train, _OUTER_LIMITS):
            name = PurePosixPath(member.name)
            if name.suffix != ".tar" or name.stem in ranges:
                raise UserError(
                    f"{train} holds {member.name!r}: expected one n########.tar a class."
                )
            ranges[name.stem] = (member.offset_data, member.size)
    return dict(sorted(ranges.items()))


def class_images(train: Path, wnid: str, extent: tuple[int, int], label: int) -> list[EncodedImage]:
    """Return the images of one class, in its archive's order."""
    offset, length = extent
    return [
        EncodedImage(train, start, size, f"{wnid}.tar/{name}", label)
        for name, start, size in images_in_tar(train, offset=offset, length=length)
    ]


def validation_images(path: Path, devkit: Devkit) -> list[EncodedImage]:
    """Return the validation images by their number, labelled in the devkit's order.

    Raises
    ------
    UserError
        If the archive does not hold exactly one image for each of the devkit's labels.
    """
    images = {}
    for name, offset, length in images_in_tar(path):
        match = re.fullmatch(r"(?:.*/)?ILSVRC2012_val_(\d{8})\.JPEG", name)
        number = int(match[1]) if match else 0
        if not 1 <= number <= len(devkit.validation_labels) or number in images:
            raise UserError(
                f"{path} holds {name!r}: expected ILSVRC2012_val_00000001.JPEG to "
                f"ILSVRC2012_val_{len(devkit.validation_labels):08}.JPEG, each once."
            )
        label = devkit.validation_labels[number - 1]
        images[number] = EncodedImage(path, offset, length, name, label)
    if len(images) != len(devkit.validation_labels):
        raise UserError(
            f"{path} holds {len(images)} images, but the devkit has labels for "
            f"{len(devkit.validation_labels)}."
        )
    return [image for _, image in sorted(images.items())]
