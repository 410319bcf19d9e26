"""Accuracy against the size of the patches inside which positions lose their order."""

import json
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.reporting import style
from spatialdep.reporting.baseline import draw_baseline
from spatialdep.reporting.layers import where
from spatialdep.reporting.lines import BAND_NAMES, BANDS, Line, mark_missing
from spatialdep.reporting.panels import over_contexts
from spatialdep.reporting.rows import records
from spatialdep.reporting.setting_table import setting_table
from spatialdep.reporting.summary import BASELINE, Results, summarise
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import named

DECLARATION = {
    "summary": "Accuracy of patch_shuffle over the patch size, a line for each set of units.",
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

WHOLE = "whole map"


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return the figure's table: patch shuffles, and spatial shuffle as the largest patch."""
    return setting_table(
        _patched(summarise(results)), _patched(results.missing), "Shuffling inside patches"
    )


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a panel for each network, dataset, width and recipe."""
    summary = _patched(summarise(results, drops=False))

    def panel(axes: Axes, rows: pd.DataFrame, missing: pd.DataFrame) -> list[style.End]:
        return _panel(axes, rows, missing, options)

    return over_contexts(
        panel,
        summary[summary["checkpoint"] == options["checkpoint"]],
        _patched(results.missing),
        title,
        band=BAND_NAMES[options["band"]],
    )


def _patched(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep baselines and shuffles inside patches, with the patch size in ``patch``."""
    patches = [_patch(row["operation"], row["options"]) for row in records(rows)]
    return rows.assign(patch=pd.Series(patches, index=rows.index, dtype=object)).dropna(
        subset="patch"
    )


def _patch(operation: str, options: str) -> int | str | None:
    switches = json.loads(options)
    patch = switches.pop("patch", None)
    if switches:
        return None
    if operation == "patch_shuffle":
        return int(patch)
    known: dict[str, int | str] = {"spatial_shuffle": WHOLE, BASELINE: 1}
    return known.get(operation)


def _panel(
    axes: Axes, rows: pd.DataFrame, missing: pd.DataFrame, options: dict[str, Any]
) -> list[style.End]:
    both = pd.concat([rows[["patch"]], missing[["patch"]]])["patch"]
    sizes = sorted({size for size in both if size != WHOLE} | {1})
    ticks = [*sizes, *([WHOLE] if WHOLE in set(both) else [])]
    baseline = rows[rows["operation"] == BASELINE]
    lines = _lines(rows, missing, ticks, options)
    looks = style.looks([line.name for line in lines])
    ends = []
    for line in lines:
        line.draw(axes, looks[line.name])
        if line.end is not None:
            ends.append(style.End(line.end, line.label, looks[line.name].color))
    for row in records(baseline):
        height = draw_baseline(axes, row, options["metric"], options["band"])
        axes.plot(0, height, style.BASELINE_LOOK.marker, color=style.INK, gid="points baseline")
        ends.append(style.End(height, named(BASELINE), style.INK))
    axes.margins(y=0.08)
    axes.set_xticks(range(len(ticks)), [_tick(size) for size in ticks])
    axes.set_xlim(-0.2, len(ticks) - 0.8)
    axes.set_xlabel("Patch inside which positions are shuffled")
    axes.set_ylabel(f"{named(options['metric'])} test accuracy (%)")
    mark_missing(axes, [(line.missing, looks[line.name]) for line in lines])
    return ends


def _lines(
    rows: pd.DataFrame, missing: pd.DataFrame, ticks: list[Any], options: dict[str, Any]
) -> list[Line]:
    """Make a line of each set of modified units; all begin at the baseline, a patch of 1."""
    metric, (low, high) = options["metric"], BANDS[options["band"]]
    names = {metric: "value", f"{metric}_{low}": "low", f"{metric}_{high}": "high"}
    keys = pd.concat([rows[["last_k", "units"]], missing[["last_k", "units"]]]).drop_duplicates()
    lines = []
    for key in records(keys.sort_values(["last_k", "units"])):
        if not (key["last_k"] or key["units"]):
            continue
        own, lost = (
            table[(table["last_k"] == key["last_k"]) & (table["units"] == key["units"])]
            for table in (rows, missing)
        )
        begin = rows[rows["operation"] == BASELINE]
        points = pd.concat([begin, own]).rename(columns=names)
        points.index = [float(ticks.index(size)) for size in points["patch"]]
        gone = {float(ticks.index(size)) for size in lost["patch"]}
        points = points[["value", "low", "high"]].reindex(sorted({*points.index} | gone))
        points["complete"] = [place not in gone for place in points.index]
        lines.append(Line(where(key), where(key), points))
    return lines


def _tick(size: int | str) -> str:
    if size == WHOLE:
        return "whole\nmap"
    return f"{size}×{size}" if size != 1 else "1×1\n(none)"
