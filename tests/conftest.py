"""What tests of several folders need."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with real data; tests that need it are skipped where it is not named."""
    folder = os.environ.get("SPATIALDEP_TEST_DATA")
    if folder is None:
        # It is no part of the project, so a clone by itself does not have it.
        pytest.skip("SPATIALDEP_TEST_DATA does not name a folder with real data")
    return Path(folder)


@pytest.fixture(scope="session")
def samples(test_data: Path) -> list[Path]:
    """The ImageNet originals."""
    return sorted((test_data / "imagenet-samples").glob("*.JPEG"))
