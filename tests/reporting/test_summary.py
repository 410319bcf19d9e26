"""Settings are summarised over seeds, and drops are paired with the right baseline."""

import numpy as np
import pandas as pd
import pytest
from simulation import experiment, make_grid, simulate

from spatialdep.reporting.summary import average_passes, summarise


def accuracy(view):
    return 72.0 - 2.0 * view.run.last_k / 4


def of(summary, operation, last_k, checkpoint="last"):
    chosen = summary[
        (summary["operation"] == operation)
        & (summary["last_k"] == last_k)
        & (summary["checkpoint"] == checkpoint)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture(scope="module")
def results():
    return simulate(make_grid({"a": experiment()}), accuracy)


def test_passes_are_averaged_before_seeds(results):
    averaged = average_passes(results.runs)
    shuffled = averaged[averaged["operation"] == "spatial_shuffle"]
    assert set(shuffled["passes"]) == {3}
    one = shuffled.iloc[0]
    own = results.runs[
        (results.runs["run"] == one["run"]) & (results.runs["checkpoint"] == one["checkpoint"])
    ]
    assert one["top1"] == pytest.approx(own["top1"].mean())
    assert one["top1_pass_sd"] == pytest.approx(own["top1"].std())


def test_mean_and_spread_over_seeds_are_those_of_the_runs(results):
    summary = summarise(results)
    row = of(summary, "gap_fc", 7)
    own = results.runs[
        (results.runs["operation"] == "gap_fc")
        & (results.runs["last_k"] == 7)
        & (results.runs["checkpoint"] == "last")
    ]["top1"]
    assert row["seeds"] == 3
    assert row["top1"] == pytest.approx(own.mean())
    assert row["top1_sd"] == pytest.approx(own.std())
    assert (row["top1_min"], row["top1_max"]) == (own.min(), own.max())
    assert row["top1_low"] < row["top1_min"]


def test_drop_is_the_mean_of_paired_differences(results):
    summary = summarise(results)
    averaged = average_passes(results.runs)
    averaged = averaged[averaged["checkpoint"] == "last"].set_index(["operation", "last_k", "seed"])
    for operation in ("spatial_shuffle", "gap_fc"):
        paired = (averaged.loc[("none", 0), "top1"] - averaged.loc[(operation, 7), "top1"]).mean()
        row = of(summary, operation, 7)
        assert row["drop"] == pytest.approx(paired, abs=1e-4)
        assert row["drop_low"] < row["drop"] < row["drop_high"]
        assert row["drop_seeds"] == 3
    assert of(summary, "none", 0)["drop"] == 0


def test_only_seeds_with_their_own_baseline_are_paired():
    results = simulate(
        make_grid({"a": experiment()}),
        accuracy,
        lost=lambda view: view.run.is_baseline and view.run.seed == 1,
    )
    row = of(summarise(results), "gap_fc", 4)
    assert (row["seeds"], row["drop_seeds"]) == (3, 2)


def test_a_baseline_of_another_recipe_or_width_is_no_baseline():
    results = simulate(
        make_grid({"a": experiment(), "b": experiment(recipe="fast", width=0.25)}),
        accuracy,
        lost=lambda view: view.run.is_baseline and view.run.recipe.name == "paper",
    )
    summary = summarise(results)
    paper = summary[(summary["recipe"] == "paper") & (summary["operation"] != "none")]
    assert paper["drop"].isna().all()
    assert (paper["drop_seeds"] == 0).all()


def test_one_seed_gives_no_interval():
    results = simulate(make_grid({"a": experiment(seeds=[0])}), accuracy)
    row = of(summarise(results), "gap_fc", 4)
    assert np.isfinite([row["top1"], row["drop"]]).all()
    assert np.isnan([row["top1_sd"], row["top1_low"], row["drop_low"], row["drop_high"]]).all()


def test_seed_order_changes_nothing():
    one, other = (
        summarise(simulate(make_grid({"a": experiment(seeds=seeds)}), accuracy))
        for seeds in ([0, 1, 2], [2, 0, 1])
    )
    pd.testing.assert_frame_equal(one, other)
