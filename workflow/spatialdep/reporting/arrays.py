"""Arrays in files, none of which may run code."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from spatialdep.errors import UserError


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an npz file.

    Raises
    ------
    UserError
        If it is not there, damaged, or holds a pickle, which could run code.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: make it with `snakemake {path}`.") from error
    except (ValueError, TypeError, OSError, EOFError, BadZipFile) as error:
        raise UserError(
            f"{path} is no file of arrays ({error}): make it anew with "
            f"`snakemake --forcerun {path} -- {path}`."
        ) from error
