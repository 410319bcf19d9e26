"""CIFAR-100 from an archive: right, damaged, hostile, missing."""

import json
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Commands
from digest import sha256
from ilsvrc_files import add

from spatialdep.datasets import cifar100
from spatialdep.datasets.prepared import load_prepared
from spatialdep.errors import UserError

IMAGES = {"train": 20, "test": 10}
Contents = dict[str, Any]


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """What a small archive of the official layout holds, unpickled."""
    monkeypatch.setattr(cifar100, "_IMAGES", IMAGES)
    random = np.random.default_rng(0)
    return {
        "meta": {"fine_label_names": [f"class {n}" for n in range(100)], "coarse_label_names": []},
        **{
            split: {
                "data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
                "fine_labels": [(7 * n) % 100 for n in range(count)],
                "coarse_labels": [0] * count,
                "filenames": [f"{n}.png" for n in range(count)],
                "batch_label": "one",
            }
            for split, count in IMAGES.items()
        },
    }


def write(path: Path, contents: Contents) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            data = content if isinstance(content, bytes) else pickle.dumps(content, 2)
            add(archive, f"cifar-100-python/{name}", data)
    return path


@pytest.fixture
def run(tmp_path: Path, commands: Callable[..., Commands]) -> Callable[[Contents], Commands]:
    def of(contents: Contents) -> Commands:
        archive = write(tmp_path / "mirror.tar.gz", contents)
        return commands({"kind": "cifar100", "archive": str(archive), "checksum": sha256(archive)})

    return of


def test_images_and_labels_are_the_archives(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    steps.fetch()
    steps.verify()
    dataset = load_prepared(steps.prepare())
    assert dataset.class_names[3] == "class 3"
    for split in IMAGES:
        planes = contents[split]["data"].reshape(-1, 3, 32, 32)
        assert np.array_equal(dataset.images(split), planes)
        assert dataset.labels(split).tolist() == contents[split]["fine_labels"]


def test_a_local_archive_is_linked_and_not_copied(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    steps.entry["archive"] = Path(steps.entry["archive"]).as_uri()
    steps.fetch()
    assert (steps.folder / "sources" / "archive").is_symlink()


def test_verification_says_what_is_official(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    steps.fetch()
    steps.verify()
    members = json.loads((steps.folder / "verified.json").read_text())["details"]["members"]
    assert {name: member["official"] for name, member in members.items()} == {
        "meta": False,
        "train": False,
        "test": False,
    }


def test_a_missing_archive_is_one_sentence(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    Path(steps.entry["archive"]).unlink()
    with pytest.raises(UserError, match="does not exist: correct the path"):
        steps.fetch()


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:-9] + b"123456789"])
def test_a_damaged_archive_is_refused_by_its_checksum(
    contents: Contents, run: Callable[[Contents], Commands], damage: Callable[[bytes], bytes]
) -> None:
    steps = run(contents)
    archive = Path(steps.entry["archive"])
    archive.write_bytes(damage(archive.read_bytes()))
    steps.fetch()
    with pytest.raises(UserError, match="its sha256 is"):
        steps.verify()
    assert not (steps.folder / "verified.json").exists()


def test_an_archive_that_changed_after_verification_is_refused(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    steps.fetch()
    steps.verify()
    with Path(steps.entry["archive"]).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(UserError, match="changed since it was verified"):
        steps.prepare()
    assert not (steps.folder / "dataset.json").exists()


def test_another_time_or_place_of_the_same_archive_changes_nothing(
    contents: Contents, run: Callable[[Contents], Commands], tmp_path: Path
) -> None:
    steps = run(contents)
    steps.fetch()
    steps.verify()
    before = stamp_of(steps.prepare())
    moved = Path(steps.entry["archive"]).rename(tmp_path / "elsewhere.tar.gz")
    os.utime(moved, (0, 0))
    steps.entry["archive"] = str(moved)
    steps.fetch()
    assert stamp_of(steps.prepare()) == before


def stamp_of(folder: Path) -> tuple[Contents, Contents, dict[str, str]]:
    stamp = json.loads((folder / "stamp.json").read_text())
    outputs = {name: output["sha256"] for name, output in stamp["outputs"].items()}
    return stamp["configuration"], stamp["inputs"], outputs


def test_only_fetching_needs_a_location(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    steps.fetch()
    del steps.entry["archive"]
    steps.verify()
    assert load_prepared(steps.prepare()).splits["train"].images == 20


def test_another_checksum_needs_another_verification(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    steps = run(contents)
    steps.fetch()
    steps.verify()
    steps.entry["checksum"] = "md5:" + "0" * 32
    with pytest.raises(UserError, match="another configuration"):
        steps.prepare()


class Hostile:
    def __reduce__(self) -> Any:
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    "wrong",
    [
        ("train", "data", Hostile(), "refused"),
        ("meta", "fine_label_names", Hostile(), "refused"),
        ("train", "data", np.zeros((20, 3071), np.uint8), "does not hold 20 images"),
        ("train", "data", np.zeros((20, 3072), np.float32), "does not hold 20 images"),
        ("test", "fine_labels", [100] * 10, "does not hold 10 images"),
        ("test", "fine_labels", [0] * 9, "does not hold 10 images"),
        ("test", "fine_labels", ["0"] * 10, "does not hold 10 images"),
        ("meta", "fine_label_names", ["one"], "no list of 100"),
    ],
)
def test_wrong_contents_are_refused(
    contents: Contents,
    run: Callable[[Contents], Commands],
    capsys: pytest.CaptureFixture[str],
    wrong: tuple[str, str, object, str],
) -> None:
    part, key, value, reason = wrong
    contents[part][key] = value
    steps = run(contents)
    steps.fetch()
    steps.verify()
    with pytest.raises(UserError, match=reason):
        steps.prepare()
    assert "must not run" not in capsys.readouterr().out
    assert not (steps.folder / "dataset.json").exists()


def test_an_archive_of_something_else_is_refused(
    contents: Contents, run: Callable[[Contents], Commands]
) -> None:
    del contents["meta"]
    steps = run(contents)
    steps.fetch()
    with pytest.raises(UserError, match="has no cifar-100-python/meta"):
        steps.verify()


def test_unknown_options_are_refused(commands: Callable[..., Commands]) -> None:
    with pytest.raises(UserError, match="mirror is not an option of kind cifar100"):
        commands({"kind": "cifar100", "mirror": "x"}).verify()
    with pytest.raises(UserError, match="choose one of"):
        commands({"kind": "cifar1000"}).verify()


@pytest.mark.slow
def test_the_real_archive(test_data: Path, commands: Callable[..., Commands]) -> None:
    archive = test_data / "cifar100" / "cifar-100-python.tar.xz"
    steps = commands({"kind": "cifar100", "archive": str(archive), "checksum": sha256(archive)})
    steps.fetch()
    steps.verify()
    dataset = load_prepared(steps.prepare())
    assert [dataset.splits[split].images for split in ("train", "test")] == [50_000, 10_000]
    assert np.bincount(dataset.labels("train")).tolist() == [500] * 100
    train = np.asarray(dataset.images("train"))
    assert np.allclose(train.mean(axis=(0, 2, 3)) / 255, [0.50707516, 0.48654887, 0.44091784])
    assert dataset.class_names[:2] == ("apple", "aquarium_fish")
