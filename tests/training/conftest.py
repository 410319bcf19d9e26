"""A tiny dataset, a tiny run, and the command in a process of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from spatialdep.datasets import digits as digits_kind
from spatialdep.datasets.entry import DatasetEntry
from spatialdep.datasets.prepared import write_prepared

sys.path.insert(0, str(Path(__file__).parent))

from forked import ForkServer

TRAIN_IMAGES, TEST_IMAGES, CLASSES = 80, 40, 4


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Noise of four classes of different brightness, 32×32."""
    rng = np.random.default_rng(0)
    splits = {}
    for split, images in (("train", TRAIN_IMAGES), ("test", TEST_IMAGES)):
        labels = np.arange(images) % CLASSES
        pixels = rng.integers(0, 128, (images, 3, 32, 32)) + 32 * labels[:, None, None, None]
        splits[split] = (pixels.astype(np.uint8), labels)
    folder = tmp_path_factory.mktemp("noise")
    write_prepared(
        folder,
        name="noise",
        kind="noise",
        class_names="abcd",
        mean=[0.4, 0.5, 0.6],
        std=[0.2, 0.25, 0.3],
        splits=splits,
    )
    return folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The real digits as the workflow prepares them."""
    folder = tmp_path_factory.mktemp("digits")
    digits_kind.prepare(DatasetEntry("digits", "digits", {}), {}, folder)
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    with ForkServer() as started:
        yield started
