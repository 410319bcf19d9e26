"""TensorBoard logs, where they are asked for."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from spatialdep.training.history import EpochRecord


def epoch_logger(folder: Path) -> Callable[[EpochRecord], None]:
    """Return a function that logs each epoch's numbers into ``folder``."""
    # Here, since it takes a second to import and few runs want it.
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    writer = SummaryWriter(str(folder))

    def log(record: EpochRecord) -> None:
        for name, value in asdict(record).items():
            writer.add_scalar(name, value, record.epoch)
        writer.flush()

    return log
