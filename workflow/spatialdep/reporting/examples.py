"""Pictures of what operations do, as arrays: made where torch is, shown where it is not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialdep.atomic import atomic_write
from spatialdep.errors import UserError
from spatialdep.reporting.arrays import read_arrays

EXAMPLES = "examples.npz"


@dataclass(frozen=True)
class Examples:
    """What each of K operations makes of an image and of a map.

    Attributes
    ----------
    operations, options
        Each operation, and its switches as JSON, (K,).
    images
        uint8, (K, S, S, 3).
    maps
        A feature map of three channels, shown as colours, uint8, (K, h, w, 3).
    dataset
        Where the image is from.
    """

    operations: NDArray[np.str_]
    options: NDArray[np.str_]
    images: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    dataset: NDArray[np.str_]


def write_examples(path: Path, examples: Examples) -> None:
    """Write examples as npz."""
    with atomic_write(path, "wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **vars(examples))


def read_examples(path: Path) -> Examples:
    """Read what :func:`write_examples` wrote.

    Raises
    ------
    UserError
        If it is not there or something else.
    """
    arrays = read_arrays(path)
    if arrays.keys() != Examples.__dataclass_fields__.keys():
        raise UserError(f"{path} holds no examples but {', '.join(arrays)}: make it again.")
    return Examples(**arrays)
