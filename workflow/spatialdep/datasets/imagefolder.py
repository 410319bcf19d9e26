"""Any folder of class folders: ``train/{class}/…`` and ``test/{class}/…`` with the same classes.

Each image is resized directly to a square, with the box filter, as for Small-ImageNet. The
classes are numbered by their sorted names. Files whose name begins with a dot are passed over.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatialdep.datasets.construction import Blueprint
from spatialdep.datasets.encoded import EncodedImage
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.datasets.prepared import SPLITS
from spatialdep.errors import UserError

DECLARATION = {
    "summary": "your own images: a train and a test folder, each with a folder a class",
    "options": {
        "train": {"type": "string", "description": "folder of the train split's class folders"},
        "test": {"type": "string", "description": "folder of the test split's class folders"},
        "image_size": {
            "type": "integer",
            "minimum": 8,
            "maximum": 1024,
            "description": "side in pixels to which every image is resized",
        },
        "shards": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "default": 1,
            "description": "how many jobs build it; the result is the same for any number",
        },
        "max_unreadable": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "how many images that cannot be used may be left out",
        },
    },
    "required": ["train", "test", "image_size"],
    "image_size": "option",
    "classes": None,
    "sources": [],
    "folders": ["train", "test"],
    "built_by": "shards",
}


def sources(entry: DatasetEntry) -> dict[str, Source]:
    """Return no source: the folders are read where they are."""
    return {}


def inspect(entry: DatasetEntry, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Check the two folders; report how many classes and files they hold."""
    classes = _classes(entry)
    counts = {
        split: sum(len(list(_files(Path(entry.options[split]), name))) for name in classes)
        for split in SPLITS
    }
    return {"classes": len(classes), "files": counts}


def blueprint(entry: DatasetEntry, paths: Mapping[str, Path]) -> Blueprint:
    """Return what to build: a group is a class folder."""
    classes = _classes(entry)
    return Blueprint(
        class_names=tuple(classes),
        groups={
            split: [
                partial(_images, Path(entry.options[split]), name, label)
                for label, name in enumerate(classes)
            ]
            for split in SPLITS
        },
        image_size=entry.options["image_size"],
        max_unreadable=entry.options["max_unreadable"],
    )


def _classes(entry: DatasetEntry) -> list[str]:
    found = {}
    for split in SPLITS:
        folder = Path(entry.options[split])
        if not folder.is_dir():
            raise UserError(
                f"datasets.{entry.name}.{split}: {folder} is not a folder; expected one with a "
                "folder a class."
            )
        found[split] = sorted(path.name for path in folder.iterdir() if path.is_dir())
    odd = sorted(set(found["train"]) ^ set(found["test"]))
    if odd:
        raise UserError(
            f"datasets.{entry.name}: {entry.options['train']} and {entry.options['test']} must "
            f"have the same class folders, but only one has {odd[0]!r}."
        )
    if not found["train"]:
        raise UserError(
            f"datasets.{entry.name}: {entry.options['train']} has no class folders; expected a "
            "folder a class, with its images inside."
        )
    return found["train"]


def _files(folder: Path, name: str) -> Iterator[Path]:
    for path in sorted((folder / name).iterdir()):
        if not path.name.startswith("."):
            if not path.is_file():
                raise UserError(f"{path} is not a file: a class folder holds images alone.")
            yield path


def _images(folder: Path, name: str, label: int) -> list[EncodedImage]:
    return [
        EncodedImage(path, 0, path.stat().st_size, f"{name}/{path.name}", label)
        for path in _files(folder, name)
    ]
