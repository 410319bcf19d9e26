"""What a training says while it works: lines in the log and, on a terminal, a live bar."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tqdm import tqdm

from spatialdep.training.history import EpochRecord

# No thread that watches over bars, in a process that forks workers.
tqdm.monitor_interval = 0


def say(line: str) -> None:
    """Write a line to the log, above a live bar if there is one."""
    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def epoch_line(record: EpochRecord, epochs: int, seconds_left: float) -> str:
    """Return an epoch's line: rate, losses, accuracies, speed and time left."""
    return (
        f"epoch {record.epoch:>{len(str(epochs))}}/{epochs}  lr {record.lr:.3g}  "
        f"train {record.train_loss:.3f} {record.train_top1:.2f} %  "
        f"test {record.test_loss:.3f} {record.test_top1:.2f} %  "
        f"{record.images_per_second:,.0f} images/s  left {timedelta(seconds=round(seconds_left))}"
    )


@contextmanager
def bar(shown: bool, epoch: int, epochs: int, step: int, steps: int) -> Iterator["tqdm[None]"]:
    """Show the steps of an epoch as they go by, if ``shown``."""
    with tqdm(
        total=steps,
        initial=step,
        desc=f"epoch {epoch + 1}/{epochs}",
        unit="step",
        leave=False,
        disable=not shown,
        file=sys.stderr,
    ) as progress:
        yield progress
