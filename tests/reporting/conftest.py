"""A small project with figures of several kinds, run once through the workflow itself."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "workflow"))

from project import copy_project, snakemake
from small import SMALL


@pytest.fixture(scope="session")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a folder of its own, with everything that the small configuration shows."""
    folder = copy_project(tmp_path_factory.mktemp("reporting") / "project")
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(SMALL, sort_keys=False))
    snakemake(folder, "--cores", "2")
    return folder
