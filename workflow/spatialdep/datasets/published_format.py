"""The form in which Chrabaszcz et al. 2017 published Small-ImageNet: eleven pickled dicts.

``train_data_batch_1`` to ``_10`` and ``val_data`` hold ``data``, uint8 ``(n, 3·S·S)`` in R, G, B
planes, and ``labels``, a list that counts **from 1** in the order of map_clsloc.txt; the train
files also ``mean``, the train split's mean image ``(3·S·S,)``, 0 to 255.
"""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spatialdep.atomic import atomic_write
from spatialdep.datasets.prepared import PreparedDataset
from spatialdep.datasets.restricted_pickle import load_dict
from spatialdep.errors import UserError

TRAIN_FILES = tuple(f"train_data_batch_{number}" for number in range(1, 11))
VALIDATION_FILE = "val_data"
_ORDER_SEED = 0
_ROWS = 4096


def read_batch(path: Path, image_size: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read one file: images ``(n, 3, S, S)``, and labels int64 ``(n,)`` that count from 0.

    Memory is a small multiple of the file's size, whatever the file says.

    Raises
    ------
    UserError
        If the file is damaged, is not of this form or size, or could run code.
    """
    try:
        with path.open("rb") as stream:
            content = load_dict(stream, str(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    data, labels = content.get("data"), content.get("labels")
    if not (
        isinstance(data, np.ndarray)
        and data.dtype == np.uint8
        and data.ndim == 2
        and data.shape[1] == 3 * image_size**2
        and isinstance(labels, list)
        and len(labels) == len(data) > 0
        and all(type(label) is int and 1 <= label <= classes for label in labels)
    ):
        raise UserError(
            f"{path} does not hold images of 3×{image_size}×{image_size} bytes with labels from 1 "
            f"to {classes}: expected a file of the published set of that image_size."
        )
    return (
        data.reshape(len(data), 3, image_size, image_size),
        np.array(labels, dtype=np.int64) - 1,
    )


def write_published(dataset: PreparedDataset, folder: Path) -> list[Path]:
    """Write a prepared dataset in this form; memory is that of one file, a tenth of the set.

    Train images are shuffled, since there are loaders that take the files one by one; always in the
    same way, so the files of two exports are equal.
    """
    images, labels = dataset.images("train"), dataset.labels("train")
    mean = _mean_image(images)
    order = np.random.Generator(np.random.PCG64(_ORDER_SEED)).permutation(len(labels))
    written = []
    for name, rows in zip(TRAIN_FILES, np.array_split(order, len(TRAIN_FILES)), strict=True):
        _write(folder / name, images[rows], labels[rows], {"mean": mean})
        written.append(folder / name)
    test = np.asarray(dataset.images("test"))
    _write(folder / VALIDATION_FILE, test, np.asarray(dataset.labels("test")), {})
    return [*written, folder / VALIDATION_FILE]


def _write(path: Path, images: np.ndarray, labels: np.ndarray, more: dict[str, np.ndarray]) -> None:
    content = {
        "data": images.reshape(len(images), -1),
        "labels": [int(label) + 1 for label in labels],
        **more,
    }
    with atomic_write(path, "wb") as stream:
        # The protocol of the published files' readers, old Pythons among them.
        pickle.dump(content, stream, protocol=4)


def _mean_image(images: np.ndarray) -> np.ndarray:
    total = np.zeros(int(np.prod(images.shape[1:])), np.int64)
    for chunk in _chunks(images):
        total += chunk.reshape(len(chunk), -1).sum(axis=0, dtype=np.int64)
    return total / len(images)


def _chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(array), _ROWS):
        yield array[start : start + _ROWS]
