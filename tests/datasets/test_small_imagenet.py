"""Small-ImageNet from archives laid out as the originals are."""

import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Commands
from digest import sha256
from ilsvrc_files import encode, picture, write_devkit, write_train, write_validation
from PIL import Image

from spatialdep.datasets.prepared import PreparedDataset, load_prepared
from spatialdep.errors import UserError
from spatialdep.plugins import PACKAGE

# In the order of their IDs, which is not their sorted order.
WNIDS = ["n02119789", "n02100735", "n01440764", "n03255030", "n01443537"]
TRUTH = [5, 1, 1, 2, 3, 4, 5]

Classes = dict[str, dict[str, bytes]]
Build = Callable[..., Commands]


@pytest.fixture
def classes() -> Classes:
    """Between one and five images a class."""
    return {
        wnid: {
            f"{wnid}_{number}.JPEG": encode(picture(10 * position + number))
            for number in range(1 + position)
        }
        for position, wnid in enumerate(WNIDS)
    }


@pytest.fixture
def validation() -> list[bytes]:
    return [encode(picture(100 + number)) for number in range(len(TRUTH))]


@pytest.fixture
def originals(tmp_path: Path, commands: Callable[..., Commands]) -> Build:
    """Write the three archives, and fetch and verify them."""

    def write(classes: Classes, validation: list[bytes], **options: object) -> Commands:
        paths = {name: tmp_path / f"{name}.tar" for name in ("train", "validation", "devkit")}
        write_train(paths["train"], classes)
        write_validation(paths["validation"], validation)
        write_devkit(paths["devkit"], WNIDS, TRUTH)
        entry = {
            "kind": "small_imagenet",
            **{name: str(path) for name, path in paths.items()},
            "checksums": {name: sha256(path) for name, path in paths.items()},
        }
        steps = commands({**entry, **options})
        steps.fetch()
        steps.verify()
        return steps

    return write


def expected_pixels(data: bytes, size: int = 32) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BOX)).transpose(2, 0, 1)


def in_order(classes: Classes) -> list[tuple[str, str, bytes]]:
    return [(w, name, data) for w in sorted(classes) for name, data in classes[w].items()]


def manifest(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / "manifest.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def digests(folder: Path) -> dict[str, str]:
    files = ["dataset.json", "manifest.csv.gz", *(f"arrays/{p.name}" for p in arrays(folder))]
    return {name: sha256(folder / name) for name in files}


def arrays(folder: Path) -> list[Path]:
    return sorted((folder / "arrays").iterdir())


@pytest.mark.parametrize("size", [32, 64])
def test_pixels_and_labels(
    originals: Build, classes: Classes, validation: list[bytes], size: int
) -> None:
    folder = originals(classes, validation, image_size=size).build()
    dataset = load_prepared(folder)
    images = in_order(classes)
    pixels = np.stack([expected_pixels(data, size) for _, _, data in images])
    assert np.array_equal(dataset.images("train"), pixels)
    assert np.array_equal(
        dataset.images("test"), np.stack([expected_pixels(data, size) for data in validation])
    )
    # The order of map_clsloc.txt, from 0 …
    assert dataset.labels("train").tolist() == [WNIDS.index(wnid) for wnid, _, _ in images]
    assert dataset.labels("test").tolist() == [number - 1 for number in TRUTH]
    assert [name.split()[0] for name in dataset.class_names] == WNIDS
    # … and that of the sorted wnids.
    ranked = np.load(folder / "arrays" / "train_labels_sorted_wnid.npy")
    assert ranked.tolist() == [sorted(WNIDS).index(wnid) for wnid, _, _ in images]
    ranked = np.load(folder / "arrays" / "test_labels_sorted_wnid.npy")
    assert ranked.tolist() == [sorted(WNIDS).index(WNIDS[number - 1]) for number in TRUTH]
    train = np.asarray(dataset.images("train")) / 255
    assert np.allclose(dataset.measured["mean"], train.mean(axis=(0, 2, 3)), rtol=0, atol=1e-12)
    assert np.allclose(dataset.measured["std"], train.std(axis=(0, 2, 3)), rtol=0, atol=1e-12)
    assert dataset.mean == (0.485, 0.456, 0.406)


def test_the_manifest_names_every_source_file(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    rows = manifest(originals(classes, validation).build(shards=2))
    images = in_order(classes)
    assert [row["file"] for row in rows[: len(images)]] == [
        f"{wnid}.tar/{name}" for wnid, name, _ in images
    ]
    assert [int(row["index"]) for row in rows] == [*range(len(images)), *range(len(validation))]
    assert rows[0]["class"].startswith(images[0][0])
    assert rows[-1]["file"] == "ILSVRC2012_val_00000007.JPEG"


def test_any_number_of_shards_and_workers_gives_the_same(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    steps = originals(classes, validation)
    results = [
        digests(steps.build(shards, workers))
        for shards, workers in ((1, 1), (3, 1), (7, 1), (2, 2))
    ]
    assert len(results[0]) == 8
    assert all(result == results[0] for result in results)


def test_the_samples_from_archives_are_pillows(
    originals: Build, samples: list[Path], validation: list[bytes]
) -> None:
    """The real images through the whole path, in as many shards as do not divide them."""
    shares = np.array_split(np.array(samples, dtype=object), len(WNIDS))
    classes = {
        wnid: {path.name: path.read_bytes() for path in share}
        for wnid, share in zip(WNIDS, shares, strict=True)
    }
    steps = originals(classes, validation)
    dataset = load_prepared(steps.build(shards=3))
    pixels = np.stack([expected_pixels(data) for _, _, data in in_order(classes)])
    assert len(pixels) == 250
    assert np.array_equal(dataset.images("train"), pixels)


ODD = {"empty": b"", "cut": encode(picture(1))[:-50], "text": b"not an image"}


@pytest.mark.parametrize("kind", ODD)
def test_an_unreadable_image_stops_the_build_and_is_named(
    originals: Build, classes: Classes, validation: list[bytes], kind: str
) -> None:
    classes[WNIDS[1]]["odd.JPEG"] = ODD[kind]
    steps = originals(classes, validation)
    with pytest.raises(UserError, match=rf"{WNIDS[1]}.tar/odd.JPEG in .*train.*max_unreadable"):
        steps.build_shard(0, 1)
    left = sorted(path.name for path in steps.shard_folder(0, 1).iterdir())
    assert left == [], "nothing half-built"
    with pytest.raises(UserError, match=r"0-of-1.*is missing"):
        steps.join(1)


def test_a_stated_number_may_be_left_out_and_is_listed(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    classes[WNIDS[1]]["odd.JPEG"] = b""
    validation[2] = b"text"
    folder = originals(classes, validation, max_unreadable=2).build(shards=3)
    dataset = load_prepared(folder)
    whole = sum(len(files) for files in classes.values())
    assert dataset.splits["train"].images == whole - 1
    assert dataset.labels("test").tolist() == [4, 0, 1, 2, 3, 4]
    skipped = {row["file"]: row["skipped"] for row in manifest(folder) if row["index"] == ""}
    assert skipped == {
        f"{WNIDS[1]}.tar/odd.JPEG": "it is empty",
        "ILSVRC2012_val_00000003.JPEG": "cannot identify image file",
    }


def test_the_number_left_out_is_counted_over_all_shards(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    for wnid in WNIDS[:2]:
        classes[wnid]["odd.JPEG"] = b""
    steps = originals(classes, validation, max_unreadable=1)
    for shard in range(5):
        steps.build_shard(shard, 5)
    with pytest.raises(UserError, match="2 images in all shards"):
        steps.join(5)


def test_an_altered_shard_is_refused(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    steps = originals(classes, validation)
    steps.build_shard(0, 1)
    path = steps.shard_folder(0, 1) / "train_images.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="was altered"):
        steps.join(1)


def test_shards_of_another_division_are_refused(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    steps = originals(classes, validation)
    for shard in range(2):
        steps.build_shard(shard, 2)
    steps.shard_folder(0, 2).rename(steps.folder / "aside")
    steps.shard_folder(1, 2).rename(steps.shard_folder(0, 2))
    (steps.folder / "aside").rename(steps.shard_folder(1, 2))
    with pytest.raises(UserError, match="is shard 1 of 2, expected shard 0 of 2"):
        steps.join(2)


def start(steps: Commands, shard: int, shards: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "spatialdep.commands.build_shard"]
    return subprocess.Popen(
        [*command, *steps.shard_arguments(shard, shards)],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        stderr=subprocess.DEVNULL,
    )


def test_a_build_killed_anywhere_goes_on_from_its_finished_shards(
    originals: Build, validation: list[bytes]
) -> None:
    large = encode(picture(1, 2000, 2000))
    classes = {wnid: {f"{wnid}_{number}.JPEG": large for number in range(40)} for wnid in WNIDS}
    steps = originals(classes, validation)
    assert start(steps, 0, 3).wait() == 0
    finished = (steps.shard_folder(0, 3) / "shard.json").stat().st_mtime_ns

    process = start(steps, 1, 3)
    folder = steps.shard_folder(1, 3)
    deadline = time.monotonic() + 60
    while not list(folder.glob(".train_images.npy.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not [path for path in folder.iterdir() if not path.name.startswith(".")]
    with pytest.raises(UserError, match=r"1-of-3.*is missing"):
        steps.join(3)

    assert start(steps, 1, 3).wait() == 0
    assert not list(folder.glob(".*")), "what the killed process left is gone"
    assert start(steps, 2, 3).wait() == 0
    assert (steps.shard_folder(0, 3) / "shard.json").stat().st_mtime_ns == finished
    assert digests(steps.join(3)) == digests(steps.build(1))


def test_a_wrong_checksum_is_refused(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    steps = originals(classes, validation)
    steps.entry["checksums"] = {**steps.entry["checksums"], "train": "md5:" + "0" * 32}
    with pytest.raises(UserError, match="train is not the file that was asked for: its md5"):
        steps.verify()


def test_the_official_size_is_asked_before_the_official_checksum(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    steps = originals(classes, validation)
    del steps.entry["checksums"]["train"]
    with pytest.raises(UserError, match="expected 147897477120"):
        steps.verify()


def _without_a_class(classes: Classes, validation: list[bytes]) -> None:
    del classes[WNIDS[2]]


def _with_a_class_more(classes: Classes, validation: list[bytes]) -> None:
    classes["n99999999"] = {"a.JPEG": encode(picture(1))}


def _without_an_image(classes: Classes, validation: list[bytes]) -> None:
    validation.pop()


def _with_an_image_more(classes: Classes, validation: list[bytes]) -> None:
    validation.append(encode(picture(1)))


@pytest.mark.parametrize(
    "change, reason",
    [
        (_without_a_class, f"4 classes, the devkit 5; they differ in {WNIDS[2]}"),
        (_with_a_class_more, "they differ in n99999999"),
        (_without_an_image, "holds 6 images, but the devkit has labels for 7"),
        (_with_an_image_more, "holds 'ILSVRC2012_val_00000008.JPEG'"),
    ],
)
def test_archives_that_do_not_belong_together_are_refused(
    originals: Build,
    classes: Classes,
    validation: list[bytes],
    change: Callable[[Classes, list[bytes]], None],
    reason: str,
) -> None:
    change(classes, validation)
    with pytest.raises(UserError, match=reason):
        originals(classes, validation)


def test_a_truncated_train_archive_is_refused(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    steps = originals(classes, validation)
    archive = Path(steps.entry["train"])
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 3])
    steps.entry["checksums"]["train"] = sha256(archive)
    with pytest.raises(UserError, match=r"truncated|differ in"):
        steps.verify()


def test_a_dataset_trains_as_arrays_do(
    originals: Build, classes: Classes, validation: list[bytes]
) -> None:
    dataset: PreparedDataset = load_prepared(originals(classes, validation).build())
    dataset.verify_digests()
    assert dataset.images("train").flags.c_contiguous
    assert isinstance(dataset.images("train"), np.memmap)
