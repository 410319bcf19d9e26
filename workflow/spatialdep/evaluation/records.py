"""An evaluation's files: ``evaluation.json`` for people and tables, ``correct.npz`` for pairing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialdep.atomic import atomic_write

FORMAT = 1


@dataclass(frozen=True)
class PassResult:
    """One pass of a network over all N test images of C classes."""

    top1: float  # per cent
    top5: float  # per cent
    loss: float  # nats
    correct: NDArray[np.bool_]  # (N,)


@dataclass(frozen=True)
class CheckpointResult:
    """All passes of one checkpoint of a run."""

    checkpoint: str
    epoch: int
    passes: tuple[PassResult, ...]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image was classified correctly in each pass, (passes, N)."""
        return np.stack([result.correct for result in self.passes])


def write_evaluation(
    folder: Path,
    facts: dict[str, Any],
    results: list[CheckpointResult],
    labels: NDArray[np.int64],
    class_names: list[str],
) -> list[Path]:
    """Write both files into ``folder`` and return their paths.

    Parameters
    ----------
    facts
        What was evaluated: goes into ``evaluation.json`` as it is.
    results
        One for each checkpoint.
    labels
        True class of each test image, (N,).
    class_names
        Name of each class.
    """
    record = {
        "format": FORMAT,
        **facts,
        "checkpoints": {
            result.checkpoint: {
                "epoch": result.epoch,
                "passes": [
                    {"top1": each.top1, "top5": each.top5, "loss": each.loss}
                    for each in result.passes
                ],
                "class_top1": _class_top1(result.correct, labels, len(class_names)),
            }
            for result in results
        },
    }
    paths = [folder / "evaluation.json", folder / "correct.npz"]
    with atomic_write(paths[0]) as stream:
        json.dump(record, stream, indent=1)
        stream.write("\n")
    with atomic_write(paths[1], "wb") as stream:
        # Eight images a byte: 10 passes over 50,000 images take 63 kB.
        arrays: dict[str, Any] = {
            "labels": labels.astype(np.int32),
            "class_names": np.array(class_names, dtype=np.str_),
            **{result.checkpoint: np.packbits(result.correct, axis=1) for result in results},
        }
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    return paths


def _class_top1(
    correct: NDArray[np.bool_], labels: NDArray[np.int64], classes: int
) -> list[float | None]:
    """Top-1 accuracy of each class over all passes, per cent; None for a class without images."""
    images = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels, weights=correct.mean(axis=0), minlength=classes)
    return [
        round(100 * float(hit) / int(count), 4) if count else None
        for hit, count in zip(hits, images, strict=True)
    ]
