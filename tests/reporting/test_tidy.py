"""The tidy table refuses what it should, and its order changes nothing."""

import re
from pathlib import Path

import pandas as pd
import pytest
from simulation import experiment, make_grid, simulate

from spatialdep.errors import UserError
from spatialdep.reporting import tidy
from spatialdep.reporting.summary import Results, summarise


@pytest.fixture(scope="module")
def results() -> Results:
    grid = make_grid({"a": experiment(last_k=[0, 4], seeds=[0, 1])})
    return simulate(grid, lambda view: 70.0, number=300)


def test_table_survives_its_file(results, tmp_path):
    tidy.write_csv(tmp_path / "runs.csv", results.runs)
    pd.testing.assert_frame_equal(tidy.read_runs(tmp_path / "runs.csv"), results.runs)


def test_row_order_changes_nothing(results, tmp_path):
    shuffled = results.runs.sample(frac=1, random_state=0)
    assert not shuffled.index.equals(results.runs.index)
    tidy.write_csv(tmp_path / "runs.csv", shuffled)
    read = tidy.read_runs(tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(read, results.runs)
    first = summarise(results)
    other = summarise(Results(read, results.images, results.histories, results.missing))
    pd.testing.assert_frame_equal(first, other)


def broken(results: Results, path: Path, **cells: object) -> str:
    rows = results.runs.astype(dict.fromkeys(cells, object))
    for name, value in cells.items():
        rows.loc[2, name] = value
    rows.to_csv(path, index=False)
    with pytest.raises(UserError) as error:
        tidy.read_runs(path)
    return str(error.value)


@pytest.mark.parametrize("cells", [{"top1": None}, {"top1": "nan"}, {"loss": ""}, {"seed": None}])
def test_missing_values_are_refused(results, tmp_path, cells):
    message = broken(results, tmp_path / "runs.csv", **cells)
    assert next(iter(cells)) in message
    assert "has no value" in message


@pytest.mark.parametrize("cells", [{"top1": 101.0}, {"top5": -1.0}])
def test_impossible_accuracies_are_refused(results, tmp_path, cells):
    assert "outside 0 to 100" in broken(results, tmp_path / "runs.csv", **cells)


def test_words_for_numbers_are_refused(results, tmp_path):
    assert "wrong type" in broken(results, tmp_path / "runs.csv", seed="three")


def test_duplicate_rows_are_refused(results, tmp_path):
    twice = pd.concat([results.runs, results.runs[:1]])
    with pytest.raises(UserError, match="occurs twice"):
        tidy.as_tidy(twice, tmp_path / "runs.csv")


def test_unknown_and_missing_columns_are_refused(results, tmp_path):
    for wrong in (results.runs.assign(extra=1), results.runs.drop(columns="seed")):
        with pytest.raises(UserError, match="missing or unknown"):
            tidy.as_tidy(wrong, tmp_path / "runs.csv")


@pytest.mark.parametrize("content", ["", "\x00\x01", 'a,b\n1,2,3\n1\n"', None])
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "runs.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=re.escape(str(path))):
        tidy.read_runs(path)


def test_two_runs_of_one_setting_and_seed_are_refused(results):
    again = results.runs.assign(run=results.runs["run"].str.replace("/seed", "/again/seed"))
    both = tidy.as_tidy(pd.concat([results.runs, again]), Path("runs.csv"))
    with pytest.raises(UserError, match="same setting and seed"):
        summarise(Results(both, results.images, results.histories, results.missing), drops=False)
