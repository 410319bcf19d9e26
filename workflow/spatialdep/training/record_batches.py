"""Batches of full-size images, decoded and cropped by worker processes."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spatialdep.datasets.prepared import PreparedDataset
from spatialdep.datasets.records import RecordsDataset, test_transform
from spatialdep.errors import UserError
from spatialdep.specification.run import Recipe
from spatialdep.training.batches import Batch, Normaliser, number_of_steps
from spatialdep.training.distributed import Ranks
from spatialdep.training.random_streams import stream, stream_seed


class RecordBatches:
    """Encoded images, decoded as they are needed; implements ``Batches``.

    Parameters
    ----------
    workers
        Processes that decode; with 0 this process does it.

    Raises
    ------
    UserError
        If the recipe's augmentation is for small images, or an image cannot be read.
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
        workers: int,
    ) -> None:
        if recipe.augmentation == "crop_flip":
            raise UserError(
                f"augmentation crop_flip is for small images, and those of {dataset.name} have "
                "full size: choose random_resized_crop or none."
            )
        centre = test_transform(dataset.image_size) if recipe.augmentation == "none" else None
        self._train = RecordsDataset(dataset, "train", centre)
        self._test = RecordsDataset(dataset, "test")
        self._recipe, self._seed = recipe, seed
        self._device, self._ranks, self._workers = device, ranks, workers
        self._normalise = Normaliser(dataset, device, dtype)
        self.images = len(self._train)
        self.steps = number_of_steps(self.images, recipe, ranks)

    def train(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the training batches of ``epoch`` from the step ``first`` on."""
        order = torch.randperm(self.images, generator=stream(self._seed, "order", epoch))
        images = _Seeded(self._train, self._seed, epoch)
        yield from self._load(images, order, self._recipe.batch_size, first)

    def test(self) -> Iterator[Batch]:
        """Yield the test batches."""
        order = torch.arange(len(self._test))
        yield from self._load(self._test, order, self._recipe.test_batch_size, 0)

    def _load(
        self, images: Dataset[tuple[Tensor, int]], order: Tensor, size: int, first: int
    ) -> Iterator[Batch]:
        wholes = [
            range(start, min(start + size, len(order)))
            for start in range(first * size, len(order), size)
        ]
        parts = [self._ranks.part(whole) for whole in wholes]
        loader = DataLoader(
            images,
            batch_sampler=[order[part.start : part.stop].tolist() for part in parts],
            num_workers=self._workers,
            pin_memory=self._device.type == "cuda",
        )
        try:
            for whole, (pixels, labels) in zip(wholes, loader, strict=True):
                on_device = pixels.to(self._device, non_blocking=True).permute(0, 2, 3, 1)
                weight = self._ranks.world * len(labels) / len(whole)
                yield Batch(
                    self._normalise(on_device), labels.to(self._device, non_blocking=True), weight
                )
        except UserError as error:
            # A worker's error arrives with its traceback as text in front of it.
            raise UserError(str(error).strip().rpartition("UserError: ")[2]) from None


class _Seeded(Dataset[tuple[Tensor, int]]):
    """Draws an image's crop from a stream of that epoch and image alone.

    So neither the number of workers nor an interruption changes it.
    """

    def __init__(self, images: RecordsDataset, seed: int, epoch: int) -> None:
        self._images, self._seed, self._epoch = images, seed, epoch

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self._seed, "augmentation", self._epoch, index))
            return self._images[index]
