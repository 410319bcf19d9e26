"""A prepared dataset is opened whole or refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spatialdep.datasets.prepared import PreparedDataset, load_prepared, write_prepared
from spatialdep.errors import UserError


@pytest.fixture
def dataset(tmp_path: Path) -> PreparedDataset:
    random = np.random.default_rng(0)
    return write_prepared(
        tmp_path,
        name="tiny",
        kind="test",
        class_names=["a", "b"],
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        splits={
            split: (random.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8), np.arange(n) % 2)
            for split, n in (("train", 6), ("test", 4))
        },
    )


def test_what_is_written_is_read(dataset: PreparedDataset) -> None:
    again = load_prepared(dataset.folder)
    assert again == dataset
    assert again.images("train").shape == (6, 3, 8, 8)
    assert again.labels("test").tolist() == [0, 1, 0, 1]
    again.verify_digests()


def _remove_labels(folder: Path) -> None:
    (folder / "arrays" / "test_labels.npy").unlink()


def _truncate_images(folder: Path) -> None:
    path = folder / "arrays" / "train_images.npy"
    path.write_bytes(path.read_bytes()[:-10])


def _other_shape(folder: Path) -> None:
    np.save(folder / "arrays" / "train_images.npy", np.zeros((6, 3, 9, 9), np.uint8))


def _label_out_of_range(folder: Path) -> None:
    np.save(folder / "arrays" / "train_labels.npy", np.full(6, 2))


def _pickled_array(folder: Path) -> None:
    np.save(folder / "arrays" / "train_labels.npy", np.array([None] * 6), allow_pickle=True)


def _no_json(folder: Path) -> None:
    (folder / "dataset.json").write_text("{")


def _without_mean(folder: Path) -> None:
    content = json.loads((folder / "dataset.json").read_text())
    del content["mean"]
    (folder / "dataset.json").write_text(json.dumps(content))


def _no_description(folder: Path) -> None:
    (folder / "dataset.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _remove_labels,
        _truncate_images,
        _other_shape,
        _label_out_of_range,
        _pickled_array,
        _no_json,
        _without_mean,
        _no_description,
    ],
)
def test_damage_is_refused(dataset: PreparedDataset, damage: Callable[[Path], None]) -> None:
    damage(dataset.folder)
    with pytest.raises(UserError, match="prepare the dataset"):
        load_prepared(dataset.folder)


def test_a_changed_pixel_is_found_by_its_digest(dataset: PreparedDataset) -> None:
    path = dataset.folder / "arrays" / "train_images.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="train split"):
        load_prepared(dataset.folder).verify_digests()
