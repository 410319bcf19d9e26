"""Batches of a dataset that fits into the device's memory, made there by a few tensor lines."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from spatialdep.datasets.prepared import PreparedDataset
from spatialdep.errors import UserError
from spatialdep.specification.run import Recipe
from spatialdep.training.augmentation import crop_flip, draw_crop_flip
from spatialdep.training.batches import Batch, Normaliser, number_of_steps
from spatialdep.training.distributed import Ranks
from spatialdep.training.random_streams import stream

# Batches made at once on a GPU, so that making them costs few kernels a step. A CPU has better use
# for its caches.
AHEAD_ON_GPU = 64


class ArrayBatches:
    """All images as uint8 on the device; implements :class:`~spatialdep.training.batches.Batches`.

    Raises
    ------
    UserError
        If the recipe's augmentation is none for stored images of one size.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        ranks: Ranks,
    ) -> None:
        if recipe.augmentation not in ("none", "crop_flip"):
            raise UserError(
                f"augmentation {recipe.augmentation} is for images of full size, and those of "
                f"{dataset.name} have {dataset.image_size} pixels: choose crop_flip or none."
            )
        self._recipe, self._seed, self._device, self._ranks = recipe, seed, device, ranks
        self._normalise = Normaliser(dataset, device, dtype)
        self._train = _on_device(dataset, "train", device)
        self._test = _on_device(dataset, "test", device)
        self._ahead = AHEAD_ON_GPU if device.type == "cuda" and ranks.world == 1 else 1
        self.images = len(self._train[1])
        self.steps = number_of_steps(self.images, recipe, ranks)

    def train(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the training batches of ``epoch`` from the step ``first`` on."""
        images, labels = self._train
        order = torch.randperm(self.images, generator=stream(self._seed, "order", epoch))
        draws = draw_crop_flip(self.images, stream(self._seed, "augmentation", epoch))
        order, draws = order.to(self._device), draws.to(self._device)
        size = self._recipe.batch_size
        for part, weight in self._parts(self.images, size, first):
            chosen = order[part]
            batch = images[chosen]
            if self._recipe.augmentation == "crop_flip":
                batch = crop_flip(batch, draws[part])
            yield from _split(self._normalise(batch), labels[chosen], size, weight)

    def test(self) -> Iterator[Batch]:
        """Yield the test batches."""
        images, labels = self._test
        size = self._recipe.test_batch_size
        for part, weight in self._parts(len(labels), size, 0):
            yield from _split(self._normalise(images[part]), labels[part], size, weight)

    def _parts(self, images: int, size: int, first: int) -> Iterator[tuple[slice, float]]:
        """Yield this rank's part of the next batches, and its weight."""
        for start in range(first * size, images, self._ahead * size):
            whole = range(start, min(start + self._ahead * size, images))
            mine = self._ranks.part(whole)
            yield slice(mine.start, mine.stop), self._ranks.world * len(mine) / len(whole)


def _split(images: Tensor, labels: Tensor, size: int, weight: float) -> Iterator[Batch]:
    for start in range(0, len(labels), size):
        yield Batch(images[start : start + size], labels[start : start + size], weight)


def _on_device(dataset: PreparedDataset, split: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a split's images as ``(N, S, S, 3)`` and its labels."""
    # Channels last: a pixel's colours are read together, and a crop comes out in channels_last.
    images = np.ascontiguousarray(dataset.images(split).transpose(0, 2, 3, 1))
    labels = np.array(dataset.labels(split))
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
