"""Of an archive only the contents count: not its time, its place, or whether it is still there."""

import io
import os
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from digest import sha256
from project import copy_project, planned, snakemake

pytestmark = pytest.mark.slow

IMAGES = {"train": 20, "test": 10}
TARGET = "results/data/cifar100/dataset.json"
SOURCE = "results/data/cifar100/sources/archive"
CHECK, PREPARE = "Check the sources of cifar100", "Prepare cifar100"
FETCH = "Bring archive of cifar100 here"


def write_archive(path: Path, seed: int) -> Path:
    """Write images of noise in the layout of CIFAR-100's python archive."""
    random = np.random.default_rng(seed)
    contents = {
        split: {
            "data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
            "fine_labels": [n % 100 for n in range(count)],
        }
        for split, count in IMAGES.items()
    }
    contents["meta"] = {"fine_label_names": [f"class {n}" for n in range(100)]}
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            data = pickle.dumps(content, 2)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def state_archive(folder: Path, archive: Path) -> None:
    """Say in the project's configuration where the archive is and what it holds."""
    path = folder / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    checksum = sha256(archive)
    entry = {"kind": "cifar100", "archive": str(archive), "checksum": checksum}
    config["datasets"]["cifar100"] = entry
    path.write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has prepared a small archive of a mirror, which lies beside it."""
    mirror = tmp_path_factory.mktemp("mirror")
    folder = copy_project(mirror / "project")
    plugin = folder / "workflow/spatialdep/datasets/cifar100.py"
    text = plugin.read_text()
    assert '{"train": 50_000, "test": 10_000}' in text
    plugin.write_text(text.replace('{"train": 50_000, "test": 10_000}', str(IMAGES)))
    state_archive(folder, write_archive(mirror / "first.tar.gz", seed=0))
    write_archive(mirror / "second.tar.gz", seed=1)
    snakemake(folder, "--cores", "1", TARGET)
    return mirror


@pytest.fixture
def mirror(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the mirror and the project, which has its own copy of the archive."""
    folder = tmp_path / "mirror"
    shutil.copytree(prepared, folder, symlinks=True)
    replace_source(folder, "first")
    return folder


def replace_source(mirror: Path, name: str) -> None:
    """Put an archive of the mirror where the project has its own, as new as can be."""
    source = mirror / "project" / SOURCE
    source.unlink()
    shutil.copyfile(mirror / f"{name}.tar.gz", source)


def test_identical_bytes_at_another_time_change_nothing(mirror: Path) -> None:
    os.utime(mirror / "project" / SOURCE, (1, 1))
    assert planned(mirror / "project", TARGET) == set()


def test_an_archive_that_is_gone_is_not_missed(mirror: Path) -> None:
    (mirror / "project" / SOURCE).unlink()
    assert planned(mirror / "project", TARGET) == set()


def test_another_place_of_the_same_archive_changes_nothing(mirror: Path) -> None:
    state_archive(mirror / "project", (mirror / "first.tar.gz").rename(mirror / "moved.tar.gz"))
    assert planned(mirror / "project", TARGET) == set()


def test_other_bytes_are_checked_and_refused_and_nothing_is_lost(mirror: Path) -> None:
    replace_source(mirror, "second")
    assert planned(mirror / "project", TARGET) == {CHECK, PREPARE}
    said = snakemake(mirror / "project", "--cores", "1", TARGET, check=False)
    assert f"error: {SOURCE} has other contents than were verified" in said
    assert "Traceback" not in said
    replace_source(mirror, "first")
    assert planned(mirror / "project", TARGET) == set()


def test_another_archive_that_is_asked_for_is_brought_and_prepared(mirror: Path) -> None:
    state_archive(mirror / "project", mirror / "second.tar.gz")
    assert planned(mirror / "project", TARGET) == {FETCH, CHECK, PREPARE}
    before = (mirror / "project" / TARGET).read_text()
    snakemake(mirror / "project", "--cores", "1", TARGET)
    assert (mirror / "project" / TARGET).read_text() != before
    assert planned(mirror / "project", TARGET) == set()


def test_a_clone_without_records_knows_the_archive_by_its_contents(mirror: Path) -> None:
    shutil.rmtree(mirror / "project/.snakemake")
    assert planned(mirror / "project", TARGET) == set()
    replace_source(mirror, "second")
    assert planned(mirror / "project", TARGET) == {CHECK, PREPARE}
    state_archive(mirror / "project", mirror / "second.tar.gz")
    assert planned(mirror / "project", TARGET) == {CHECK, PREPARE}


def test_an_edit_of_its_form_checks_and_prepares_it_again(mirror: Path) -> None:
    with (mirror / "project/workflow/spatialdep/datasets/cifar100.py").open("a") as stream:
        stream.write("EDITED = True\n")
    assert planned(mirror / "project", TARGET) == {CHECK, PREPARE}
