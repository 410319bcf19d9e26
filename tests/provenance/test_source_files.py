"""What modules mean is remembered by contents alone."""

import json
from pathlib import Path

import pytest

from spatialdep.provenance import source_files
from spatialdep.provenance.source_files import recall, remember
from spatialdep.provenance.syntax import parse

read = source_files.read_source.__wrapped__


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    def forget():
        monkeypatch.setattr(source_files, "_recalled", {})
        monkeypatch.setattr(source_files, "_read", {})

    forget()
    return forget


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "m.py"
    path.write_text("from . import a\n\n\ndef f():\n    return 1\n")
    return path


def test_what_is_recalled_is_what_was_read_and_is_not_parsed_again(
    module, tmp_path, forget, monkeypatch
):
    first = read(module, "spatialdep.m")
    remember(tmp_path / "kept.json")
    forget()
    recall(tmp_path / "kept.json")
    monkeypatch.setattr(source_files, "parse", None)
    assert read(module, "spatialdep.m") == first == parse(module.read_bytes(), "spatialdep")


def test_other_contents_are_parsed_whatever_their_time_and_size(module, tmp_path, forget):
    before = read(module, "spatialdep.m")
    remember(tmp_path / "kept.json")
    forget()
    recall(tmp_path / "kept.json")
    module.write_text(module.read_text().replace("1", "2"))
    assert read(module, "spatialdep.m").definitions["f"] != before.definitions["f"]


def test_the_same_text_in_another_package_imports_other_modules(module):
    assert "spatialdep.a" in read(module, "spatialdep.m").imports
    assert "spatialdep.training.a" in read(module, "spatialdep.training.m").imports


def test_another_parser_recalls_nothing(module, tmp_path, forget, monkeypatch):
    read(module, "spatialdep.m")
    remember(tmp_path / "kept.json")
    forget()
    recall(tmp_path / "kept.json")
    monkeypatch.setattr(source_files, "_parser", lambda: b"another")
    asked = []
    monkeypatch.setattr(source_files, "parse", lambda *given: asked.append(given))
    read(module, "spatialdep.m")
    assert asked


@pytest.mark.parametrize("kept", ["", "[]", '{"a": 1}', '{"a": {"version": "x"}}', "\0"])
def test_a_file_that_cannot_be_read_only_costs_time(kept, module, tmp_path):
    (tmp_path / "kept.json").write_text(kept)
    recall(tmp_path / "kept.json")
    read(module, "spatialdep.m")
    remember(tmp_path / "kept.json")
    assert json.loads((tmp_path / "kept.json").read_text())


def test_nothing_is_written_where_nothing_new_was_read(module, tmp_path, forget):
    read(module, "spatialdep.m")
    remember(tmp_path / "kept.json")
    forget()
    recall(tmp_path / "kept.json")
    (tmp_path / "kept.json").unlink()
    read(module, "spatialdep.m")
    remember(tmp_path / "kept.json")
    assert not (tmp_path / "kept.json").exists()
