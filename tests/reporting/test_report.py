"""The overview and Snakemake's report of a real small project, opened without network."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import browser
import numpy as np
import pytest
from browser import DESK, PHONE, messages, opened, picture
from matplotlib.image import imread
from project import snakemake
from small import SMALL

pytestmark = pytest.mark.slow
needs_browser = pytest.mark.skipif(
    not (browser.CHROMIUM and browser.DRIVER), reason="there is no chromium with chromedriver"
)


def keep(path: Path) -> None:
    """Copy a picture to where people can look at it, if they say where."""
    if place := os.environ.get("SPATIALDEP_TEST_PICTURES"):
        shutil.copy(path, place)


@needs_browser
@pytest.mark.parametrize(("name", "size"), [("desk", DESK), ("phone", PHONE)])
def test_overview_opens_offline_and_shows_every_figure(small_project, tmp_path, name, size):
    with opened(small_project / "results" / "overview.html", size) as page:
        assert messages(page) == []
        shown = page.execute_script(
            "return [...document.querySelectorAll('figure')].map(figure => [figure.id, "
            "figure.querySelector('img').naturalWidth, figure.querySelector('img').width])"
        )
        assert [figure for figure, _, _ in shown] == SMALL["targets"]
        assert all(natural > 100 and width > 100 for _, natural, width in shown)
        wide = page.execute_script("return document.documentElement.scrollWidth")
        assert wide <= size[0], "nothing makes the page scroll sideways"
        verdicts = page.execute_script(
            "return [...document.querySelectorAll('.verdict')].map(each => each.textContent)"
        )
        assert verdicts == ["not run"] * 6
        text = page.execute_script("return document.body.innerText")
        for part in ("What holds", "0.03 points", "2.66 points", "Nothing: every evaluation",
                     "Hours of training", "A title", "tiny recipe (1 epoch)"):  # fmt: skip
            assert part in text
        page.execute_script(
            "document.querySelectorAll('details').forEach(each => each.open = true)"
        )
        text = page.execute_script("return document.body.innerText")
        for part in ("GAP + FC", "Top-1 (%)", '"batch_size": 100', "Undecided"):
            assert part in text
        assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
        taken = picture(page, tmp_path / f"overview_{name}.png", size)
    keep(taken)
    pixels = imread(taken)
    assert pixels.shape[1] == size[0]
    assert np.ptp(pixels) > 0.9, "something is drawn"


@pytest.fixture(scope="module")
def report(small_project: Path) -> Path:
    snakemake(small_project, "--report", "report.html")
    return small_project / "report.html"


@needs_browser
@pytest.mark.parametrize(("name", "size"), [("desk", DESK), ("phone", PHONE)])
def test_snakemakes_report_opens_offline_with_everything_in_it(report, tmp_path, name, size):
    with opened(report, size) as page:
        severe = [each for each in messages(page) if each["level"] == "SEVERE"]
        assert severe == []
        results = page.execute_script(
            "return Object.entries(results).map(([path, each]) => [path, each.mime_type, "
            "each.caption, each.data_uri.length])"
        )
        captions = {Path(path).name: caption for path, _, caption, _ in results}
        assert all(size > 500 for *_, size in results)
        for figure in SMALL["targets"]:
            assert f"{figure}.svg" in captions
            assert f"{figure}.html" in captions
        assert {"overview.html", "claims.html"} <= captions.keys()
        assert "second axis" in captions["accuracy.svg"]
        assert "digits" in captions["accuracy.svg"]
        assert "recipe <em>tiny</em> (1 epoch)" in captions["classes.svg"]
        page.execute_script("app.showCategory('Figures')")
        taken = picture(page, tmp_path / f"report_{name}.png", size)
    keep(taken)
    assert np.ptp(imread(taken)) > 0.9


def test_tables_of_all_kinds_are_there_and_whole(small_project):
    tables = small_project / "results" / "tables"
    for figure in SMALL["targets"]:
        with (tables / f"{figure}.csv").open(newline="") as stream:
            assert len(list(csv.DictReader(stream))) > 0, figure
    with (tables / "runs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    # Two seeds of baseline, shuffle and GAP + FC; a random view has the two passes asked for.
    assert len({row["run"] for row in rows}) == 6
    assert {(row["view"], row["pass"]) for row in rows if row["operation"] == "none"} == {
        ("trained", "0"), ("as_spatial_shuffle_last4", "0"), ("as_spatial_shuffle_last4", "1"),
    }  # fmt: skip
    for row in rows:
        counted = 300 * float(row["top1"]) / 100
        assert counted == pytest.approx(round(counted), abs=1e-6)


def test_last_epochs_accuracy_agrees_with_what_training_saw(small_project):
    """Two programs, one in bfloat16 batches of 100, one in float32: they may differ by a little."""
    tables = small_project / "results" / "tables"
    with (tables / "histories.csv").open(newline="") as stream:
        seen = {row["run"]: float(row["test_top1"]) for row in csv.DictReader(stream)}
    with (tables / "runs.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["operation"] == "none" and (row["view"], row["checkpoint"]) == (
                "trained",
                "last",
            ):
                assert float(row["top1"]) == pytest.approx(seen[row["run"]], abs=2)


def test_preview_shows_what_is_there_and_names_what_is_not(small_project, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(small_project, folder, symlinks=True)
    lost = "digits/tiny/vgg16-w0.0625/gap_fc/last4/seed1"
    shutil.rmtree(folder / "results" / "evaluations" / lost)
    shutil.rmtree(folder / "results" / "runs" / lost)
    log = folder / "results" / "logs" / "train" / f"{lost}.log"
    log.write_text("epoch 1\nerror: out of memory on the device: use a smaller batch.\n")
    snakemake(folder, "--cores", "2", "preview")
    preview = folder / "results" / "preview"
    assert not (folder / "results" / "runs" / lost).exists(), "nothing is trained for a preview"
    with (preview / "tables" / "missing.csv").open(newline="") as stream:
        missing = list(csv.DictReader(stream))
    assert [(row["run"], row["view"]) for row in missing] == [(lost, "trained")]
    assert missing[0]["reason"] == (
        "failed (train): out of memory on the device: use a smaller batch."
    )
    text = (preview / "overview.html").read_text()
    assert lost in text
    assert "failed (train)" in text
    table = (preview / "tables" / "accuracy.md").read_text()
    line = next(line for line in table.splitlines() if line.startswith("| GAP + FC"))
    assert "1 of 2" in line
    svg = (preview / "figures" / "accuracy.svg").read_text()
    assert "not run yet" in svg


def test_preview_of_nothing_at_all_is_a_preview_too(small_project, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(small_project, folder, symlinks=True)
    shutil.rmtree(folder / "results" / "evaluations")
    wanted = ["tables/accuracy.md", "figures/accuracy.svg", "tables/claims.md"]
    snakemake(folder, "--cores", "2", *(f"results/preview/{each}" for each in wanted))
    preview = folder / "results" / "preview"
    for each in wanted[:2]:
        assert "None of 6 evaluations is finished yet" in (preview / each).read_text()
    assert "not run" in (preview / "tables" / "claims.md").read_text()


def test_altered_and_stale_evaluations_are_refused(small_project, tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(small_project, folder, symlinks=True)
    grid = json.loads((folder / "results/tables/accuracy/stamp.json").read_text())["configuration"]
    command = ["--name", "accuracy", "--grid", json.dumps(grid), "--evaluations",
               "results/evaluations", "--out", "out"]  # fmt: skip
    one = folder / "results/evaluations/digits/tiny/vgg16-w0.0625/none/last0/seed0/trained"
    grid_with_more = {**grid, "recipes": {"tiny": {**grid["recipes"]["tiny"], "epochs": 2}}}
    other = [*command[:3], json.dumps(grid_with_more), *command[4:]]
    assert "another configuration" in collect(folder, other)
    evaluation = one / "evaluation.json"
    evaluation.write_text(evaluation.read_text().replace('"epoch": 1', '"epoch": 2'))
    assert "altered" in collect(folder, command)
    shutil.rmtree(one)
    assert "is missing" in collect(folder, command)


def collect(folder: Path, arguments: list[str]) -> str:
    """Run collect, which must fail with one sentence and write nothing; return the sentence."""
    done = subprocess.run(
        [sys.executable, "-m", "spatialdep.commands.collect", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder / "workflow")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()
    return done.stderr
