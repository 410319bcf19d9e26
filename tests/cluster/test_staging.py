"""Copies on a node's disk: made once, whole, verified, and made anew for other data."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spatialdep.cluster import staging
from spatialdep.cluster.staging import stage
from spatialdep.commands import stage as command
from spatialdep.datasets.prepared import load_prepared, write_prepared
from spatialdep.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def prepared(tmp_path) -> Path:
    return make(tmp_path / "shared" / "d", seed=0)


def make(folder: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
    labels = np.arange(20) % 2
    write_prepared(
        folder,
        name="d",
        kind="digits",
        class_names=["a", "b"],
        mean=[0.5] * 3,
        std=[0.25] * 3,
        splits={"train": (images, labels), "test": (images[:4], labels[:4])},
    )
    return folder


def test_copy_holds_the_same_data_and_is_made_once(prepared, tmp_path):
    first = stage(prepared, tmp_path / "scratch")
    assert first.is_relative_to(tmp_path / "scratch")
    assert np.array_equal(
        load_prepared(first).images("train"), load_prepared(prepared).images("train")
    )
    made = (first / "arrays" / "train_images.npy").stat()
    again = stage(prepared, tmp_path / "scratch")
    assert again == first
    assert (again / "arrays" / "train_images.npy").stat().st_ino == made.st_ino


def test_other_data_get_another_copy(prepared, tmp_path):
    first = stage(prepared, tmp_path / "scratch")
    other = stage(make(tmp_path / "other" / "d", seed=1), tmp_path / "scratch")
    assert other != first


def test_jobs_that_start_together_copy_once(prepared, tmp_path):
    call = [sys.executable, "-m", "spatialdep.commands.stage", "--data", str(prepared)]
    call += ["--scratch", str(tmp_path / "scratch")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    jobs = [
        subprocess.Popen(call, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    folders = {job.communicate(timeout=60)[0].strip() for job in jobs}
    assert len(folders) == 1
    load_prepared(folders.pop()).verify_digests()
    left_over = list((tmp_path / "scratch").rglob(".d-*"))
    assert not left_over


def test_altered_source_is_not_staged(prepared, tmp_path):
    path = prepared / "arrays" / "train_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="not what was prepared"):
        stage(prepared, tmp_path / "scratch")
    assert not list((tmp_path / "scratch").rglob("*.npy"))


def test_faulty_disk_is_noticed(prepared, tmp_path, monkeypatch):
    def lossy(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:-1] + b"?")

    monkeypatch.setattr(staging.shutil, "copyfile", lossy)
    with pytest.raises(UserError, match="differs from"):
        stage(prepared, tmp_path / "scratch")


def test_full_disk_is_one_sentence(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "SPARE", 1 << 60)
    with pytest.raises(UserError, match=r"free, but .* needs"):
        stage(prepared, tmp_path / "scratch")


def test_scratch_that_cannot_be_made_is_one_sentence(prepared, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="choose another scratch"):
        stage(prepared, tmp_path / "file")


def test_command_prints_the_shared_folder_without_scratch(prepared, capsys, monkeypatch):
    monkeypatch.delenv(command.VARIABLE, raising=False)
    assert command.main(["--data", str(prepared)]) == 0
    assert capsys.readouterr().out.strip() == str(prepared)
