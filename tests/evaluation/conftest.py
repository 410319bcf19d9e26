"""A small dataset of noise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from narrow import IMAGES

from spatialdep.datasets.prepared import PreparedDataset, write_prepared


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Noise in 10 classes."""
    generator = np.random.default_rng(0)
    splits = {
        split: (
            generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8),
            generator.integers(0, 10, count),
        )
        for split, count in (("train", 20), ("test", IMAGES))
    }
    folder: Path = tmp_path_factory.mktemp("data")
    return write_prepared(
        folder,
        name="noise",
        kind="digits",
        class_names=[f"class {number}" for number in range(10)],
        mean=[0.5, 0.5, 0.5],
        std=[0.25, 0.25, 0.25],
        splits=splits,
    )


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
