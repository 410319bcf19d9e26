"""Intervals against hand-computed values, against other libraries, and against known truth."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from spatialdep.reporting.statistics import (
    Estimate,
    bootstrap,
    outside,
    over_seeds,
    over_seeds_and_images,
    within,
)


def differences(
    generator: np.random.Generator, seeds: int, images: int, *, mean: float, between: float,
    image: float, noise: float,
) -> np.ndarray:  # fmt: skip
    """Draw differences with known mean and standard deviations of seeds, images and the rest."""
    return (
        mean
        + between * generator.standard_normal((seeds, 1))
        + image * generator.standard_normal((1, images))
        + noise * generator.standard_normal((seeds, images))
    )


def test_interval_over_seeds_is_the_one_in_the_textbook():
    # 70, 72, 74: mean 72, sd 2, error 2/√3, t(0.975, 2) = 4.3027.
    estimate = over_seeds([70.0, 72.0, 74.0])
    assert (estimate.mean, estimate.sd, estimate.seeds) == (72.0, 2.0, 3)
    assert estimate.interval() == pytest.approx((72 - 4.9683, 72 + 4.9683), abs=1e-4)


def test_interval_over_seeds_agrees_with_statsmodels():
    values = [71.2, 72.9, 72.4, 73.3, 70.8]
    for confidence in (0.9, 0.95):
        theirs = DescrStatsW(values).tconfint_mean(1 - confidence)
        assert over_seeds(values).interval(confidence) == pytest.approx(theirs)


def test_one_seed_gives_a_mean_and_nothing_else():
    estimate = over_seeds_and_images(np.ones((1, 100)))
    assert estimate.mean == 1
    assert not estimate.known
    assert np.isnan(estimate.sd)
    assert np.isnan(estimate.interval()).all()
    assert not within(estimate, -10, 10)
    assert not outside(estimate, 5, 10)


def test_bootstrap_repeats_itself_and_forgets_order():
    values = differences(np.random.default_rng(0), 3, 500, mean=0, between=1, image=1, noise=1)
    assert np.array_equal(bootstrap(values, seed=1), bootstrap(values, seed=1))
    assert not np.array_equal(bootstrap(values, seed=1), bootstrap(values, seed=2))
    shuffled = np.random.default_rng(1).permuted(values, axis=1)
    assert shuffled.mean() == pytest.approx(values.mean())


def test_bootstrap_error_is_that_of_the_variance_components():
    generator = np.random.default_rng(3)
    seeds, images = 6, 4000
    between, image, noise = 0.01, 0.5, 0.4
    truth = np.sqrt((between**2 + noise**2 / images) / seeds + image**2 / images)
    errors = [
        bootstrap(
            differences(
                generator, seeds, images, mean=0, between=between, image=image, noise=noise
            ),
            500,
        ).std()
        for _ in range(40)
    ]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(truth, rel=0.08)


@pytest.mark.parametrize(
    ("seeds", "between", "image", "noise"),
    [
        pytest.param(3, 0.05, 0.2, 0.5, id="seeds matter most"),
        pytest.param(3, 0.005, 0.5, 0.5, id="images matter most"),
        pytest.param(2, 0.05, 0.3, 0.5, id="two seeds"),
        pytest.param(10, 0.02, 0.2, 0.5, id="many seeds"),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_say(seeds, between, image, noise):
    generator = np.random.default_rng(7)
    trials, hits = 400, 0
    for trial in range(trials):
        values = differences(
            generator, seeds, 300, mean=1.0, between=between, image=image, noise=noise
        )
        low, high = over_seeds_and_images(values, replicates=200, seed=trial).interval()
        hits += low < 1.0 < high
    # Never too short beyond chance (three standard errors of the count), and not absurdly long.
    assert hits / trials >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials)
    assert hits / trials <= 0.995


def test_seeds_alone_would_not_cover():
    """The planted mistake: an interval from images alone is far too short."""
    generator = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        values = differences(generator, 3, 300, mean=1.0, between=0.2, image=0.2, noise=0.2)
        error = values.mean(axis=0).std(ddof=1) / np.sqrt(300)
        hits += abs(values.mean() - 1.0) < 1.96 * error
    assert hits / 200 < 0.5


def test_equivalence_agrees_with_two_one_sided_tests_of_statsmodels():
    generator = np.random.default_rng(0)
    for center in (0.0, 0.4, 0.8):
        values = center + 0.5 * generator.standard_normal(8)
        p = DescrStatsW(values).ttost_mean(-1, 1)[0]
        assert within(over_seeds(values), -1, 1) == (p < 0.05)


def test_lack_of_significance_is_not_equivalence():
    noisy = over_seeds([-4.0, 0.0, 5.0])
    assert stats.ttest_1samp([-4.0, 0.0, 5.0], 0).pvalue > 0.5
    assert not within(noisy, -1, 1)
    assert not outside(noisy, -1, 1)


@pytest.mark.parametrize(("truth", "shown"), [(1.0, within), (0.0, outside)])
def test_verdicts_err_at_most_as_often_as_their_level(truth, shown):
    """At the edge of the range (here −1 to 1) either finding would be wrong half the time."""
    generator = np.random.default_rng(11)
    trials, wrong = 600, 0
    for _ in range(trials):
        estimate = over_seeds(truth + 0.5 * generator.standard_normal(4))
        low, high = (-1, 1) if truth == 1.0 else (0, 1)
        wrong += shown(estimate, low, high)
    assert wrong / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_no_spread_at_all_decides():
    exact = Estimate(0.5, 0.0, 0.0, 1.0, 3)
    assert within(exact, 0, 1)
    assert outside(exact, 1, 2)
