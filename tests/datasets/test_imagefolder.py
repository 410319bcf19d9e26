"""A user's own folder of class folders."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Commands
from ilsvrc_files import encode, picture
from PIL import Image

from spatialdep.datasets.prepared import load_prepared
from spatialdep.errors import UserError


@pytest.fixture
def run(tmp_path: Path, commands: Callable[..., Commands]) -> Commands:
    for split, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                kind, suffix = (("JPEG", "jpg"), ("PNG", "png"))[number % 2]
                data = encode(picture(100 * label + 10 * count + number), kind)
                (folder / f"{number}.{suffix}").write_bytes(data)
            (folder / ".DS_Store").write_bytes(b"hidden")
    return commands(
        {
            "kind": "imagefolder",
            "train": str(tmp_path / "train"),
            "test": str(tmp_path / "test"),
            "image_size": 48,
        }
    )


def test_a_folder_becomes_a_dataset(run: Commands, tmp_path: Path) -> None:
    run.verify()
    dataset = load_prepared(run.build(shards=2))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels("train").tolist() == [0] * 4 + [1] * 4
    paths = [tmp_path / "test" / n / f for n in ("cat", "dog") for f in ("0.jpg", "1.png")]
    for image, path in zip(dataset.images("test"), paths, strict=True):
        expected = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
        resized = np.asarray(expected.resize((48, 48), Image.Resampling.BOX))
        assert np.array_equal(image, resized.transpose(2, 0, 1))
    train = np.asarray(dataset.images("train")) / 255
    assert np.allclose(dataset.mean, train.mean(axis=(0, 2, 3)), rtol=0, atol=1e-12)


def test_shards_more_than_classes(run: Commands) -> None:
    run.verify()
    assert load_prepared(run.build(shards=3)).splits == load_prepared(run.build(shards=1)).splits


def test_a_change_after_verification_is_refused(run: Commands, tmp_path: Path) -> None:
    run.verify()
    (tmp_path / "train" / "cat" / "more.png").write_bytes(encode(picture(1), "PNG"))
    with pytest.raises(UserError, match="have changed since they were verified"):
        run.build_shard(0, 1)


def test_different_classes_are_refused(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "test" / "bird").mkdir()
    with pytest.raises(UserError, match="only one has 'bird'"):
        run.verify()


def test_a_folder_without_classes_is_refused(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run.entry.update(train=str(tmp_path / "empty"), test=str(tmp_path / "empty"))
    with pytest.raises(UserError, match="has no class folders"):
        run.verify()
    run.entry.update(train=str(tmp_path / "none"))
    with pytest.raises(UserError, match="is not a folder"):
        run.verify()


def test_a_file_that_is_no_image_is_named(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "train" / "dog" / "notes.txt").write_text("about dogs")
    run.verify()
    with pytest.raises(UserError, match=r"dog/notes\.txt"):
        run.build_shard(0, 1)


def test_image_size_is_required(run: Commands) -> None:
    del run.entry["image_size"]
    with pytest.raises(UserError, match="image_size is missing for kind imagefolder"):
        run.verify()
