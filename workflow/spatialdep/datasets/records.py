"""Training on full-size images, decoded and cropped by the loader's workers.

This is the one module here that imports torch.
"""

import os
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from spatialdep.datasets.decode import Decoder, UnreadableError
from spatialdep.datasets.prepared import PreparedDataset
from spatialdep.errors import UserError

# The resize before the centre crop, in the field's proportion of 256 to 224.
_RESIZE_FACTOR = 256 / 224


def train_transform(image_size: int) -> v2.Transform:
    """Return random resized crop and horizontal flip, on uint8 ``(3, H, W)``."""
    return v2.Compose([v2.RandomResizedCrop(image_size, antialias=True), v2.RandomHorizontalFlip()])


def test_transform(image_size: int) -> v2.Transform:
    """Return resize of the shorter side (to 256 for 224) and centre crop, on uint8."""
    shorter = round(image_size * _RESIZE_FACTOR)
    return v2.Compose([v2.Resize(shorter, antialias=True), v2.CenterCrop(image_size)])


class RecordsDataset(Dataset[tuple[Tensor, int]]):
    """A split of a prepared dataset with storage ``"records"``, for a ``DataLoader``.

    Parameters
    ----------
    dataset
        The prepared dataset.
    split
        ``"train"`` or ``"test"``.
    transform
        From uint8 ``(3, H, W)`` of any size to one size; by default :func:`train_transform` or
        :func:`test_transform`. Random transforms draw from torch's generator, which the loader
        seeds in each worker.

    Yields
    ------
    Images are uint8 ``(3, S, S)``, not normalised, as in storage ``"arrays"``; labels are from 0.
    """

    def __init__(
        self, dataset: PreparedDataset, split: str, transform: v2.Transform | None = None
    ) -> None:
        make = train_transform if split == "train" else test_transform
        self._transform = transform or make(dataset.image_size)
        self._path = dataset.folder / "records" / f"{split}.bin"
        self._ranges = dataset.ranges(split)
        self._labels = dataset.labels(split)
        self._reader: _Reader | None = None
        end = int((self._ranges[:, 0] + self._ranges[:, 1]).max())
        if not self._path.is_file() or self._path.stat().st_size < end:
            raise UserError(
                f"{self._path} is missing or shorter than its index says: bring the archive back, "
                "or verify and prepare the dataset again."
            )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        # Opened here, so that every worker has its own file and its own memory.
        if self._reader is None:
            self._reader = _Reader(self._path)
        offset, length = (int(number) for number in self._ranges[index])
        image = self._reader.image(offset, length)
        return self._transform(image), int(self._labels[index])

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_reader": None}


class _Reader:
    """Reads and decodes images from one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        self._decoder = Decoder()

    def image(self, offset: int, length: int) -> Tensor:
        """Return uint8 ``(3, H, W)``, valid until the next call."""
        data = os.pread(self._descriptor, length, offset)
        try:
            if len(data) != length:
                raise UnreadableError("the archive ends within it")
            return torch.from_numpy(self._decoder.rgb(data)).permute(2, 0, 1)
        except UnreadableError as error:
            raise UserError(
                f"the image at bytes {offset}…{offset + length} of {self._path.resolve()} cannot "
                f"be used: {error}; get the archive again."
            ) from error

    def __del__(self) -> None:
        os.close(self._descriptor)
