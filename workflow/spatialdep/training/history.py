"""What each epoch came to, and its file."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from spatialdep.atomic import atomic_write


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """A row of ``history.csv``.

    Top-1 accuracies are per cent, losses nats an image. Those of training are over the augmented
    images while the weights changed; ``epoch`` counts from 1 and ``lr`` is that of its last step.
    ``seconds`` is the time for training alone, and ``images_per_second`` follows from it.
    """

    epoch: int
    lr: float
    train_loss: float
    train_top1: float
    test_loss: float
    test_top1: float
    images_per_second: float
    seconds: float


def write_history(path: Path, history: Sequence[EpochRecord]) -> None:
    """Write ``history.csv``; numbers read back are exactly those written."""
    with atomic_write(path) as stream:
        writer = csv.DictWriter(
            stream, [field.name for field in fields(EpochRecord)], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(map(asdict, history))


def best_of(history: Sequence[EpochRecord]) -> EpochRecord:
    """Return the epoch with the highest test accuracy, the earliest of several."""
    return max(history, key=lambda record: (record.test_top1, -record.epoch))
