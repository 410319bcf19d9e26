"""Accuracy when one single layer is modified, over the place of that layer."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.reporting import style
from spatialdep.reporting.baseline import draw_baseline
from spatialdep.reporting.layers import modified_units
from spatialdep.reporting.lines import BAND_NAMES, BANDS, method_name
from spatialdep.reporting.panels import over_contexts
from spatialdep.reporting.rows import records
from spatialdep.reporting.setting_table import setting_table
from spatialdep.reporting.summary import BASELINE, Results, summarise
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import method, named
from spatialdep.specification.settings import unit_names

DECLARATION = {
    "summary": "Accuracy when one unit alone is modified, over the units in their order.",
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


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return the figure's table."""
    return setting_table(
        _single(summarise(results)), _single(results.missing), "One unit modified at a time"
    )


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a panel for each network, dataset, width and recipe."""
    summary = _single(summarise(results, drops=False))

    def panel(axes: Axes, rows: pd.DataFrame, missing: pd.DataFrame) -> list[style.End]:
        return _panel(axes, rows, missing, options)

    return over_contexts(
        panel,
        summary[summary["checkpoint"] == options["checkpoint"]],
        _single(results.missing),
        title,
        band=BAND_NAMES[options["band"]].replace("bands", "bars"),
    )


def _single(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep baselines and settings with one modified unit; the last one counts as last 1."""
    units = [modified_units(row) for row in records(rows)]
    named_units = rows.assign(unit=["+".join(names) for names in units])
    return named_units.loc[[len(names) <= 1 for names in units]]


def _panel(
    axes: Axes, rows: pd.DataFrame, missing: pd.DataFrame, options: dict[str, Any]
) -> list[style.End]:
    names = unit_names(str(rows["architecture"].iloc[0]))
    place = {name: number for number, name in enumerate(names)}
    modified = rows[rows["operation"] != BASELINE]
    methods = sorted({(row["operation"], row["options"]) for row in records(modified)})
    looks = style.looks([method_name(*each) for each in methods])
    low, high = BANDS[options["band"]]
    metric = options["metric"]
    handles, ends = [], []
    for number, each in enumerate(methods):
        own = modified[(modified["operation"] == each[0]) & (modified["options"] == each[1])]
        look = looks[method_name(*each)]
        x = own["unit"].map(place) + 0.16 * (number - (len(methods) - 1) / 2)
        value = own[metric]
        spread = np.array([value - own[f"{metric}_{low}"], own[f"{metric}_{high}"] - value])
        axes.errorbar(
            x, value, np.nan_to_num(spread), ls="", marker=look.marker, color=look.color,
            elinewidth=1, gid=f"points {method_name(*each)}",
        )  # fmt: skip
        handles.append(style.handle(style.Look(look.color, look.marker, ""), method(*each)))
    for row in records(rows[rows["operation"] == BASELINE]):
        height = draw_baseline(axes, row, metric, options["band"])
        ends.append(style.End(height, named(BASELINE), style.INK))
    axes.set_xlim(-0.6, len(names) - 0.4)
    step = -(-len(names) // 20)
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=60, ha="right")
    axes.tick_params(axis="x", pad=1)
    axes.set_xlabel("Modified unit, from input to output")
    axes.set_ylabel(f"{named(metric)} test accuracy (%)")
    lost = sorted({place[unit] for unit in missing["unit"] if unit})
    style.cross_out(axes, lost)
    axes.legend(handles=handles, loc="best")
    return ends
