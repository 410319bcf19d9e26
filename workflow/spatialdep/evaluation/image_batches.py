"""The test images in batches, normalised, in their order."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from spatialdep.datasets.prepared import PreparedDataset


class ImageBatches:
    """The test split of a prepared dataset, a batch at a time on the device that evaluates.

    Parameters
    ----------
    dataset
        Where images come from.
    device
        Where batches go; kept as an attribute.
    workers
        Processes that decode images, for a dataset that is stored as encoded records.
    """

    def __init__(self, dataset: PreparedDataset, device: torch.device, workers: int = 0) -> None:
        self._dataset = dataset
        self.device = device
        self._workers = workers
        mean = torch.tensor(dataset.mean, device=device).view(1, -1, 1, 1)
        std = torch.tensor(dataset.std, device=device).view(1, -1, 1, 1)
        self._scale, self._shift = 1 / (255 * std), -mean / std

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images, float32 ``(B, 3, S, S)``, and labels ``(B,)``, B up to ``size``.

        Images are in channels_last, the fastest format (``benchmarks/README.md``).
        """
        stored = self._arrays(size) if self._dataset.storage == "arrays" else self._records(size)
        for images, labels in stored:
            pixels = images.to(self.device, torch.float32, memory_format=torch.channels_last)
            yield torch.addcmul(self._shift, pixels, self._scale), labels.to(self.device)

    def _arrays(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self._dataset.images("test"), self._dataset.labels("test")
        for start in range(0, len(labels), size):
            # Copies, since torch has no read-only tensors and a memory map is read-only.
            part = slice(start, start + size)
            yield torch.from_numpy(np.array(images[part])), torch.from_numpy(np.array(labels[part]))

    def _records(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        # Here, since it imports torchvision, for which evaluations on small images need not wait.
        from spatialdep.datasets.records import RecordsDataset  # noqa: PLC0415

        records = RecordsDataset(self._dataset, "test")
        yield from DataLoader(records, batch_size=size, num_workers=self._workers)
