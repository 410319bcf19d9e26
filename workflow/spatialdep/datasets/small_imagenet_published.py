"""Small-ImageNet as Chrabaszcz et al. 2017 published it: the ten train batches and val_data."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatialdep.datasets.checksums import Checksum
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.datasets.ilsvrc import ilsvrc_sources, read_devkit
from spatialdep.datasets.normalisation import IMAGENET_MEAN, IMAGENET_STD, PixelSums
from spatialdep.datasets.npy_writer import write_npy
from spatialdep.datasets.prepared import PreparedDataset, Split, save_array, write_description
from spatialdep.datasets.published_format import TRAIN_FILES, VALIDATION_FILE, read_batch

DECLARATION = {
    "summary": "ILSVRC-2012 downsampled to 32×32 or 64×64, in the published files that you bring",
    "options": {
        "image_size": {
            "type": "integer",
            "enum": [32, 64],
            "default": 32,
            "description": "side of the images in pixels",
        },
        "folder": {
            "type": "string",
            "location": True,
            "description": "folder or URL under which train_data_batch_1…10 and val_data are",
        },
        "devkit": {
            "type": "string",
            "default": "https://image-net.org/data/ILSVRC/2012/ILSVRC2012_devkit_t12.tar.gz",
            "location": True,
            "description": "path or URL of ILSVRC2012_devkit_t12.tar.gz, which names the classes",
        },
        "checksums": {
            "type": "object",
            "default": {},
            "additionalProperties": {"type": "string", "pattern": "^(md5|sha256):"},
            "propertyNames": {"pattern": "^(train_data_batch_([1-9]|10)|val_data|devkit)$"},
            "description": "md5:… or sha256:… of files that differ from the published ones",
        },
    },
    "required": ["folder"],
    "image_size": "option",
    "classes": 1000,
    "sources": [
        "train_data_batch_1",
        "train_data_batch_2",
        "train_data_batch_3",
        "train_data_batch_4",
        "train_data_batch_5",
        "train_data_batch_6",
        "train_data_batch_7",
        "train_data_batch_8",
        "train_data_batch_9",
        "train_data_batch_10",
        "val_data",
        "devkit",
    ],
    "built_by": "prepare",
}

_FILES = (*TRAIN_FILES, VALIDATION_FILE)
_PUBLISHED_MD5 = {
    32: (
        "dd6683a336ab645d336f7b47c67d8456",
        "b9b1f5ad237638a41e80944fc03b42af",
        "e33306a0f4234b5c5812a32845bfbd04",
        "4db6d81c460a5170a03ef03e1ddd21dd",
        "baa0f1d06099f55e5fe50d43fca4d334",
        "bba3bc6e83e0703df1ec7e277e0b6800",
        "48dd0fd4511b39d518dbabba2f5b36b7",
        "46583e44f926baaeacbf8c333dc6110f",
        "7c82c36ce028b457204f1080d1793669",
        "14e3a6ce19d584ba97208a1d9f551e63",
        "4836a1eec28cd4476eb017126cd0f059",
    ),
    64: (
        "27846dcaa50de8e21a7d1a35f30f0e91",
        "c7254a054e0e795c69120a5727050e3f",
        "4333d3df2e5ffb114b05d2ffc19b1e87",
        "1620cdf193304f4a92677b695d70d10f",
        "348b3c2fdbb3940c4e9e834affd3b18d",
        "6e765307c242a1b3d7d5ef9139b48945",
        "564926d8cbf8fc4818ba23d2faac7564",
        "f4755871f718ccb653440b9dd0ebac66",
        "bb6dd660c38c58552125b1a92f86b5d4",
        "8f03f34ac4b42271a294f91bf480f29b",
        "3410e3017fdaefba8d5073aaa65e4bd6",
    ),
}


def sources(entry: DatasetEntry) -> dict[str, Source]:
    """Return the eleven files and the devkit; checksums are the published ones unless stated."""
    stated: Mapping[str, str] = entry.options["checksums"]
    md5s = dict(zip(_FILES, _PUBLISHED_MD5[entry.options["image_size"]], strict=True))
    folder = entry.options.get("folder")
    return {
        **{
            name: Source(
                None if folder is None else f"{folder.rstrip('/')}/{name}",
                Checksum.parse(stated.get(name, f"md5:{md5s[name]}")),
            )
            for name in _FILES
        },
        **ilsvrc_sources(entry, ("devkit",), also_stated=_FILES),
    }


def inspect(entry: DatasetEntry, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Read the devkit; the files themselves are looked into when they are prepared."""
    return {"classes": len(read_devkit(paths["devkit"]).wnids)}


def prepare(entry: DatasetEntry, paths: Mapping[str, Path], folder: Path) -> None:
    """Write arrays in the files' order, with labels in both orders; memory is that of one file."""
    (folder / "dataset.json").unlink(missing_ok=True)
    devkit = read_devkit(paths["devkit"])
    size: int = entry.options["image_size"]
    files = {"train": [paths[name] for name in TRAIN_FILES], "test": [paths[VALIDATION_FILE]]}
    counts, sums = {}, PixelSums()
    for split, parts in files.items():
        labels, of_split = _copy(parts, split, folder / "arrays", size, len(devkit.wnids))
        ranks = np.array(devkit.sorted_ranks)[labels]
        save_array(folder / "arrays" / f"{split}_labels_sorted_wnid.npy", ranks)
        counts[split] = Split(len(labels), "")
        sums = of_split if split == "train" else sums
    mean, std = sums.mean_and_std()
    write_description(
        PreparedDataset(
            folder=folder,
            name=entry.name,
            kind=entry.kind,
            class_names=devkit.class_names,
            image_size=size,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            measured={"mean": mean, "std": std},
            splits=counts,
        )
    )


def _copy(
    parts: Iterable[Path], split: str, folder: Path, size: int, classes: int
) -> tuple[np.ndarray, PixelSums]:
    """Write one split's images and labels, file after file; return the labels and pixel sums."""
    all_labels, sums = [], PixelSums()
    with (
        write_npy(folder / f"{split}_images.npy", (3, size, size), np.uint8) as image_file,
        write_npy(folder / f"{split}_labels.npy", (), np.int64) as label_file,
    ):
        for part in parts:
            images, labels = read_batch(part, size, classes)
            image_file.extend(images)
            label_file.extend(labels)
            sums += PixelSums.of(images)
            all_labels.append(labels)
    return np.concatenate(all_labels), sums
