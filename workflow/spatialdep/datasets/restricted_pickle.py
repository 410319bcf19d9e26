"""Reading other people's pickles without running what is in them.

CIFAR-100 and the published Small-ImageNet are pickles, and a pickle is a program. Here it may build
dicts, lists, strings, bytes, numbers and plain numeric arrays; every global it names is either one
of five look-alikes below, whose arguments are checked before numpy sees them, or is refused.
"""

import io
import math
import pickle
import pickletools
import re
from typing import Any, BinaryIO

import numpy as np

from spatialdep.errors import UserError

# What these look-alikes do not need: other ways to call things, and objects kept elsewhere.
_REFUSED_OPCODES = {
    *("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"),
    *("PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"),
}
_MEMO_OPCODES = {"PUT", "BINPUT", "LONG_BINPUT"}


class _Bytes:
    """``_codecs.encode``, which is how protocol 2 spells bytes."""

    def __new__(cls, text: str, encoding: str) -> bytes:  # type: ignore[misc]  # a factory
        if encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError(f"text encoded as {encoding!r}")
        return text.encode("latin-1")


class _Dtype:
    """``numpy.dtype``, for booleans, integers and floats alone."""

    def __init__(self, name: str, *_: object) -> None:
        if not (isinstance(name, str) and re.fullmatch(r"[<>|=]?[biuf][1248]", name)):
            raise pickle.UnpicklingError(f"an array of type {name!r}")
        self.name = name.lstrip("<>|=")
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"an array of byte order {state[1]!r}")
        self.order = state[1]

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.name)


class _Array:
    """``numpy._reconstruct`` and ``numpy.ndarray``: an array once its state has arrived."""

    def __init__(self, *_: object) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.array = _as_array(raw, dtype, shape, "F" if is_fortran else "C")


class _FromBuffer(_Array):
    """``numpy._frombuffer``, which is how protocol 5 spells arrays."""

    def __init__(self, raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> None:
        self.array = _as_array(raw, dtype, shape, order)


_GLOBALS: dict[tuple[str, str], type] = {
    ("_codecs", "encode"): _Bytes,
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"a call to {module}.{name}") from None


def load_dict(stream: BinaryIO, name: str) -> dict[str, Any]:
    """Read a pickled dict of numbers, text, lists and numeric arrays.

    Parameters
    ----------
    stream
        A seekable stream at the pickle's beginning. Memory is bounded by a small multiple of its
        length, whatever the pickle says.
    name
        How to call the stream in an error.

    Returns
    -------
    dict
        Keys are text; arrays are read-only views of the bytes read.

    Raises
    ------
    UserError
        If the pickle is damaged, or asks for anything else; nothing of it has been run.
    """
    start = stream.tell()
    try:
        _scan(stream)
        stream.seek(start)
        # latin1, since the official CIFAR archives were written by Python 2.
        content = _Unpickler(stream, encoding="latin1").load()
        if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
            raise pickle.UnpicklingError("something else than a dict with text for keys")
    # pickle documents that damaged data raises these "and possibly others"; all come from data.
    except (
        *(pickle.UnpicklingError, ValueError, TypeError, EOFError, IndexError, KeyError),
        *(AttributeError, OverflowError, MemoryError, RecursionError),
    ) as error:
        raise UserError(
            f"{name} is refused: as a pickle it may hold a dict of text, numbers, lists and "
            f"numeric arrays, but this one is damaged or holds {_reason(error)}; "
            "get the file again from a source that you trust."
        ) from error
    return {
        key: value.array if isinstance(value, _Array) else value for key, value in content.items()
    }


def _scan(stream: BinaryIO) -> None:
    """Refuse, before anything is built, what could run or take memory out of proportion."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if opcode.name in _REFUSED_OPCODES:
            raise pickle.UnpicklingError(f"the instruction {opcode.name}")
        # The unpickler's memo is a list as long as the largest index that the pickle names.
        if opcode.name in _MEMO_OPCODES and isinstance(argument, int) and argument > count:
            raise pickle.UnpicklingError(f"a reference numbered {argument}")


def _as_array(raw: object, dtype: _Dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    data = raw.encode("latin-1") if isinstance(raw, str) else raw
    if not (
        isinstance(data, bytes | bytearray)
        and isinstance(dtype, _Dtype)
        and isinstance(shape, tuple)
        and all(type(length) is int and length >= 0 for length in shape)
        and math.prod(shape) * dtype.numpy().itemsize == len(data)
        and order in ("C", "F")
    ):
        raise pickle.UnpicklingError("an array whose size and data disagree")
    array = np.frombuffer(data, dtype.numpy())
    return array.reshape(shape, order="F" if order == "F" else "C")


def _reason(error: BaseException) -> str:
    text = str(error).replace("\n", " ")
    return text if isinstance(error, pickle.UnpicklingError) and text else type(error).__name__


def loads_dict(data: bytes, name: str) -> dict[str, Any]:
    """Read a pickled dict from memory; see :func:`load_dict`."""
    return load_dict(io.BytesIO(data), name)
