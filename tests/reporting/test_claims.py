"""The verdict's rule: what holds, what does not, what is undecided, and what does not count."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from simulation import PAPER_RECIPE, experiment, make_grid, simulate

from spatialdep.errors import UserError
from spatialdep.reporting.claims import (
    FAILS,
    HOLDS,
    NOT_RUN,
    UNDECIDED,
    judge,
    read_claims,
    together,
    verdict,
)
from spatialdep.reporting.claims_table import claims_table
from spatialdep.reporting.statistics import over_seeds
from spatialdep.reporting.tables import markdown

CLAIMS = Path(__file__).parents[2] / "config" / "claims.yaml"


def findings(truth, *, claims=CLAIMS, numbers=None, number=10000, seed_sd=0.1, **changes):
    grid = make_grid({"a": experiment(**changes)}, numbers)
    results = simulate(grid, truth, number=number, seed_sd=seed_sd)
    tests, confidence = read_claims(claims)
    return judge(tests, results, confidence)


def verdicts(found, claim):
    return {each.test.operation: each.verdict for each in found if each.test.claim == claim}


def drops(last4, last7):
    return lambda view: 73.0 - {0: 0.0, 4: last4, 7: last7}[view.run.last_k]


def test_the_paper_as_it_is_holds():
    found = findings(drops(0.03, 2.66), seeds=[0, 1, 2, 3, 4])
    for claim in ("last_30_percent", "last_53_percent"):
        assert set(verdicts(found, claim).values()) == {HOLDS}


def test_a_planted_wrong_claim_does_not_hold(tmp_path):
    whole = yaml.safe_load(CLAIMS.read_text())
    whole["claims"]["last_30_percent"]["expected"] = 8.0
    wrong = tmp_path / "claims.yaml"
    wrong.write_text(yaml.safe_dump(whole))
    found = findings(drops(0.03, 2.66), claims=wrong, seeds=[0, 1, 2, 3, 4])
    assert set(verdicts(found, "last_30_percent").values()) == {FAILS}
    assert set(verdicts(found, "last_53_percent").values()) == {HOLDS}


def test_another_truth_does_not_hold():
    found = findings(drops(5.0, 9.0), seeds=[0, 1, 2, 3, 4])
    for claim in ("last_30_percent", "last_53_percent"):
        assert set(verdicts(found, claim).values()) == {FAILS}


def test_one_seed_decides_nothing():
    found = findings(drops(0.03, 2.66), seeds=[0])
    assert set(verdicts(found, "last_30_percent").values()) == {UNDECIDED}
    remarks = {each.remark for each in found if each.drop is not None}
    assert all("one seed gives no interval" in remark for remark in remarks)


def test_noise_decides_nothing():
    found = findings(drops(0.03, 2.66), seeds=[0, 1], number=500, seed_sd=1.0)
    assert set(verdicts(found, "last_30_percent").values()) == {UNDECIDED}


@pytest.mark.parametrize(
    ("changes", "numbers", "word"),
    [
        ({"width": 0.25}, None, "width 0.25"),
        ({"recipe": "fast"}, {**PAPER_RECIPE, "epochs": 30}, "fast recipe"),
        ({}, {**PAPER_RECIPE, "learning_rate": 0.05}, "paper recipe"),
        (
            {"options": {"downsampling": "pooled"}, "operations": ["spatial_shuffle"]},
            None,
            "pooled",
        ),
    ],
)
def test_runs_of_another_setting_never_count(changes, numbers, word):
    """However well they agree: reduced width, another recipe under any name, another switch."""
    found = findings(drops(0.03, 2.66), numbers=numbers, **changes)
    own = [each for each in found if each.test.claim == "last_30_percent"]
    assert {each.verdict for each in own} == {NOT_RUN}
    shuffled = next(each for each in own if each.test.operation == "spatial_shuffle")
    assert word in shuffled.remark
    assert "do not count" in shuffled.remark


def test_runs_without_baseline_are_not_run():
    grid = make_grid({"a": experiment()})
    results = simulate(grid, drops(0, 0), lost=lambda view: view.run.is_baseline)
    found = judge(read_claims(CLAIMS)[0], results, 0.95)
    one = next(each for each in found if each.test.claim == "last_30_percent")
    assert (one.verdict, one.drop) == (NOT_RUN, None)
    assert "no baseline" in one.remark


def test_pattern_needs_all_settings():
    found = findings(drops(0.03, 2.66), seeds=[0, 1, 2, 3, 4])
    pattern = [each for each in found if each.test.claim == "pattern"]
    assert len(pattern) == 18
    ours = {each.verdict for each in pattern if each.test.architecture == "vgg16"
            and each.test.setting == "cifar100"}  # fmt: skip
    assert ours == {HOLDS}
    table = claims_table(found, 0.95)
    total = table.data[table.data["setting"] == "all 9 settings"]
    assert set(total["verdict"]) == {UNDECIDED}
    assert set(total["remark"]) == {"1 holds, 8 not run"}


@pytest.mark.parametrize(
    ("each", "whole"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([HOLDS, FAILS, NOT_RUN], FAILS),
        ([HOLDS, NOT_RUN], UNDECIDED),
        ([UNDECIDED, HOLDS], UNDECIDED),
        ([NOT_RUN, NOT_RUN], NOT_RUN),
    ],
)
def test_verdicts_together(each, whole):
    assert together(each) == whole


@pytest.mark.parametrize("truth", [-0.97, 1.03])
def test_a_claim_at_the_edge_is_wrongly_decided_at_most_at_the_level(truth):
    """A drop exactly at an end of the range: neither verdict is right, each is at most 5 %."""
    generator = np.random.default_rng(5)
    counts = {HOLDS: 0, FAILS: 0, UNDECIDED: 0}
    trials = 500
    for _ in range(trials):
        drop = over_seeds(truth + 0.3 * generator.standard_normal(5))
        counts[verdict(drop, -0.97, 1.03, 0.95)] += 1
    limit = trials * (0.05 + 3 * np.sqrt(0.05 * 0.95 / trials))
    assert counts[HOLDS] <= limit
    assert counts[FAILS] <= limit
    assert counts[UNDECIDED] >= 0.8 * trials


def test_only_the_numbers_of_the_abstract_stand_as_the_papers():
    tests, _ = read_claims(CLAIMS)
    assert {each.expected for each in tests if np.isfinite(each.expected)} == {0.03, 2.66}
    assert {each.high for each in tests if not np.isfinite(each.low)} == {2.66}
    assert {each.source for each in tests} == {"[abstract]"}
    places = {(each.architecture, each.last_k) for each in tests if each.claim != "pattern"}
    assert places == {("vgg16", 4), ("vgg16", 7)}


def test_table_says_what_was_claimed_measured_and_found():
    found = findings(drops(0.03, 2.66), seeds=[0, 1, 2, 3, 4])
    text = markdown(claims_table(found, 0.95))
    line = next(
        line for line in text.splitlines() if line.startswith("| last 53 percent | spatial")
    )
    assert all(part in line for part in ("2.66", " to ", " 5 ", "holds"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda whole: whole["claims"]["pattern"].pop("at_most"), "pattern"),
        (lambda whole: whole["claims"]["pattern"].update(source="table 3"), "source"),
        (lambda whole: whole["settings"]["cifar100"].update(epochs_in_all=300), "epochs_in_all"),
        (lambda whole: whole["settings"].pop("imagenet"), "imagenet"),
        (lambda whole: whole["claims"].update(extra=1), "extra"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(tmp_path, change, word):
    whole = yaml.safe_load(CLAIMS.read_text())
    change(whole)
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(whole))
    with pytest.raises(UserError, match=word):
        read_claims(path)
