"""One panel for each network, dataset, width and recipe, so that these are never mixed in one."""

import math
from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.reporting import style
from spatialdep.reporting.rows import records
from spatialdep.reporting.summary import NothingFinishedError
from spatialdep.reporting.wording import conditions, network, rank

# Of these, missing.csv knows all; the recipe's numbers follow from its name within one table.
PANEL = ["dataset", "architecture", "width", "recipe"]
COLUMNS = 2

DrawPanel = Callable[[Axes, pd.DataFrame, pd.DataFrame], Sequence[style.End]]


def over_contexts(
    draw: DrawPanel,
    rows: pd.DataFrame,
    missing: pd.DataFrame,
    title: str | None,
    *,
    height: float = 2.7,
    above: float = 4,
    band: str = "",
) -> Figure:
    """Draw one panel for each context, under its own header.

    Parameters
    ----------
    draw
        Draws into axes from the context's summary rows and missing rows, and returns what is to be
        written beside the right ends of lines.
    rows
        Summary rows.
    missing
        Rows of ``missing.csv``.
    title
        Instead of the network's name, where there is one panel; above the panels, where there are
        several.
    height
        Of a panel, inches.
    above
        Distance between axes and header, points.
    band
        What shows the spread over seeds, for the header.

    Raises
    ------
    NothingFinishedError
        If there is nothing to draw.
    """
    groups = sorted(rows.groupby(PANEL), key=lambda group: rank(group[0]))
    if not groups:
        raise NothingFinishedError("none of the figure's runs is finished yet: wait for one.")
    columns = min(COLUMNS, len(groups))
    lines = math.ceil(len(groups) / columns)
    with style.styled():
        figure = style.canvas((style.COLUMN, style.PAGE)[columns - 1], height * lines)
        every = figure.subplots(lines, columns, squeeze=False).flat
        ends = []
        for axes, (context, own) in zip(every, groups, strict=False):
            lost = missing[(missing[PANEL] == list(context)).all(axis=1)]
            ends.append((axes, draw(axes, own, lost)))
            alone = title if title and len(groups) == 1 else network(records(own)[0])
            style.header(axes, alone, conditions(own, lost, band), above)
        for axes in list(every):
            axes.remove()
        if title and len(groups) > 1:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        # Only the finished layout tells how far apart labels must be.
        figure.draw_without_rendering()
        for axes, labels in ends:
            style.label_ends(axes, labels)
    return figure
