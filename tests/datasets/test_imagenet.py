"""ImageNet at full size, trained on where it lies."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Commands
from digest import sha256
from ilsvrc_files import encode, picture, write_devkit, write_train, write_validation
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from spatialdep.datasets.prepared import load_prepared
from spatialdep.datasets.records import RecordsDataset
from spatialdep.datasets.records import test_transform as for_testing
from spatialdep.errors import UserError

WNIDS = ["n02119789", "n01440764", "n03255030"]
TRUTH = [3, 1, 2, 2]
CLASSES = {
    wnid: {f"{wnid}_{n}.JPEG": encode(picture(10 * p + n, 90 + n, 120)) for n in range(2 + p)}
    for p, wnid in enumerate(WNIDS)
}
VALIDATION = [
    encode(picture(50)),
    encode(picture(51).convert("CMYK")),
    encode(picture(52, channels=1)),
    encode(picture(53), "PNG"),
]


@pytest.fixture
def prepared(tmp_path: Path, commands: Callable[..., Commands]) -> Path:
    paths = {name: tmp_path / f"{name}.tar" for name in ("train", "validation", "devkit")}
    write_train(paths["train"], CLASSES)
    write_validation(paths["validation"], VALIDATION)
    write_devkit(paths["devkit"], WNIDS, TRUTH)
    steps = commands(
        {
            "kind": "imagenet",
            "image_size": 64,
            **{name: str(path) for name, path in paths.items()},
            "checksums": {name: sha256(path) for name, path in paths.items()},
        }
    )
    steps.fetch()
    steps.verify()
    return steps.prepare()


class Keep(v2.Transform):
    """A transform that changes nothing."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return inputs[0].clone()


def test_every_image_is_found_in_its_archive(prepared: Path) -> None:
    dataset = RecordsDataset(load_prepared(prepared), "train", Keep())
    expected = [(w, data) for w in sorted(WNIDS) for data in CLASSES[w].values()]
    assert len(dataset) == len(expected)
    for (image, label), (wnid, data) in zip(
        (dataset[index] for index in range(len(dataset))), expected, strict=True
    ):
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert np.array_equal(image.permute(1, 2, 0), pixels)
        assert sorted(WNIDS)[label] == wnid


def test_odd_validation_images_and_their_labels(prepared: Path) -> None:
    dataset = RecordsDataset(load_prepared(prepared), "test", Keep())
    for index, data in enumerate(VALIDATION):
        image, label = dataset[index]
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert np.array_equal(image.permute(1, 2, 0), pixels)
        assert sorted(WNIDS)[label] == WNIDS[TRUTH[index] - 1]


def test_nothing_was_copied(prepared: Path) -> None:
    assert (prepared / "records" / "train.bin").is_symlink()
    own = [path for path in prepared.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in own) < 40_000


def test_the_test_transform_is_the_fields(prepared: Path) -> None:
    image = torch.from_numpy(np.array(picture(3, 300, 400))).permute(2, 0, 1)
    shorter = v2.functional.resize(image, [256], antialias=True)
    assert torch.equal(for_testing(224)(image), v2.functional.center_crop(shorter, [224]))


def test_a_loader_with_workers_gives_batches_that_a_seed_repeats(prepared: Path) -> None:
    dataset = RecordsDataset(load_prepared(prepared), "train")

    def epoch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        loader = DataLoader(dataset, 9, shuffle=True, num_workers=2, generator=generator)
        return next(iter(loader))

    images, labels = epoch(0)
    assert images.shape == (9, 3, 64, 64)
    assert images.dtype == torch.uint8
    assert torch.equal(epoch(0)[0], images)
    assert sorted(labels.tolist()) == sorted(load_prepared(prepared).labels("train"))
    assert not torch.equal(epoch(1)[0], images)


def test_a_network_learns_from_it(prepared: Path) -> None:
    """A short training of the whole path: archive, index, loader, gradient."""
    dataset = RecordsDataset(load_prepared(prepared), "train", for_testing(64))
    images, labels = next(iter(DataLoader(dataset, len(dataset))))
    inputs = (images.float() / 255 - 0.45).flatten(1)
    torch.manual_seed(0)
    network = torch.nn.Linear(inputs.shape[1], 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_an_archive_that_was_taken_away_is_one_sentence(prepared: Path) -> None:
    (prepared / "records" / "train.bin").resolve().unlink()
    with pytest.raises(UserError, match="bring the archive back"):
        RecordsDataset(load_prepared(prepared), "train")


def test_a_damaged_image_is_named_by_its_place(prepared: Path) -> None:
    dataset = load_prepared(prepared)
    offset, length = dataset.ranges("train")[4]
    with (prepared / "records" / "train.bin").resolve().open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\0" * 64)
    records = RecordsDataset(dataset, "train")
    records[3]
    with pytest.raises(UserError, match=f"bytes {offset}…{offset + length} of .*train.tar"):
        records[4]
