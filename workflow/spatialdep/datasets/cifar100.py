"""CIFAR-100 (Krizhevsky 2009) from its python archive: the official one, or a mirror of it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatialdep.datasets.archives import Limits, checked_members, open_tar, read_member
from spatialdep.datasets.checksums import Checksum
from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.datasets.prepared import write_prepared
from spatialdep.datasets.restricted_pickle import loads_dict
from spatialdep.errors import UserError

DECLARATION = {
    "summary": "CIFAR-100: 50,000 train and 10,000 test images of 100 classes, 32×32",
    "options": {
        "archive": {
            "type": "string",
            "default": "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            "location": True,
            "description": "path or URL of the python archive, the official one or a mirror",
        },
        "checksum": {
            "type": "string",
            "pattern": "^(md5:[0-9a-fA-F]{32}|sha256:[0-9a-fA-F]{64})$",
            "default": "md5:eb9058c3a382ffc7106e4002c42a8d85",
            "description": "md5:… or sha256:… of the archive; the default is the official one's",
        },
    },
    "required": [],
    "image_size": 32,
    "classes": 100,
    "sources": ["archive"],
    "built_by": "prepare",
}

_FOLDER = "cifar-100-python"
_IMAGES = {"train": 50_000, "test": 10_000}
_SIZE = 32
_OFFICIAL_MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
# Not of this archive, to three digits, but what the field and the paper's authors normalise with.
_MEAN = (0.4914, 0.4822, 0.4465)
_STD = (0.2023, 0.1994, 0.2010)
# The official archive has 5 members; train, the largest, is 155 MB.
_LIMITS = Limits(members=64, member_bytes=400_000_000, total_bytes=600_000_000)


def sources(entry: DatasetEntry) -> dict[str, Source]:
    """Return the one archive."""
    checksum = Checksum.parse(entry.options["checksum"])
    return {"archive": Source(entry.options.get("archive"), checksum)}


def inspect(entry: DatasetEntry, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Check the archive's members and report which are byte for byte the official ones."""
    members = _read(paths["archive"])
    return {
        "members": {
            name: {
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "official": hashlib.md5(data, usedforsecurity=False).hexdigest()
                == _OFFICIAL_MD5[name],
            }
            for name, data in members.items()
        }
    }


def prepare(entry: DatasetEntry, paths: Mapping[str, Path], folder: Path) -> None:
    """Write the archive's images and fine labels as arrays, in the archive's order."""
    path = paths["archive"]
    members = _read(path)
    class_names = loads_dict(members["meta"], f"meta in {path}").get("fine_label_names")
    if not (
        isinstance(class_names, list)
        and len(class_names) == 100
        and all(isinstance(name, str) for name in class_names)
    ):
        raise UserError(
            f"meta in {path} has no list of 100 fine_label_names: "
            "this is not CIFAR-100's python archive."
        )
    write_prepared(
        folder,
        name=entry.name,
        kind=entry.kind,
        class_names=class_names,
        mean=_MEAN,
        std=_STD,
        splits={split: _arrays(members[split], split, path) for split in _IMAGES},
    )


def _read(path: Path) -> dict[str, bytes]:
    """Return the contents of the three pickles; other members are checked and passed over."""
    wanted = {f"{_FOLDER}/{name}": name for name in _OFFICIAL_MD5}
    found = {}
    with open_tar(path) as archive:
        for member in checked_members(archive, path, _LIMITS):
            if member.name in wanted:
                found[wanted[member.name]] = read_member(archive, member)
    missing = set(_OFFICIAL_MD5) - set(found)
    if missing:
        raise UserError(
            f"{path} has no {', '.join(f'{_FOLDER}/{name}' for name in sorted(missing))}: "
            "expected CIFAR-100's python archive."
        )
    return found


def _arrays(pickled: bytes, split: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images ``(N, 3, 32, 32)`` and labels ``(N,)``, checked."""
    content = loads_dict(pickled, f"{split} in {path}")
    data, fine = content.get("data"), content.get("fine_labels")
    count = _IMAGES[split]
    if not (
        isinstance(data, np.ndarray)
        and data.dtype == np.uint8
        and data.shape == (count, 3 * _SIZE * _SIZE)
        and isinstance(fine, list)
        and len(fine) == count
        and all(isinstance(label, int) and 0 <= label < 100 for label in fine)
    ):
        raise UserError(
            f"{split} in {path} does not hold {count} images of 3×{_SIZE}×{_SIZE} bytes with "
            "fine_labels from 0 to 99: this is not CIFAR-100's python archive."
        )
    return data.reshape(count, 3, _SIZE, _SIZE), np.array(fine, dtype=np.int64)
