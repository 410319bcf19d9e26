"""Which classes lose most and least when spatial information is removed."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.reporting import style, tidy
from spatialdep.reporting.images import ImageResults
from spatialdep.reporting.layers import where
from spatialdep.reporting.panels import PANEL
from spatialdep.reporting.rows import records
from spatialdep.reporting.statistics import over_seeds
from spatialdep.reporting.summary import (
    BASELINE,
    NothingFinishedError,
    Results,
    average_passes,
    pairs_with_baselines,
)
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import conditions, method_of, named, network, number, rank

DECLARATION = {
    "summary": "The classes whose accuracy falls most and least against the baseline.",
    "options": {
        "checkpoint": {
            "enum": ["last", "best"],
            "default": "last",
            "description": "Last epoch, or the best test epoch (the authors' convention).",
        },
        "last_k": {
            "type": "integer",
            "minimum": 1,
            "description": "Of which networks; by default all there are, a panel each.",
        },
        "classes": {
            "type": "integer",
            "minimum": 1,
            "default": 6,
            "description": "How many classes at either end.",
        },
    },
}

SETTING = [*PANEL, "operation", "options", "last_k", "units"]
NOTE = (
    "Accuracy of a class is the share of its test images that are classified correctly, mean over "
    "seeds (and passes); the drop is paired by seed, ± its standard deviation over seeds."
)


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return all classes of all settings, the largest drop first."""
    data = _changes(results, options)
    rows = records(data)
    shown = pd.DataFrame(
        {
            "Network": map(network, rows),
            "Method": map(method_of, rows),
            "Units": data["where"],
            "Class": data["class"].map(named),
            "Baseline (%)": data["baseline"].map(number),
            "Modified (%)": data["modified"].map(number),
            "Drop (points)": [
                number(row["drop"])
                + ("" if math.isnan(row["drop_sd"]) else f" ± {number(row['drop_sd'])}")
                for row in rows
            ],
        }
    ).astype(str)
    return Table(data, shown, "Change of accuracy by class", [NOTE])


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a panel for each setting: baseline and modified accuracy of the classes at both ends."""
    changes = _changes(results, options)
    groups = sorted(changes.groupby(SETTING), key=lambda group: rank(group[0]))
    shown = 2 * options["classes"] + 1
    with style.styled():
        columns = min(2, len(groups))
        lines = -(-len(groups) // columns)
        figure = style.canvas(
            (style.COLUMN, style.PAGE)[columns - 1], lines * (1.0 + 0.16 * min(shown, 41))
        )
        every = figure.subplots(lines, columns, squeeze=False).flat
        for axes, (_, own) in zip(every, groups, strict=False):
            first = records(own)[0]
            _panel(axes, own, options["classes"], style.looks([first["operation"]]))
            name = f"{network(first)}, {method_of(first)}"
            text = conditions(own, results.missing[:0]).replace("\n", ", ")
            style.header(axes, title if title and len(groups) == 1 else network(first),
                         f"{name.split(', ', 1)[1]}, {first['where']}\n{text}", 4)  # fmt: skip
        for axes in list(every):
            axes.remove()
        if title and len(groups) > 1:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _changes(results: Results, options: dict[str, Any]) -> pd.DataFrame:
    """Return a row a setting and class, the largest drop first."""
    averaged = average_passes(results.runs[results.runs["view"] == "trained"])
    averaged = averaged[averaged["checkpoint"] == options["checkpoint"]]
    modified = averaged[averaged["operation"] != BASELINE]
    if "last_k" in options:
        modified = modified[modified["last_k"] == options["last_k"]]
    pairs = pairs_with_baselines(modified, averaged)
    if pairs.empty:
        raise NothingFinishedError(
            "none of the figure's modified networks has a finished baseline of its seed yet, or "
            f"none has last_k {options.get('last_k', 'as asked')}: wait for one, or change last_k."
        )
    tables = [
        _setting_changes(own.sort_values("seed"), results.images)
        for _, own in pairs.groupby([*tidy.TRAINED])
    ]
    return pd.concat(tables, ignore_index=True).sort_values(
        [*SETTING, "drop", "class"], ascending=[True] * len(SETTING) + [False, True],
        ignore_index=True,
    )  # fmt: skip


def _setting_changes(pairs: pd.DataFrame, images: ImageResults) -> pd.DataFrame:
    first = records(pairs)[0]
    names = images.class_names(first["run"])
    before, after = (
        np.stack([_by_class(images, *key) for key in pairs[[run, view, "checkpoint"]].to_numpy()])
        for run, view in (("run_baseline", "view_baseline"), ("run", "view"))
    )
    drops = [over_seeds(column) for column in (before - after).T]
    return pd.DataFrame(
        {
            **{name: first[name] for name in [*SETTING, "epochs"]},
            "where": where(first),
            "seeds": len(pairs),
            "class": names,
            "baseline": before.mean(axis=0),
            "modified": after.mean(axis=0),
            "drop": [drop.mean for drop in drops],
            "drop_sd": [drop.sd for drop in drops],
        }
    ).dropna(subset="baseline")


def _by_class(images: ImageResults, run: str, view: str, checkpoint: str) -> np.ndarray:
    """Return the accuracy of each class, per cent; NaN for a class without test images."""
    labels = images.labels(run)
    correct = images.correct(run, view, checkpoint)
    count = len(images.class_names(run))
    with np.errstate(invalid="ignore"):
        return (
            100
            * np.bincount(labels, weights=correct, minlength=count)
            / np.bincount(labels, minlength=count)
        )


def _panel(axes: Axes, changes: pd.DataFrame, ends: int, looks: dict[str, style.Look]) -> None:
    look = looks[changes["operation"].iloc[0]]
    cut = len(changes) > 2 * ends
    rows = pd.concat([changes[:ends], changes[-ends:]]) if cut else changes
    gap = np.where(np.arange(len(rows)) >= ends, 1, 0) if cut else np.zeros(len(rows))
    heights = -(np.arange(len(rows)) + gap)
    axes.hlines(heights, rows["modified"], rows["baseline"], color=style.SOFT, lw=1)
    axes.plot(rows["baseline"], heights, "o", color=style.INK, mfc="white", gid="points baseline")
    axes.plot(
        rows["modified"], heights, look.marker, color=look.color, ls="", gid="points modified"
    )
    axes.set_yticks(heights, [named(name) for name in rows["class"]])
    if cut:
        axes.text(
            0.5, -ends, f"{len(changes) - 2 * ends} classes between", ha="center", va="center",
            fontsize=6.5, color=style.SOFT, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    axes.set_xlabel("Accuracy (%): ○ baseline, filled: modified")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
