"""Accuracy of networks trained under one operation and tested under another, as a heat map."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.reporting import style
from spatialdep.reporting.layers import where
from spatialdep.reporting.panels import PANEL
from spatialdep.reporting.rows import records
from spatialdep.reporting.summary import BASELINE, NothingFinishedError, Results, summarise
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import conditions, method, method_of, network, number, rank

DECLARATION = {
    "summary": "Accuracy by the operation in training and the operation in testing.",
    "options": {
        "checkpoint": {
            "enum": ["last", "best"],
            "default": "last",
            "description": "Last epoch, or the best test epoch (the authors' convention).",
        },
    },
}

PLACE = ["last_k", "units"]
NOTE = (
    "Top-1 accuracy (%), mean ± standard deviation over seeds. A network keeps its weights, its "
    "strides and its poolings; only the operation in the modified units is another."
)


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return the matrix as a list: trained with, tested with, accuracy."""
    data = _cells(results, options["checkpoint"])
    rows = records(data)
    shown = pd.DataFrame(
        {
            "Network": map(network, rows),
            "Units": data["where"],
            "Trained with": data["trained"],
            "Tested with": data["tested"],
            "Seeds": data["seeds"],
            "Top-1 (%)": [
                number(row["top1"])
                + ("" if math.isnan(row["top1_sd"]) else f" ± {number(row['top1_sd'])}")
                for row in rows
            ],
        }
    ).astype(str)
    return Table(data, shown, "Trained under one operation, tested under another", [NOTE])


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a heat map for each network and each set of modified units."""
    cells = _cells(results, options["checkpoint"])
    groups = sorted(cells.groupby([*PANEL, *PLACE]), key=lambda group: rank(group[0]))
    if not groups:
        raise NothingFinishedError(
            "none of the figure's evaluations under another operation is finished yet."
        )
    columns = min(2, len(groups))
    size = max(len(own["trained"].unique()) for _, own in groups)
    top = 10 * np.ceil(cells["top1"].max() / 10)
    with style.styled():
        lines = -(-len(groups) // columns)
        figure = style.canvas((style.COLUMN, style.PAGE)[columns - 1], lines * (1.75 + 0.3 * size))
        every = figure.subplots(lines, columns, squeeze=False).flat
        for axes, (_, own) in zip(every, groups, strict=False):
            _panel(axes, own, top)
            first = records(own)[0]
            name = title if title and len(groups) == 1 else network(first)
            text = conditions(own, results.missing[:0])
            style.header(axes, f"{name}, {first['where']}", text, 4)
        for axes in list(every):
            axes.remove()
        if title and len(groups) > 1:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _cells(results: Results, checkpoint: str) -> pd.DataFrame:
    """Return a row a cell; the baseline is in the matrix of each set of units."""
    summary = summarise(results, views=None, drops=False)
    summary = summary[summary["checkpoint"] == checkpoint]
    modified = summary[summary["operation"] != BASELINE]
    plain = summary[summary["operation"] == BASELINE]
    under = plain[plain["view"] != "trained"]
    # A baseline modifies nothing in training; where it is modified in testing names its matrix.
    under = under.assign(last_k=under["evaluated_last_k"], units=under["evaluated_units"])
    places = pd.concat([modified, under])[[*PANEL, *PLACE]].drop_duplicates()
    own = plain[plain["view"] == "trained"].drop(columns=PLACE).merge(places, on=PANEL)
    cells = pd.concat([modified, under, own], ignore_index=True)
    rows = records(cells)
    return cells.assign(
        trained=[method_of(row) for row in rows],
        tested=[method(row["evaluated_operation"], row["evaluated_options"]) for row in rows],
        where=[where(row) for row in rows],
    ).sort_values([*PANEL, *PLACE, "operation", "evaluated_operation"], ignore_index=True)


def _panel(axes: Axes, cells: pd.DataFrame, top: float) -> None:
    names = sorted(
        {*cells["trained"], *cells["tested"]}, key=lambda name: (name != "baseline", name)
    )
    trained = [name for name in names if name in set(cells["trained"])]
    tested = [name for name in names if name in set(cells["tested"])]
    values = (
        cells.pivot(index="trained", columns="tested", values="top1")
        .reindex(index=trained, columns=tested)
        .to_numpy()
    )
    axes.grid(False)
    axes.imshow(values, cmap="cividis", vmin=0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        # Missing is a dash on white, never a colour.
        dark = not np.isnan(value) and sum(colormaps["cividis"](value / top)[:3]) < 1.5
        axes.text(
            column, row, number(value, 1), ha="center", va="center", fontsize=8,
            color="white" if dark else style.INK, gid="cell",
        )  # fmt: skip
    axes.set_xticks(range(len(tested)), tested, rotation=30, ha="right")
    axes.set_yticks(range(len(trained)), trained)
    axes.set_xlabel("Tested with")
    axes.set_ylabel("Trained with")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
