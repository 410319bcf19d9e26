"""The per-image file beside a tidy table: what was classified correctly, to pair networks."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialdep.atomic import atomic_write
from spatialdep.errors import UserError
from spatialdep.reporting.arrays import read_arrays


class ImageResults:
    """Correctness of every test image in every pass, by run, view and checkpoint."""

    def __init__(self, arrays: dict[str, NDArray[Any]], source: Path) -> None:
        self._arrays = arrays
        self._source = source

    def correct(self, run: str, view: str, checkpoint: str) -> NDArray[np.float32]:
        """Return how often each image was classified correctly, averaged over passes, (N,)."""
        packed = self._array(f"{run}/{view}/{checkpoint}")
        bits = np.unpackbits(packed, axis=1, count=len(self.labels(run)))
        often: NDArray[np.float32] = bits.mean(axis=0, dtype=np.float32)
        return often

    def labels(self, run: str) -> NDArray[np.int32]:
        """Return the class of each test image of the run's dataset, (N,)."""
        return self._array(f"labels/{_dataset(run)}")

    def class_names(self, run: str) -> list[str]:
        """Return the names of the classes of the run's dataset."""
        return [str(name) for name in self._array(f"class_names/{_dataset(run)}")]

    def _array(self, key: str) -> NDArray[Any]:
        try:
            return self._arrays[key]
        except KeyError:
            raise UserError(
                f"{self._source} has nothing under {key}: it does not belong to the table beside "
                "it; collect both again."
            ) from None


def pack(
    evaluations: Iterable[tuple[str, str, dict[str, NDArray[Any]]]],
) -> dict[str, NDArray[Any]]:
    """Gather the arrays of evaluations (run, view, contents of ``correct.npz``) under one roof.

    Raises
    ------
    UserError
        If two runs of one dataset disagree about its test images.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for run, view, stored in evaluations:
        for name in ("labels", "class_names"):
            key = f"{name}/{_dataset(run)}"
            if not np.array_equal(arrays.setdefault(key, stored[name]), stored[name]):
                raise UserError(
                    f"{run} was evaluated on other test images than the other runs on "
                    f"{_dataset(run)} ({name} differ): evaluate it again."
                )
        for checkpoint in stored.keys() - {"labels", "class_names"}:
            arrays[f"{run}/{view}/{checkpoint}"] = stored[checkpoint]
    return arrays


def write_images(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write what :func:`pack` gathered."""
    with atomic_write(path, "wb") as stream:
        ordered: dict[str, Any] = {key: arrays[key] for key in sorted(arrays)}
        np.savez_compressed(stream, allow_pickle=False, **ordered)


def read_images(path: Path) -> ImageResults:
    """Read the per-image file.

    Raises
    ------
    UserError
        If it is not there or no such file.
    """
    return ImageResults(read_arrays(path), path)


def _dataset(run: str) -> str:
    return run.split("/", 1)[0]
