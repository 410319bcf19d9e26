"""Writing an ``.npy`` file row by row, when nobody can tell yet how many rows there will be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from spatialdep.atomic import atomic_write


@contextmanager
def write_npy(path: Path, row_shape: tuple[int, ...], dtype: Any) -> Iterator["NpyWriter"]:
    """Write an array file that exists whole or not at all; memory stays that of a row."""
    # Of a process that was killed while it wrote here; these files can be large.
    for leftover in path.parent.glob(f".{path.name}.*"):
        leftover.unlink(missing_ok=True)
    with atomic_write(path, "wb") as stream:
        writer = NpyWriter(stream, row_shape, dtype)
        yield writer
        writer.finish()


class NpyWriter:
    """Appends rows to an array file in a seekable binary stream."""

    def __init__(self, stream: IO[bytes], row_shape: tuple[int, ...], dtype: Any) -> None:
        self._stream = stream
        self._row_shape = row_shape
        self._dtype = np.dtype(dtype)
        self.rows = 0
        self._write_header()
        self._header_bytes = stream.tell()

    def append(self, row: np.ndarray | int) -> None:
        """Add one row of the shape and type that the file was begun with."""
        array = np.asarray(row, self._dtype)
        if array.shape != self._row_shape:
            raise ValueError(f"a row of shape {array.shape} in a file of {self._row_shape}")
        self._stream.write(array.tobytes())
        self.rows += 1

    def extend(self, rows: np.ndarray) -> None:
        """Add several rows ``(n, …)`` at once."""
        if rows.dtype != self._dtype or rows.shape[1:] != self._row_shape:
            raise ValueError(f"rows {rows.dtype} {rows.shape} in a file of {self._row_shape}")
        self._stream.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def finish(self) -> None:
        """Note the number of rows in the header, for which the format leaves room."""
        self._stream.seek(0)
        self._write_header()
        if self._stream.tell() != self._header_bytes:
            raise ValueError("numpy's header has grown into the data")
        self._stream.seek(0, 2)

    def _write_header(self) -> None:
        npy.write_array_header_1_0(
            self._stream,
            {
                "descr": npy.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self.rows, *self._row_shape),
            },
        )
