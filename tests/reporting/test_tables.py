"""Tables say what was measured, what is missing, and compile."""

import csv
import shutil
import subprocess

import pandas as pd
import pytest
from simulation import experiment, make_grid, simulate

from spatialdep.plugins import load
from spatialdep.reporting.tables import Table, latex, markdown, read_fragment, write_tables

DOCUMENT = """\\documentclass{article}
\\usepackage[utf8]{inputenc}
\\usepackage[T1]{fontenc}
\\usepackage{booktabs}
\\begin{document}
%s
\\end{document}
"""


def accuracy(view):
    return 72.0 - view.run.last_k


def table_of(results) -> Table:
    return load("reporting.figures", "accuracy_over_last_k").table(results, {})


def cells(table: Table, method: str, modified: str) -> dict[str, str]:
    rows = table.shown[(table.shown["Method"] == method) & (table.shown["Modified"] == modified)]
    assert len(rows) == 1
    return rows.iloc[0].to_dict()


def test_last_and_best_epoch_stand_side_by_side():
    results = simulate(make_grid({"a": experiment()}), accuracy)
    row = cells(table_of(results), "GAP + FC", "last 4")
    runs = results.runs[(results.runs["operation"] == "gap_fc") & (results.runs["last_k"] == 4)]
    for column, checkpoint in (("Top-1 (%)", "last"), ("Best epoch, top-1 (%)", "best")):
        own = runs[runs["checkpoint"] == checkpoint]["top1"]
        assert row[column] == f"{own.mean():.2f} ± {own.std():.2f}"
    assert row["Layers (%)"] == "30.8"
    assert row["Seeds"] == "3"
    assert " to " in row["95 % interval of drop"]


def test_one_seed_says_so():
    results = simulate(make_grid({"a": experiment(seeds=[0])}), accuracy)
    row = cells(table_of(results), "GAP + FC", "last 4")
    assert row["95 % interval"] == row["95 % interval of drop"] == "none (one seed)"
    assert "±" not in row["Top-1 (%)"]


def test_missing_runs_are_shown_missing_and_nothing_is_filled_in():
    results = simulate(
        make_grid({"a": experiment()}),
        accuracy,
        lost=lambda view: (
            view.run.operation == "gap_fc"
            and (view.run.last_k == 4 or (view.run.last_k == 7 and view.run.seed == 0))
        ),
    )
    table = table_of(results)
    gone = cells(table, "GAP + FC", "last 4")
    assert gone["Seeds"] == "0 of 3"
    assert gone["Top-1 (%)"] == gone["Best epoch, top-1 (%)"] == "not run yet"
    assert gone["Drop (points)"] == "–"
    assert cells(table, "GAP + FC", "last 7")["Seeds"] == "2 of 3"
    assert any("4 runs are missing" in note for note in table.notes)
    row = table.data[(table.data["operation"] == "gap_fc") & (table.data["last_k"] == 4)]
    assert row["top1"].isna().all()


def test_recipe_and_width_are_stated():
    results = simulate(make_grid({"a": experiment(recipe="fast", width=0.25)}), accuracy)
    assert any(
        "Fast recipe: 300 epochs, width 0.25, 3 seeds." in n for n in table_of(results).notes
    )


@pytest.fixture
def awkward() -> Table:
    text = "a|b & 5 % of $x_1$ #1 {~} \\ ^ ± × − – … <b>"
    shown = pd.DataFrame({"Na_me": [text, "plain"], "Top-1 (%)": ["71.20 ± 0.10", "−3.00"]})
    return Table(shown, shown, "A caption with 5 % & more", ["A note_with # signs."])


def test_files_are_written_in_all_forms(awkward, tmp_path):
    paths = write_tables(tmp_path / "table", awkward)
    assert [path.suffix for path in paths] == [".csv", ".md", ".tex", ".html"]
    with paths[0].open(newline="") as stream:
        assert [row["Na_me"] for row in csv.DictReader(stream)] == awkward.shown["Na_me"].tolist()
    assert "a\\|b" in paths[1].read_text()
    part = read_fragment(paths[3])
    assert "&lt;b&gt;" in part
    assert "<b>" not in part
    assert "<style>" not in part


def test_markdown_has_as_many_cells_in_each_row():
    results = simulate(make_grid({"a": experiment()}), accuracy)
    lines = [line for line in markdown(table_of(results)).splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert len(lines) == 2 + 5


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
@pytest.mark.slow
def test_latex_compiles(awkward, tmp_path):
    results = simulate(make_grid({"a": experiment()}), accuracy)
    both = latex(awkward, "tab:a") + latex(table_of(results), "tab:b")
    (tmp_path / "document.tex").write_text(DOCUMENT % both, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "document.pdf").stat().st_size > 1000


def test_latex_uses_booktabs_and_escapes(awkward):
    text = latex(awkward, "tab:a")
    rules = ["\\toprule", "\\midrule", "\\bottomrule"]
    escaped = [
        "\\caption{A caption with 5 \\% \\& more}",
        "71.20 $\\pm$ 0.10",
        "$-$3.00",
        "Na\\_me",
    ]
    for part in [*rules, *escaped, "\\label{tab:a}"]:
        assert part in text
    assert "\\begin{tabular}{lr}" in text
