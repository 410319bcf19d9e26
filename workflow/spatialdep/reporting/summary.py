"""From the tidy table to one row a setting: accuracy over seeds, drop against the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spatialdep.errors import UserError
from spatialdep.reporting import tidy
from spatialdep.reporting.images import ImageResults
from spatialdep.reporting.rows import records
from spatialdep.reporting.statistics import CONFIDENCE, Estimate, over_seeds, over_seeds_and_images

BASELINE = "none"
MEASURES = ("top1", "top5", "loss")
# What follows from a setting.
FACTS = ("classes", "test_images", "unit_count", "layers_percent", "parameters")


class NothingFinishedError(UserError):
    """None of the runs that would be shown is finished yet."""


@dataclass(frozen=True)
class Results:
    """All that a table or figure is made of; nothing in reporting reads anything else."""

    runs: pd.DataFrame
    images: ImageResults
    histories: pd.DataFrame
    missing: pd.DataFrame


def average_passes(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run, view and checkpoint.

    It has the means over passes, their number ``passes`` and the standard deviation
    ``top1_pass_sd``.
    """
    key = ["run", "view", "checkpoint"]
    groups = runs.groupby(key, sort=True)
    averaged = groups.first().drop(columns=["pass", *MEASURES])
    averaged[list(MEASURES)] = groups[list(MEASURES)].mean()
    averaged["passes"] = groups.size()
    averaged["top1_pass_sd"] = groups["top1"].std()
    return averaged.reset_index()


def summarise(
    results: Results,
    *,
    views: Sequence[str] | None = ("trained",),
    confidence: float = CONFIDENCE,
    drops: bool = True,
) -> pd.DataFrame:
    """Summarise each setting and checkpoint over its seeds.

    Parameters
    ----------
    results
        What was collected.
    views
        Evaluations to summarise; None for all.
    confidence
        Of the intervals ``…_low`` to ``…_high``.
    drops
        Compare with baselines too, which takes most of the time; without it drops are NaN.

    Returns
    -------
    pandas.DataFrame
        A row a setting, view and checkpoint, in canonical order: the columns of
        :data:`tidy.SETTING` and :data:`FACTS`; ``seeds`` and ``passes`` (numbers of); ``top1``,
        ``top1_sd``, ``top1_low``, ``top1_high``, ``top1_min``, ``top1_max`` and the same for top5
        (per cent; over seeds, after averaging passes); ``top1_pass_sd`` (mean over seeds of the
        standard deviation over passes); ``drop…`` in percentage points, paired by seed with the
        baseline as trained, with an interval over seeds and test images; ``drop_seeds``.
    """
    if results.runs.empty:
        raise NothingFinishedError("none of the runs is finished yet: wait for the first.")
    averaged = average_passes(results.runs)
    baselines = baselines_of(averaged)
    if views is not None:
        averaged = averaged[averaged["view"].isin(views)]
    by = [*tidy.SETTING, "view", "checkpoint"]
    rows = []
    for _, unordered in averaged.groupby(by, sort=True):
        group = unordered.sort_values("seed")
        _refuse_repeated_seeds(group)
        first = records(group)[0]
        rows.append(
            {
                **{name: first[name] for name in [*by, *FACTS]},
                "seeds": len(group),
                "passes": int(group["passes"].min()),
                **_accuracy_cells(group, "top1", confidence),
                **_accuracy_cells(group, "top5", confidence),
                "top1_pass_sd": group["top1_pass_sd"].mean(),
                **_drop_cells(
                    paired_drop(results.images, baselines, group) if drops else None, confidence
                ),
            }
        )
    order = ["dataset", "architecture", "width", "recipe", "operation", "options", "layers_percent"]
    return pd.DataFrame(rows).sort_values(
        [*order, *(name for name in by if name not in order)], ignore_index=True
    )


def baselines_of(averaged: pd.DataFrame) -> pd.DataFrame:
    """Return the baselines, as trained, among evaluations from :func:`average_passes`."""
    return averaged[(averaged["operation"] == BASELINE) & (averaged["view"] == "trained")]


def paired_drop(
    images: ImageResults, baselines: pd.DataFrame, group: pd.DataFrame
) -> Estimate | None:
    """Estimate by how many percentage points the runs of ``group`` fall behind their baselines.

    Parameters
    ----------
    images
        Which images each run classified correctly.
    baselines
        Baseline evaluations, from :func:`average_passes`.
    group
        Evaluations of one setting, one a seed.

    Returns
    -------
    Estimate or None
        Paired by seed; None where no seed has a baseline.
    """
    pairs = pairs_with_baselines(group, baselines).sort_values("seed")
    if pairs.empty:
        return None
    differences = np.stack(
        [
            images.correct(pair["run_baseline"], pair["view_baseline"], pair["checkpoint"])
            - images.correct(pair["run"], pair["view"], pair["checkpoint"])
            for pair in records(pairs)
        ]
    )
    return over_seeds_and_images(100 * differences)


def pairs_with_baselines(runs: pd.DataFrame, averaged: pd.DataFrame) -> pd.DataFrame:
    """Return ``runs`` with the baseline of the same context and seed in columns ``…_baseline``."""
    return runs.merge(
        baselines_of(averaged),
        on=[*tidy.CONTEXT, "checkpoint", "seed"],
        suffixes=("", "_baseline"),
    )


def _accuracy_cells(group: pd.DataFrame, name: str, confidence: float) -> dict[str, float]:
    return {
        **_cells(name, over_seeds(group[name]), confidence),
        f"{name}_min": group[name].min(),
        f"{name}_max": group[name].max(),
    }


def _cells(name: str, estimate: Estimate, confidence: float) -> dict[str, float]:
    low, high = estimate.interval(confidence)
    return {
        name: estimate.mean,
        f"{name}_sd": estimate.sd,
        f"{name}_low": low,
        f"{name}_high": high,
    }


def _drop_cells(drop: Estimate | None, confidence: float) -> dict[str, float]:
    if drop is None:
        names = ("drop", "drop_sd", "drop_low", "drop_high")
        return {**dict.fromkeys(names, np.nan), "drop_seeds": 0}
    return {**_cells("drop", drop, confidence), "drop_seeds": drop.seeds}


def _refuse_repeated_seeds(group: pd.DataFrame) -> None:
    twice = group["seed"].duplicated()
    if twice.any():
        raise UserError(
            f"{group.loc[twice, 'run'].iloc[0]} has the same setting and seed as another run; "
            "expected one run a setting and seed: give them different seeds or options."
        )
