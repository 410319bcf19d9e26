"""A pickle is a program; here it may only build data."""

import codecs
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialdep.datasets.restricted_pickle import loads_dict
from spatialdep.errors import UserError

CONTENT = {
    "data": np.arange(24, dtype=np.uint8).reshape(2, 12),
    "mean": np.linspace(0, 1, 12),
    "swapped": np.arange(3, dtype=">i4"),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "labels": [1, 2, 3],
    "names": ["a", "ü"],
    "raw": b"\x00\xff",
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_of_every_protocol_is_read(protocol: int) -> None:
    found = loads_dict(pickle.dumps(CONTENT, protocol), "it")
    assert found.keys() == CONTENT.keys()
    for key, value in CONTENT.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            assert np.array_equal(found[key], value)
        else:
            assert found[key] == value


def test_python_2_strings_are_text_and_arrays_of_them_bytes() -> None:
    # {"data": array of uint8 255, "names": ["é"]} as Python 2 wrote it, protocol 2.
    old = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x01\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x01\xfftb"
        b"U\x05names]U\x01\xe9au."
    )
    found = loads_dict(old, "it")
    assert found["data"].tolist() == [255]
    assert found["names"] == ["é"]


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "call",
    [
        lambda path: Call(os.system, f"touch {path}"),
        lambda path: Call(eval, f"open({str(path)!r}, 'w')"),
        lambda path: Call(np.fromfile, str(path)),
        lambda path: Call(np.load, str(path)),
        lambda path: Call(getattr, "", "join"),
        lambda path: Call(codecs.lookup, "latin1"),
        lambda path: Call(open, str(path), "w"),
    ],
)
def test_a_call_is_refused_and_not_made(tmp_path: Path, call: Any, protocol: int) -> None:
    mark = tmp_path / "ran"
    data = pickle.dumps({"data": call(mark)}, protocol)
    with pytest.raises(UserError, match="it is refused"):
        loads_dict(data, "it")
    assert not mark.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02cos\nsystem\nU\x04true\x85\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"Pname\n.",  # PERSID
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"\x80\x04\x8c\x05numpy\x8c\x0fcore.multiarray\x93.",  # dotted name
        b"\x80\x02cnumpy\ndtype\nU\x01O\x85R.",  # an array of objects
        b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",  # state onto a look-alike itself
    ],
)
def test_every_way_to_call_is_refused(program: bytes) -> None:
    with pytest.raises(UserError, match="it is refused"):
        loads_dict(program, "it")


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # LONG_BINPUT: a memo of 2³¹ places
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",  # BINBYTES8 of 2⁶³ bytes
        b"\x80\x02X\xff\xff\xff\x7fabc.",  # text longer than the file
        b"(" * 100_000,
        b"",
        b"\x80\x02}",
        b"not a pickle",
    ],
)
def test_out_of_proportion_or_damaged_is_refused(program: bytes) -> None:
    with pytest.raises(UserError, match="it is refused"):
        loads_dict(program, "it")


def test_an_array_that_claims_more_than_it_has_is_refused() -> None:
    data = pickle.dumps({"data": np.arange(12, dtype=np.uint8)}, 2)
    larger = data.replace(b"K\x0c\x85", b"K\xff\x85")
    assert larger != data
    with pytest.raises(UserError, match="size and data disagree"):
        loads_dict(larger, "it")


def test_something_else_than_a_dict_is_refused() -> None:
    with pytest.raises(UserError, match="refused"):
        loads_dict(pickle.dumps([1]), "it")


@given(st.data())
def test_damage_anywhere_gives_a_dict_or_one_sentence(data: st.DataObject) -> None:
    original = pickletools.optimize(pickle.dumps(CONTENT, data.draw(st.integers(0, 5))))
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(loads_dict(bytes(damaged), "it"), dict)
    except UserError as error:
        assert "\n" not in str(error)
