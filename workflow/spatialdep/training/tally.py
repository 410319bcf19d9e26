"""Loss and accuracy, summed on the device so that nothing waits for it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spatialdep.training.distributed import Ranks


@dataclass(frozen=True)
class Summary:
    """What a :class:`Tally` has come to: loss in nats an image, top-1 in per cent.

    Of ``batches`` batches, the first ``finite`` ones had a finite loss.
    """

    loss: float
    top1: float
    images: int
    batches: int
    finite: int


class Tally:
    """Sums over the images seen since :meth:`clear`.

    Attributes
    ----------
    sums
        float64 ``(5,)``: loss, correct images, images, batches, and batches with a finite loss so
        far. The sum of losses holds nan or infinity for good once it has met one, so it tells at
        any later time whether all was well. Several ranks each count their own batches.
    """

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(5, dtype=torch.float64, device=device)

    def clear(self) -> None:
        """Start anew."""
        self.sums.zero_()

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: its losses ``(N,)``, logits ``(N, classes)`` and labels ``(N,)``."""
        loss = losses.detach().sum(dtype=torch.float64)
        correct = (logits.detach().argmax(1) == labels).sum()
        self.sums[0] += loss
        self.sums[1] += correct
        self.sums[2] += len(labels)
        self.sums[3] += 1
        self.sums[4] += self.sums[0].isfinite()

    def read(self, ranks: Ranks) -> Summary:
        """Wait for the device and return the means over all ranks."""
        loss, correct, images, batches, finite = ranks.total(self.sums).tolist()
        count = max(images, 1.0)
        return Summary(
            loss / count,
            100 * correct / count,
            int(images),
            int(batches) // ranks.world,
            int(finite) // ranks.world,
        )
