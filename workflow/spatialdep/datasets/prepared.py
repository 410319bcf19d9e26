"""The form in which a dataset waits for training: a description and what it describes.

``dataset.json`` says what the folder holds, and is written last. With storage ``"arrays"``,
``arrays/{split}_images.npy`` are uint8 ``(N, 3, S, S)`` and ``arrays/{split}_labels.npy`` int64
``(N,)``. With storage ``"records"``, for images too large or too various for an array,
``records/{split}_ranges.npy`` are int64 ``(N, 2)``, the offset and length in bytes of each encoded
image in the file ``records/{split}.bin``, with labels beside them as above.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spatialdep.atomic import atomic_write
from spatialdep.datasets.npy_writer import write_npy
from spatialdep.errors import UserError

FORMAT = 1
SPLITS = ("train", "test")
Storage = Literal["arrays", "records"]


@dataclass(frozen=True)
class Split:
    """How many images a split has, and the SHA-256 over its data files' bytes, in order."""

    images: int
    digest: str


@dataclass(frozen=True)
class PreparedDataset:
    """A prepared dataset on disk; images are read by memory map when they are asked for.

    ``mean`` and ``std`` are what the networks' input is normalised with, in units of a pixel / 255;
    ``measured`` holds those of this very train split where ``mean`` and ``std`` are constants from
    the literature.
    """

    folder: Path
    name: str
    kind: str
    class_names: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    splits: Mapping[str, Split]
    storage: Storage = "arrays"
    measured: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    channels: int = 3

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def files(self, split: str) -> tuple[Path, Path]:
        """Return the paths of a split's images (or byte ranges) and of its labels."""
        what = "images" if self.storage == "arrays" else "ranges"
        folder = self.folder / self.storage
        return folder / f"{split}_{what}.npy", folder / f"{split}_labels.npy"

    def all_files(self) -> list[Path]:
        """Return what the dataset consists of, the archives behind ``records`` excepted."""
        return [
            self.folder / "dataset.json",
            *sorted((self.folder / self.storage).glob("*.npy")),
        ]

    def images(self, split: str) -> np.ndarray:
        """Return a split's images, uint8 ``(N, 3, S, S)``, as a read-only memory map."""
        return _load_array(self.files(split)[0])

    def ranges(self, split: str) -> np.ndarray:
        """Return where a split's encoded images lie, int64 ``(N, 2)``; storage ``"records"``."""
        return _load_array(self.files(split)[0])

    def labels(self, split: str) -> np.ndarray:
        """Return a split's labels, int64 ``(N,)``, from 0."""
        return _load_array(self.files(split)[1])

    def verify_digests(self) -> None:
        """Read all data and compare it with its digests.

        Raises
        ------
        UserError
            If a file's bytes are not those that were prepared.
        """
        for split, expected in self.splits.items():
            if digest_of(self.files(split)) != expected.digest:
                raise UserError(
                    f"{self.files(split)[0].parent}: the {split} split is not what was prepared "
                    f"(its digest differs); delete {self.folder / 'dataset.json'} and prepare it "
                    "again."
                )


def load_prepared(folder: str | Path) -> PreparedDataset:
    """Open a prepared dataset, checking that all its files are there and fit its description.

    Raises
    ------
    UserError
        If anything is missing, damaged, or at odds with ``dataset.json``.
    """
    folder = Path(folder)
    path = folder / "dataset.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        dataset = _from_description(folder, content)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: prepare the dataset first.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is not the description of a prepared dataset ({error!r}): "
            "delete it and prepare the dataset again."
        ) from error
    for split in dataset.splits:
        _check_split(dataset, split)
    return dataset


def write_prepared(
    folder: Path,
    *,
    name: str,
    kind: str,
    class_names: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
    splits: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> PreparedDataset:
    """Write a dataset that fits into memory: each split's images ``(N, 3, S, S)`` and labels."""
    (folder / "dataset.json").unlink(missing_ok=True)
    for split, (images, labels) in splits.items():
        save_array(folder / "arrays" / f"{split}_images.npy", images)
        save_array(folder / "arrays" / f"{split}_labels.npy", labels.astype(np.int64))
    return write_description(
        PreparedDataset(
            folder=folder,
            name=name,
            kind=kind,
            class_names=tuple(class_names),
            image_size=splits["train"][0].shape[-1],
            mean=tuple(mean),
            std=tuple(std),
            splits={split: Split(len(labels), "") for split, (_, labels) in splits.items()},
        )
    )


def write_description(dataset: PreparedDataset) -> PreparedDataset:
    """Hash the data files that are already in ``dataset.folder`` and write ``dataset.json``."""
    splits = {
        split: Split(summary.images, summary.digest or digest_of(dataset.files(split)))
        for split, summary in dataset.splits.items()
    }
    content = {
        "format": FORMAT,
        "name": dataset.name,
        "kind": dataset.kind,
        "storage": dataset.storage,
        "image_size": dataset.image_size,
        "channels": dataset.channels,
        "classes": dataset.classes,
        "mean": dataset.mean,
        "std": dataset.std,
        "measured": dataset.measured,
        "splits": {split: asdict(summary) for split, summary in splits.items()},
        "class_names": dataset.class_names,
    }
    with atomic_write(dataset.folder / "dataset.json") as stream:
        json.dump(content, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    return load_prepared(dataset.folder)


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array as a whole file or not at all."""
    with write_npy(path, array.shape[1:], array.dtype) as writer:
        writer.extend(array)


def digest_of(paths: Sequence[Path]) -> str:
    """Return the SHA-256 over the bytes of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _from_description(folder: Path, content: dict[str, Any]) -> PreparedDataset:
    if content["format"] != FORMAT or content["storage"] not in ("arrays", "records"):
        raise ValueError(f"format {content['format']!r}, storage {content['storage']!r}")
    dataset = PreparedDataset(
        folder=folder,
        name=str(content["name"]),
        kind=str(content["kind"]),
        class_names=tuple(content["class_names"]),
        image_size=int(content["image_size"]),
        mean=tuple(float(value) for value in content["mean"]),
        std=tuple(float(value) for value in content["std"]),
        splits={
            split: Split(
                int(content["splits"][split]["images"]), content["splits"][split]["digest"]
            )
            for split in SPLITS
        },
        storage=content["storage"],
        measured={key: tuple(values) for key, values in content["measured"].items()},
        channels=int(content["channels"]),
    )
    if dataset.classes != content["classes"]:
        raise ValueError(f"{content['classes']} classes, {dataset.classes} names")
    return dataset


def _check_split(dataset: PreparedDataset, split: str) -> None:
    first, second = dataset.files(split)
    data, labels = _load_array(first), _load_array(second)
    count, size = dataset.splits[split].images, dataset.image_size
    expected: tuple[type, tuple[int, ...]] = (
        (np.uint8, (count, dataset.channels, size, size))
        if dataset.storage == "arrays"
        else (np.int64, (count, 2))
    )
    for path, array, (dtype, shape) in (
        (first, data, expected),
        (second, labels, (np.int64, (count,))),
    ):
        if array.dtype != dtype or array.shape != shape:
            raise UserError(
                f"{path} holds {array.dtype} {array.shape}, but dataset.json says "
                f"{np.dtype(dtype)} {shape}: prepare the dataset again."
            )
    if count == 0 or labels.min() < 0 or labels.max() >= dataset.classes:
        raise UserError(
            f"{second} has no labels, or labels outside 0…{dataset.classes - 1}: "
            "prepare the dataset again."
        )


def _load_array(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} is missing or damaged ({error}): prepare the dataset again."
        ) from error
