"""Batches of a dataset, ready for the network, in the order of an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from spatialdep.datasets.prepared import PreparedDataset
from spatialdep.errors import UserError
from spatialdep.specification.run import Recipe
from spatialdep.training.distributed import Ranks


@dataclass(frozen=True)
class Batch:
    """What one rank gets of a batch.

    Attributes
    ----------
    images
        ``(N, 3, S, S)``, normalised, in channels_last.
    labels
        int64 ``(N,)``.
    weight
        N over the mean of N over the ranks: 1 unless the batch could not be shared evenly.
    """

    images: Tensor
    labels: Tensor
    weight: float = 1.0


class Batches(Protocol):
    """Where training gets its images. The last, smaller batch of an epoch is used like the others.

    That is what the authors' DataLoader does by default (``drop_last=False``).
    """

    images: int
    """Training images, over all ranks."""
    steps: int
    """Batches in an epoch."""

    def train(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the training batches of ``epoch`` from the step ``first`` on."""
        ...

    def test(self) -> Iterator[Batch]:
        """Yield the test batches."""
        ...


class Normaliser:
    """Turns stored images into the network's input: ``(pixel / 255 − mean) / std``.

    Parameters
    ----------
    dtype
        Format of the result; the arithmetic is in float32.
    """

    def __init__(self, dataset: PreparedDataset, device: torch.device, dtype: torch.dtype) -> None:
        mean = torch.tensor(dataset.mean, device=device)
        std = torch.tensor(dataset.std, device=device)
        self._scale = 1 / (255 * std)
        self._shift = -mean / std
        self._dtype = dtype

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise uint8 ``(N, S, S, 3)`` to ``(N, 3, S, S)`` in channels_last."""
        normal = torch.addcmul(self._shift, images.float(), self._scale)
        pixels = normal.to(self._dtype).permute(0, 3, 1, 2)
        return pixels.contiguous(memory_format=torch.channels_last)


def number_of_steps(images: int, recipe: Recipe, ranks: Ranks) -> int:
    """Return how many batches an epoch over ``images`` images has.

    Raises
    ------
    UserError
        If a rank's part of a batch would have fewer than two images, from which BatchNorm can
        compute no variance.
    """
    smallest = images % recipe.batch_size or min(recipe.batch_size, images)
    if smallest // ranks.world < 2:
        raise UserError(
            f"{images} training images in batches of {recipe.batch_size} end with a batch of "
            f"{smallest}, too few for BatchNorm on {ranks.world} device(s): "
            "choose another batch size."
        )
    return -(-images // recipe.batch_size)
