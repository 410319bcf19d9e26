"""Of a user's own folder of images only names and contents count, and these are noticed."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from project import copy_project, planned, snakemake

pytestmark = pytest.mark.slow

TARGET = "results/data/flowers/dataset.json"
CHECK, BUILD, JOIN = (
    "Check the sources of flowers",
    "Build shard {} of 2 of flowers",
    "Join the shards of flowers",
)
EVERYTHING = {CHECK, BUILD.format(0), BUILD.format(1), JOIN}


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has prepared a folder of images, which lies beside it."""
    garden = tmp_path_factory.mktemp("garden")
    for seed, name in enumerate(
        ("train/rose/a", "train/rose/b", "train/lily/a", "test/rose/a", "test/lily/a")
    ):
        draw(garden / "images" / f"{name}.png", seed)
    project = copy_project(garden / "project")
    path = project / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["datasets"]["flowers"] = {
        "kind": "imagefolder",
        "train": "../images/train",
        "test": "../images/test",
        "image_size": 32,
        "shards": 2,
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    snakemake(project, "--cores", "2", TARGET)
    return garden


@pytest.fixture
def garden(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "garden", symlinks=True))


def test_nothing_to_do(garden: Path) -> None:
    assert planned(garden / "project", TARGET) == set()


def test_other_times_and_hidden_files_change_nothing(garden: Path) -> None:
    for image in (garden / "images").rglob("*.png"):
        os.utime(image, (1, 1))
    (garden / "images/train/rose/.DS_Store").write_bytes(b"hidden")
    assert planned(garden / "project", TARGET) == set()


def test_a_folder_that_is_gone_is_not_missed(garden: Path) -> None:
    shutil.rmtree(garden / "images")
    assert planned(garden / "project", TARGET) == set()


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "replaced"])
def test_other_images_are_noticed_and_read(garden: Path, change: str) -> None:
    rose = garden / "images/train/rose"
    if change == "added":
        draw(rose / "c.png", 10)
    elif change == "removed":
        (rose / "b.png").unlink()
    elif change == "renamed":
        (rose / "b.png").rename(garden / "images/train/lily/b.png")
    else:
        draw(rose / "b.png", 10)
    project = garden / "project"
    assert planned(project, TARGET) == EVERYTHING
    before = (project / TARGET).read_text()
    snakemake(project, "--cores", "2", TARGET)
    assert (project / TARGET).read_text() != before
    assert planned(project, TARGET) == set()
