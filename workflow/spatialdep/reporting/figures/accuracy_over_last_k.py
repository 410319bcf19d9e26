"""Accuracy against the number of last units that lost their spatial information."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatialdep.reporting import style
from spatialdep.reporting.baseline import draw_baseline
from spatialdep.reporting.lines import BAND_NAMES, last_k_lines, mark_missing
from spatialdep.reporting.panels import over_contexts
from spatialdep.reporting.rows import records
from spatialdep.reporting.setting_table import setting_table
from spatialdep.reporting.summary import BASELINE, Results, summarise
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import named

DECLARATION = {
    "summary": "Test accuracy over the number of last modified units, a line a method.",
    "options": {
        "metric": {
            "enum": ["top1", "top5"],
            "default": "top1",
            "description": "Which accuracy is drawn; the table has both.",
        },
        "checkpoint": {
            "enum": ["last", "best"],
            "default": "last",
            "description": "Last epoch, or the best test epoch (the authors' convention).",
        },
        "band": {
            "enum": ["range", "interval"],
            "default": "range",
            "description": "Lowest to highest seed, or the 95 % t interval of the mean over seeds.",
        },
    },
}


# Points that the second axis takes above the plot.
TOP_AXIS = 30


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return the figure's table: both checkpoints and both accuracies."""
    missing = results.missing[results.missing["units"] == ""]
    return setting_table(
        _by_last_k(results, drops=True), missing, "Test accuracy by the last modified units"
    )


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a panel for each architecture, dataset, width and recipe."""
    summary = _by_last_k(results, drops=False)
    summary = summary[summary["checkpoint"] == options["checkpoint"]]

    def panel(axes: Axes, rows: pd.DataFrame, missing: pd.DataFrame) -> list[style.End]:
        return _panel(axes, rows, missing, options)

    return over_contexts(
        panel, summary, results.missing, title, above=TOP_AXIS, band=BAND_NAMES[options["band"]]
    )


def _by_last_k(results: Results, *, drops: bool) -> pd.DataFrame:
    summary = summarise(results, drops=drops)
    return summary[summary["units"] == ""]


def _panel(
    axes: Axes, rows: pd.DataFrame, missing: pd.DataFrame, options: dict[str, Any]
) -> list[style.End]:
    lines = last_k_lines(rows, missing, options["metric"], options["band"])
    looks = style.looks([line.name for line in lines])
    ends = []
    baseline = rows[rows["operation"] == BASELINE]
    for line in lines:
        line.draw(axes, looks[line.name])
        if line.end is not None:
            ends.append(style.End(line.end, line.label, looks[line.name].color))
    for row in records(baseline):
        height = draw_baseline(axes, row, options["metric"], options["band"])
        axes.plot(0, height, style.BASELINE_LOOK.marker, color=style.INK, gid="points baseline")
        ends.append(style.End(height, named(BASELINE), style.INK))
    units = int(rows["unit_count"].iloc[0])
    axes.margins(y=0.08)
    axes.set_xlim(-0.3, units + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("Last units modified, $k$")
    axes.set_ylabel(f"{named(options['metric'])} test accuracy (%)")
    _percent_axis(axes, units)
    mark_missing(axes, [(line.missing, looks[line.name]) for line in lines])
    return ends


def _percent_axis(axes: Axes, units: int) -> None:
    top = axes.secondary_xaxis("top", functions=(_scaled(100 / units), _scaled(units / 100)))
    top.set_xticks([0, 20, 40, 60, 80, 100])
    top.set_xlabel("Share of layers (%)")


def _scaled(factor: float) -> Callable[[Any], Any]:
    return lambda values: factor * np.asarray(values)
