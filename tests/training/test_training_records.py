"""Training on images of full size, stored as encoded records."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from runs import CPU, make_training, recipe, specification

from spatialdep.datasets.prepared import (
    PreparedDataset,
    Split,
    load_prepared,
    save_array,
    write_description,
)
from spatialdep.errors import UserError
from spatialdep.training.distributed import Ranks
from spatialdep.training.record_batches import RecordBatches

IMAGES = {"train": 20, "test": 8}
CHANGES = {"augmentation": "random_resized_crop", "batch_size": 8, "epochs": 2}


@pytest.fixture
def records(tmp_path) -> Path:
    """JPEGs of various sizes, in a file a split."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "records-data"
    (folder / "records").mkdir(parents=True)
    for split, images in IMAGES.items():
        ranges, whole = [], b""
        for i in range(images):
            stream = io.BytesIO()
            pixels = rng.integers(0, 256, (40 + i, 60 - i, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(stream, "JPEG")
            ranges.append((len(whole), len(stream.getvalue())))
            whole += stream.getvalue()
        (folder / "records" / f"{split}.bin").write_bytes(whole)
        save_array(folder / "records" / f"{split}_ranges.npy", np.array(ranges, dtype=np.int64))
        save_array(folder / "records" / f"{split}_labels.npy", np.arange(images) % 4)
    write_description(
        PreparedDataset(
            folder=folder,
            name="photographs",
            kind="photographs",
            class_names=tuple("abcd"),
            image_size=32,
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            splits={split: Split(images, "") for split, images in IMAGES.items()},
            storage="records",
        )
    )
    return folder


def _batches(folder: Path, workers: int, **changes) -> RecordBatches:
    return RecordBatches(
        load_prepared(folder), recipe(**{**CHANGES, **changes}), seed=0, device=CPU,
        dtype=torch.float32, ranks=Ranks(), workers=workers,
    )  # fmt: skip


def _same(left, right) -> bool:
    return all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)
        for a, b in zip(left, right, strict=True)
    )


def test_workers_and_interruptions_change_no_crop(records):
    whole = list(_batches(records, 0).train(1, 0))
    assert [tuple(batch.images.shape) for batch in whole] == [(8, 3, 32, 32)] * 2 + [(4, 3, 32, 32)]
    assert _same(whole, _batches(records, 2).train(1, 0))
    assert _same(whole[1:], _batches(records, 2).train(1, 1))
    assert not _same(whole, _batches(records, 0).train(2, 0))
    assert whole[0].images.is_contiguous(memory_format=torch.channels_last)


def test_without_augmentation_an_image_is_the_same_in_every_epoch(records):
    seen = [
        {
            (int(label), image.numpy().tobytes())
            for batch in _batches(records, 0, augmentation="none").train(epoch, 0)
            for image, label in zip(batch.images, batch.labels, strict=True)
        }
        for epoch in (0, 1)
    ]
    assert seen[0] == seen[1] and len(seen[0]) == 20


def test_it_trains(records, tmp_path):
    run = specification({"dataset": "photographs"}, **CHANGES)
    history = make_training(run, records, tmp_path / "checkpoints").finish().history
    assert len(history) == 2 and all(np.isfinite(row.train_loss) for row in history)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_one_sentence(records, workers):
    path = records / "records" / "train.bin"
    content = bytearray(path.read_bytes())
    first = load_prepared(records).ranges("train")[3]
    content[first[0] : first[0] + 200] = b"\0" * 200
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be used") as caught:
        list(_batches(records, workers).train(0, 0))
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)


def test_the_augmentation_of_small_images_is_refused(records):
    with pytest.raises(UserError, match="choose random_resized_crop or none"):
        _batches(records, 0, augmentation="crop_flip")
