"""The embedded dataset."""

from collections.abc import Callable

import numpy as np
from conftest import Commands
from sklearn.datasets import load_digits

from spatialdep.datasets.prepared import load_prepared


def test_digits_are_scikit_learns(commands: Callable[..., Commands]) -> None:
    run = commands({"kind": "digits"})
    run.verify()
    dataset = load_prepared(run.prepare())
    assert (dataset.classes, dataset.image_size) == (10, 32)
    assert {name: split.images for name, split in dataset.splits.items()} == {
        "train": 1497,
        "test": 300,
    }
    images = np.concatenate([dataset.images("train"), dataset.images("test")])
    labels = np.concatenate([dataset.labels("train"), dataset.labels("test")])
    small = images[:, 0, ::4, ::4]
    assert np.array_equal(images, small.repeat(4, 1).repeat(4, 2)[:, None].repeat(3, 1))
    original = load_digits()
    ours = sorted(
        (int(label), np.rint(image / 255 * 16).astype(int).tobytes())
        for label, image in zip(labels, small, strict=True)
    )
    theirs = sorted(
        (int(label), image.astype(int).tobytes())
        for label, image in zip(original.target, original.images, strict=True)
    )
    assert ours == theirs


def test_every_digit_is_in_both_splits_in_proportion(commands: Callable[..., Commands]) -> None:
    run = commands({"kind": "digits"})
    run.verify()
    dataset = load_prepared(run.prepare())
    shares = [np.bincount(dataset.labels(split)) / 1797 * 1797 for split in ("train", "test")]
    assert np.abs(shares[1] - shares[0] * 300 / 1497).max() < 1


def test_normalisation_is_the_train_splits(commands: Callable[..., Commands]) -> None:
    run = commands({"kind": "digits"})
    run.verify()
    dataset = load_prepared(run.prepare())
    train = dataset.images("train") / 255
    assert np.allclose(dataset.mean, train.mean(axis=(0, 2, 3)), rtol=0, atol=1e-12)
    assert np.allclose(dataset.std, train.std(axis=(0, 2, 3)), rtol=0, atol=1e-12)
