"""Drop of accuracy against the share of layers: all networks and datasets in one figure."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.reporting import style
from spatialdep.reporting.lines import BANDS, Line, last_k_lines, mark_missing
from spatialdep.reporting.panels import PANEL
from spatialdep.reporting.rows import records
from spatialdep.reporting.setting_table import setting_table
from spatialdep.reporting.summary import BASELINE, NothingFinishedError, Results, summarise
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import MISSING_MARKS, epochs, network, rank, seeds

DECLARATION = {
    "summary": "Drop against the baseline over the share of modified layers, a line a network.",
    "options": {
        "checkpoint": {
            "enum": ["last", "best"],
            "default": "last",
            "description": "Last epoch, or the best test epoch (the authors' convention).",
        },
    },
}


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return the figure's table."""
    missing = results.missing[results.missing["units"] == ""]
    summary = summarise(results)
    return setting_table(
        summary[summary["units"] == ""], missing, "Drop of accuracy by the share of layers"
    )


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a panel for each operation, and in it a line for each network, width and recipe."""
    summary = summarise(results)
    chosen = (summary["units"] == "") & (summary["checkpoint"] == options["checkpoint"])
    summary = summary[chosen].assign(drop_share=lambda rows: rows["layers_percent"])
    lines = _lines(summary, results.missing)
    if not lines:
        raise NothingFinishedError(
            "none of the figure's modified networks is finished yet: wait for one."
        )
    operations = sorted({line.name for _, line in lines})
    contexts = list(dict.fromkeys(label for label, _ in lines))
    looks = style.looks(contexts)
    with style.styled():
        columns = min(len(operations), 2)
        rows = -(-len(operations) // columns)
        legend = 0.17 * len(contexts) + 0.15
        figure = style.canvas((style.COLUMN, style.PAGE)[columns - 1], 2.4 * rows + legend)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, operation in zip(grid.flat, operations, strict=False):
            own = [(label, line) for label, line in lines if line.name == operation]
            _panel(axes, own, looks, next(line.label for _, line in own))
        for axes in grid.flat[len(operations) :]:
            axes.remove()
        for axes in grid[:, 0]:
            axes.set_ylabel("Drop of top-1 accuracy (points)")
        handles = [style.handle(looks[label], label) for label in contexts]
        note = MISSING_MARKS if any(line.missing for _, line in lines) else None
        figure.legend(
            handles=handles, loc="outside lower left", ncols=1, title=note, alignment="left",
            title_fontsize=7,
        )  # fmt: skip
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _lines(summary: pd.DataFrame, missing: pd.DataFrame) -> list[tuple[str, Line]]:
    """Return each line with the name of its network and conditions, over the share of layers."""
    lines = []
    for context, rows in sorted(summary.groupby(PANEL), key=lambda group: rank(group[0])):
        lost = missing[(missing[PANEL] == list(context)).all(axis=1)]
        units = int(rows["unit_count"].iloc[0])
        for line in last_k_lines(_zero_baseline(rows), lost, "drop", "interval"):
            points = line.points.set_index(100 * line.points.index / units)
            lines.append((_label(rows), Line(line.name, line.label, points)))
    return lines


def _zero_baseline(rows: pd.DataFrame) -> pd.DataFrame:
    """Give the baseline a drop of nothing, as it is what drops are measured from."""
    columns = ["drop", *(f"drop_{suffix}" for suffix in BANDS["interval"])]
    rows = rows.copy()
    rows.loc[rows["operation"] == BASELINE, columns] = 0.0
    return rows


def _label(rows: pd.DataFrame) -> str:
    first = records(rows)[0]
    width = "" if first["width"] == 1 else f", width {first['width']:g}"
    return (
        f"{network(first)}{width} ({first['recipe']} recipe, {epochs(first['epochs'])}, "
        f"{seeds(rows['seeds'])})"
    )


def _panel(
    axes: Axes, lines: list[tuple[str, Line]], looks: dict[str, style.Look], title: str
) -> None:
    axes.axhline(0, color=style.INK, lw=0.8, gid="zero")
    for label, line in lines:
        line.draw(axes, looks[label])
    mark_missing(axes, [(line.missing, looks[label]) for label, line in lines])
    axes.set_xlim(-2, 102)
    axes.set_xticks(np.arange(0, 101, 20))
    axes.set_xlabel("Share of layers modified (%)")
    axes.set_title(title)
