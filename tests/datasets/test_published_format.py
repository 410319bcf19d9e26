"""The published form of Small-ImageNet: out, in again, and hostile."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Commands
from digest import sha256
from ilsvrc_files import write_devkit

from spatialdep.commands import export_small_imagenet
from spatialdep.datasets.prepared import PreparedDataset, load_prepared, write_prepared
from spatialdep.datasets.published_format import TRAIN_FILES, VALIDATION_FILE, read_batch
from spatialdep.errors import UserError

WNIDS = ["n02119789", "n02100735", "n01440764"]
FILES = [*TRAIN_FILES, VALIDATION_FILE]


@pytest.fixture(params=[32, 64])
def dataset(tmp_path: Path, request: pytest.FixtureRequest) -> PreparedDataset:
    random, size = np.random.default_rng(0), request.param
    return write_prepared(
        tmp_path / "original",
        name="small",
        kind="test",
        class_names=WNIDS,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        splits={
            split: (
                random.integers(0, 256, (n, 3, size, size), dtype=np.uint8),
                random.integers(0, 3, n),
            )
            for split, n in (("train", 47), ("test", 12))
        },
    )


@pytest.fixture
def exported(dataset: PreparedDataset, tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    export_small_imagenet.main(["--prepared", str(dataset.folder), "--output", str(folder)])
    return folder


def test_it_is_the_form_that_other_loaders_expect(dataset: PreparedDataset, exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == sorted(FILES)
    train = dataset.images("train").reshape(47, -1)
    for name in FILES:
        content = pickle.loads((exported / name).read_bytes())
        assert content["data"].dtype == np.uint8
        assert content["data"].shape == (len(content["labels"]), 3 * dataset.image_size**2)
        assert set(content["labels"]) <= {1, 2, 3}
        if name != VALIDATION_FILE:
            assert np.allclose(content["mean"], train.mean(axis=0))
    assert np.array_equal(
        pickle.loads((exported / VALIDATION_FILE).read_bytes())["labels"],
        dataset.labels("test") + 1,
    )


def _as_sorted(images: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
    return sorted((i.tobytes(), int(n)) for i, n in zip(images, labels, strict=True))


@pytest.fixture
def published(
    tmp_path: Path, dataset: PreparedDataset, exported: Path, commands: Callable[..., Commands]
) -> Commands:
    devkit = tmp_path / "devkit.tar.gz"
    write_devkit(devkit, WNIDS, [1])
    return commands(
        {
            "kind": "small_imagenet_published",
            "image_size": dataset.image_size,
            "folder": str(exported),
            "devkit": str(devkit),
            "checksums": {
                "devkit": sha256(devkit),
                **{name: sha256(exported / name) for name in FILES},
            },
        }
    )


def test_a_round_trip_keeps_every_image_with_its_label(
    dataset: PreparedDataset, published: Commands
) -> None:
    published.fetch()
    published.verify()
    again = load_prepared(published.prepare())
    for split in ("train", "test"):
        before = _as_sorted(dataset.images(split), dataset.labels(split))
        assert _as_sorted(again.images(split), again.labels(split)) == before
        ranked = np.load(again.folder / "arrays" / f"{split}_labels_sorted_wnid.npy")
        assert [sorted(WNIDS)[n] for n in ranked] == [WNIDS[n] for n in again.labels(split)]
    assert np.array_equal(again.images("test"), dataset.images("test"))
    assert [name.split()[0] for name in again.class_names] == WNIDS


def test_an_altered_file_is_refused(published: Commands) -> None:
    published.entry["checksums"]["train_data_batch_3"] = "md5:" + "0" * 32
    published.fetch()
    with pytest.raises(UserError, match="train_data_batch_3 is not the file"):
        published.verify()


def test_published_md5s_hold_unless_others_are_stated(published: Commands) -> None:
    del published.entry["checksums"]["val_data"]
    published.fetch()
    with pytest.raises(UserError, match=r"expected (4836a1eec28c|3410e3017fda)"):
        published.verify()


class Hostile:
    def __reduce__(self) -> object:
        return (print, ("this must not run",))


GOOD = {"data": np.zeros((2, 3 * 32 * 32), np.uint8), "labels": [1, 2]}


@pytest.mark.parametrize(
    "content",
    [
        GOOD | {"data": Hostile()},
        GOOD | {"labels": [0, 1]},
        GOOD | {"labels": [1, 4]},
        GOOD | {"labels": [1]},
        GOOD | {"labels": [True, True]},
        GOOD | {"data": np.zeros((2, 3 * 64 * 64), np.uint8)},
        GOOD | {"data": np.zeros((2, 3 * 32 * 32))},
        {"labels": [1, 2]},
        [1],
    ],
)
def test_a_hostile_or_wrong_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object
) -> None:
    path = tmp_path / "train_data_batch_1"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="train_data_batch_1"):
        read_batch(path, 32, 3)
    assert "must not run" not in capsys.readouterr().out


def test_truncated(exported: Path, dataset: PreparedDataset) -> None:
    path = exported / VALIDATION_FILE
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="damaged"):
        read_batch(path, dataset.image_size, 3)


def test_two_exports_are_equal(dataset: PreparedDataset, exported: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    export_small_imagenet.main(["--prepared", str(dataset.folder), "--output", str(again)])
    assert [sha256(exported / name) for name in FILES] == [sha256(again / name) for name in FILES]
