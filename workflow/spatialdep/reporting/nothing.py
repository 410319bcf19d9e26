"""What is shown of a figure none of whose runs is finished yet."""

import pandas as pd
from matplotlib.figure import Figure

from spatialdep.reporting import style
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import counted


def placeholder_figure(missing: pd.DataFrame, title: str) -> Figure:
    """Draw how many evaluations are missing."""
    with style.styled():
        figure = style.canvas(style.COLUMN, 1.2)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_title(title)
        axes.text(0, 0.5, _sentence(missing), va="center", color=style.SOFT, gid="notice")
    return figure


def placeholder_table(missing: pd.DataFrame) -> Table:
    """List the missing evaluations."""
    shown = pd.DataFrame(
        {"Run": missing["run"], "Evaluation": missing["view"], "Why": missing["reason"]}
    )
    return Table(missing, shown.astype(str), _sentence(missing), [])


def _sentence(missing: pd.DataFrame) -> str:
    return f"None of {counted(len(missing))} evaluations is finished yet."
