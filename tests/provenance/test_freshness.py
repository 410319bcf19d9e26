"""A result is fresh if its stamp says so and its files are as they were; else why is named."""

import json
import os
import shutil
from pathlib import Path

import pytest

from spatialdep import CHANGED_AT
from spatialdep.errors import UserError
from spatialdep.provenance import stamp as stamps
from spatialdep.provenance.code import code_version, module_file
from spatialdep.provenance.freshness import Expectation, Ledger, configuration_reasons
from spatialdep.provenance.stamp import begin, read_stamp, verify

CONFIGURATION = {"recipe": {"epochs": 300}, "seed": 0}


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Expectation:
    """A finished result with one input, made by the command ``why`` for want of a smaller one."""
    # The test process has imported modules which the command has not.
    monkeypatch.setattr(stamps, "loaded_modules", set)
    source, folder = tmp_path / "input.txt", tmp_path / "result"
    source.write_text("input")
    folder.mkdir()
    job = begin("why", configuration=CONFIGURATION, inputs={"source": source})
    (folder / "weights").write_text("weights")
    job.finish(folder / "stamp.json", [folder / "weights"])
    return Expectation(folder / "stamp.json", "why", (), CONFIGURATION, {"source": source})


def reasons(expected: Expectation) -> list[str]:
    return Ledger(expected.stamp.parent.parent / "digests.json").reasons(expected)


def changed(expected: Expectation, **fields: object) -> Expectation:
    return Expectation(**{**expected.__dict__, **fields})


def test_fresh(result: Expectation) -> None:
    assert reasons(result) == []
    verify(result.stamp)


def test_touched_and_copied_results_are_fresh(result: Expectation, tmp_path: Path) -> None:
    for path in (result.stamp, result.stamp.parent / "weights", result.inputs["source"]):
        os.utime(path, (1, 1))
    assert reasons(result) == []
    copy = tmp_path / "copy"
    shutil.copytree(result.stamp.parent, copy)
    assert reasons(changed(result, stamp=copy / "stamp.json")) == []


def test_altered_output(result: Expectation) -> None:
    (result.stamp.parent / "weights").write_text("other")
    assert "was altered" in reasons(result)[0]
    with pytest.raises(UserError, match=r"weights was altered.*snakemake --forcerun"):
        verify(result.stamp)


def test_missing_output_and_missing_stamp(result: Expectation) -> None:
    (result.stamp.parent / "weights").unlink()
    assert "is missing" in reasons(result)[0]
    result.stamp.unlink()
    assert reasons(result) == ["not made yet"]
    with pytest.raises(UserError, match="unfinished or foreign"):
        read_stamp(result.stamp)


def test_changed_input(result: Expectation) -> None:
    result.inputs["source"].write_text("other")
    assert "other contents" in reasons(result)[0]


def test_added_and_removed_inputs(result: Expectation) -> None:
    assert reasons(changed(result, inputs={})) == ["no longer made from source"]
    more = {**result.inputs, "more": result.inputs["source"]}
    assert reasons(changed(result, inputs=more)) == ["now also made from more"]


def test_changed_configuration_is_named(result: Expectation) -> None:
    other = {"recipe": {"epochs": 200, "lr": 0.1}}
    assert reasons(changed(result, configuration=other)) == [
        "recipe.epochs 300 → 200",
        "recipe.lr added (0.1)",
        "seed removed (was 0)",
    ]


def test_order_of_keys_means_nothing() -> None:
    assert not list(configuration_reasons({"a": 1, "b": [1]}, {"b": [1], "a": 1}))


def edit_stamp(result: Expectation, edit) -> None:
    whole = json.loads(result.stamp.read_text())
    edit(whole)
    result.stamp.write_text(json.dumps(whole))


def test_changed_code_is_named_by_function(result: Expectation) -> None:
    def edit(whole: dict) -> None:
        whole["code"]["version"] = "0"
        whole["code"]["files"]["spatialdep.commands.why"]["main"] = "0"

    edit_stamp(result, edit)
    assert reasons(result) == ["commands/why.py: main changed"]
    with pytest.raises(UserError, match="its code has changed"):
        verify(result.stamp)


def test_changed_pin_is_named(result: Expectation) -> None:
    edit_stamp(result, lambda whole: whole["environment"].update(jsonschema="0.1"))
    assert reasons(result)[0].startswith("jsonschema 0.1 → ")
    with pytest.raises(UserError, match="another pin"):
        verify(result.stamp)


def test_a_stamp_of_another_format_does_not_count(result: Expectation) -> None:
    edit_stamp(result, lambda whole: whole.update(format=99))
    assert reasons(result) == ["not made yet"]
    with pytest.raises(UserError, match="format 1"):
        read_stamp(result.stamp)


def test_a_process_that_ran_more_than_its_closure_gets_no_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "loaded_modules", lambda: {"spatialdep.reporting"})
    job = begin("why", configuration={}, inputs={})
    with pytest.raises(UserError, match=r"spatialdep\.reporting"):
        job.finish(tmp_path / "stamp.json", [])
    assert not list(tmp_path.iterdir())


def test_only_files_that_changed_are_read(
    result: Expectation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unchanged file is believed by its stamp; a touched one is read once, then remembered."""
    ledger = Ledger(result.stamp.parent.parent / "digests.json")
    os.utime(result.stamp.parent / "weights", (1, 1))
    assert ledger.reasons(result) == []
    ledger.save()
    # The input is vouched for by no stamp here, so it is remembered too.
    monkeypatch.setattr("spatialdep.provenance.files.hashlib.file_digest", None)
    assert reasons(result) == []


LOADED = "spatialdep.commands.why"


def edit_loaded_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that a module's file has changed since this process began to load modules."""
    monkeypatch.setitem(CHANGED_AT, module_file(LOADED), 0)


def test_code_edited_while_it_is_loaded_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "loaded_modules", lambda: {LOADED})
    edit_loaded_module(monkeypatch)
    with pytest.raises(UserError, match=r"commands/why\.py was edited while why loaded its code"):
        begin("why", configuration={}, inputs={})


def test_code_edited_before_it_is_loaded_gets_no_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "loaded_modules", set)
    job = begin("why", configuration={}, inputs={})
    monkeypatch.setattr(stamps, "loaded_modules", lambda: {LOADED})
    edit_loaded_module(monkeypatch)
    with pytest.raises(UserError, match=r"commands/why\.py was edited"):
        job.finish(tmp_path / "stamp.json", [])
    assert not list(tmp_path.iterdir())


def test_code_edited_after_it_was_loaded_changes_no_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "loaded_modules", lambda: {LOADED})
    job = begin("why", configuration={}, inputs={})
    edit_loaded_module(monkeypatch)
    job.finish(tmp_path / "stamp.json", [])
    assert read_stamp(tmp_path / "stamp.json").code["version"] == code_version("why").version
