"""ILSVRC-2012 at full size, read where it lies: in the archives that the user brings.

Neither archive is compressed, so each JPEG is a range of bytes in it, and an index of those ranges
is all that training needs: nothing is unpacked, nothing copied, and any image is one read away.
Labels are in the order of the sorted wnids, as torchvision's.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spatialdep.datasets import ilsvrc
from spatialdep.datasets.download import link
from spatialdep.datasets.encoded import EncodedImage
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.datasets.normalisation import IMAGENET_MEAN, IMAGENET_STD
from spatialdep.datasets.npy_writer import write_npy
from spatialdep.datasets.prepared import PreparedDataset, Split, write_description

DECLARATION = {
    "summary": "ILSVRC-2012, 1,281,167 train and 50,000 test images, from the originals you bring",
    "options": {
        "image_size": {
            "type": "integer",
            "minimum": 64,
            "maximum": 448,
            "default": 224,
            "description": "side in pixels of the crops that are trained and tested on",
        },
        "train": {
            "type": "string",
            "location": True,
            "description": "path or URL of ILSVRC2012_img_train.tar",
        },
        "validation": {
            "type": "string",
            "location": True,
            "description": "path or URL of ILSVRC2012_img_val.tar",
        },
        "devkit": {
            "type": "string",
            "default": "https://image-net.org/data/ILSVRC/2012/ILSVRC2012_devkit_t12.tar.gz",
            "location": True,
            "description": "path or URL of ILSVRC2012_devkit_t12.tar.gz",
        },
        "checksums": {
            "type": "object",
            "default": {},
            "additionalProperties": {"type": "string", "pattern": "^(md5|sha256):"},
            "propertyNames": {"enum": ["train", "validation", "devkit"]},
            "description": "md5:… or sha256:… of files that differ from the official ones",
        },
    },
    "required": ["train", "validation"],
    "image_size": "option",
    "classes": 1000,
    "sources": ["train", "validation", "devkit"],
    "built_by": "prepare",
}

_SOURCES = ("train", "validation", "devkit")


def sources(entry: DatasetEntry) -> dict[str, Source]:
    """Return the three files of ILSVRC-2012."""
    return ilsvrc.ilsvrc_sources(entry, _SOURCES)


def inspect(entry: DatasetEntry, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Check that the three files belong together."""
    return ilsvrc.inspect_ilsvrc(paths)


def prepare(entry: DatasetEntry, paths: Mapping[str, Path], folder: Path) -> None:
    """Write the index of both archives, and a link to each beside its index."""
    (folder / "dataset.json").unlink(missing_ok=True)
    devkit = ilsvrc.read_devkit(paths["devkit"])
    ranks = devkit.sorted_ranks
    extents = ilsvrc.class_archives(paths["train"])
    train = (
        image
        for rank, (wnid, extent) in enumerate(tqdm(extents.items(), desc="classes", mininterval=1))
        for image in ilsvrc.class_images(paths["train"], wnid, extent, rank)
    )
    validation = ilsvrc.validation_images(paths["validation"], devkit)
    counts = {
        "train": _write_index(train, paths["train"], "train", folder / "records", None),
        "test": _write_index(validation, paths["validation"], "test", folder / "records", ranks),
    }
    wnids = sorted(zip(devkit.wnids, devkit.class_names, strict=True))
    write_description(
        PreparedDataset(
            folder=folder,
            name=entry.name,
            kind=entry.kind,
            class_names=tuple(name for _, name in wnids),
            image_size=entry.options["image_size"],
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            splits={split: Split(count, "") for split, count in counts.items()},
            storage="records",
        )
    )


def _write_index(
    images: Iterable[EncodedImage],
    archive: Path,
    split: str,
    folder: Path,
    ranks: tuple[int, ...] | None,
) -> int:
    """Write where images are and their labels, renumbered by ``ranks``; return how many."""
    with (
        write_npy(folder / f"{split}_ranges.npy", (2,), np.int64) as ranges,
        write_npy(folder / f"{split}_labels.npy", (), np.int64) as labels,
    ):
        for image in images:
            ranges.append(np.array([image.offset, image.length]))
            labels.append(image.label if ranks is None else ranks[image.label])
    link(archive, folder / f"{split}.bin")
    return ranges.rows
