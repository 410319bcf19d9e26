"""Scikit-learn's handwritten digits: 1,797 real images that need no download.

They come as 8×8 with 17 grey levels, from the test set of UCI's *Optical Recognition of
Handwritten Digits*. VGG halves its input five times, so each pixel becomes a block of 4×4: nothing
is interpolated, and the original can be read off the result. Grey is repeated in three channels.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from spatialdep.datasets.entry import DatasetEntry, Source
from spatialdep.datasets.normalisation import channel_statistics
from spatialdep.datasets.prepared import write_prepared

DECLARATION = {
    "summary": "scikit-learn's 1,797 handwritten digits, 8×8 enlarged to 32×32; no download",
    "options": {},
    "required": [],
    "image_size": 32,
    "classes": 10,
    "sources": [],
    "built_by": "prepare",
}

_BLOCK = 4
_BRIGHTEST = 16
_TEST_IMAGES = 300
_SPLIT_SEED = 0


def sources(entry: DatasetEntry) -> dict[str, Source]:
    """Return no source: the images are inside scikit-learn's wheel."""
    return {}


def inspect(entry: DatasetEntry, paths: Mapping[str, Path]) -> dict[str, Any]:
    """Return nothing to report."""
    return {}


def prepare(entry: DatasetEntry, paths: Mapping[str, Path], folder: Path) -> None:
    """Write 1,497 train and 300 test images, every digit in both in the same proportion."""
    bunch = load_digits()
    small = np.rint(bunch.images * (255 / _BRIGHTEST)).astype(np.uint8)
    large = small.repeat(_BLOCK, axis=1).repeat(_BLOCK, axis=2)
    images = np.repeat(large[:, np.newaxis], 3, axis=1)
    train, test = train_test_split(
        np.arange(len(images)),
        test_size=_TEST_IMAGES,
        stratify=bunch.target,
        random_state=_SPLIT_SEED,
    )
    mean, std = channel_statistics(images[train])
    write_prepared(
        folder,
        name=entry.name,
        kind=entry.kind,
        class_names=[str(digit) for digit in bunch.target_names],
        mean=mean,
        std=std,
        splits={
            "train": (images[train], bunch.target[train]),
            "test": (images[test], bunch.target[test]),
        },
    )
