"""Accuracy or loss over the epochs of training."""

from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatialdep.reporting import style, tidy
from spatialdep.reporting.layers import where
from spatialdep.reporting.panels import PANEL
from spatialdep.reporting.rows import Row, records
from spatialdep.reporting.summary import BASELINE, NothingFinishedError, Results
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import conditions, method_of, named, network, number, rank

DECLARATION = {
    "summary": "Test accuracy (or another column of the histories) over epochs, by last k.",
    "options": {
        "metric": {
            "enum": ["test_top1", "train_top1", "test_loss", "train_loss"],
            "default": "test_top1",
            "description": "Which column of the histories is drawn; the table has the last values.",
        },
    },
}

BAND = "bands from lowest to highest seed"
LABELS = {
    "test_top1": "Top-1 test accuracy (%)",
    "train_top1": "Top-1 training accuracy (%)",
    "test_loss": "Test loss (nats)",
    "train_loss": "Training loss (nats)",
}
SETTING = [*PANEL, "operation", "options", "last_k", "units"]


def table(results: Results, options: dict[str, Any]) -> Table:
    """Return the last epoch of each setting, mean over seeds."""
    curves = _curves(results)
    last = curves[curves["epoch"] == curves.groupby("run")["epoch"].transform("max")]
    data = last.groupby([*SETTING, "where"], as_index=False).agg(
        seeds=("run", "nunique"),
        epoch=("epoch", "max"),
        **{name: (name, "mean") for name in LABELS},
    )
    rows = records(data)
    shown = pd.DataFrame(
        {
            "Network": map(network, rows),
            "Method": map(method_of, rows),
            "Units": data["where"],
            "Seeds": data["seeds"],
            "Epoch": data["epoch"],
            **{label: data[name].map(number) for name, label in LABELS.items()},
        }
    ).astype(str)
    note = "As measured during training, at the last epoch, mean over seeds."
    return Table(data, shown, "Training at its last epoch", [note])


def draw(results: Results, options: dict[str, Any], title: str | None) -> Figure:
    """Draw a panel for each network and method: the baseline and a line for each set of units."""
    curves = _curves(results)
    modified = curves[curves["operation"] != BASELINE]
    groups = sorted(
        modified.groupby([*PANEL, "operation", "options"]), key=lambda group: rank(group[0])
    )
    if not groups:
        raise NothingFinishedError(
            "none of the figure's modified networks is finished yet: wait for one."
        )
    with style.styled():
        columns = min(2, len(groups))
        lines = -(-len(groups) // columns)
        figure = style.canvas((style.COLUMN, style.PAGE)[columns - 1], 2.6 * lines)
        every = figure.subplots(lines, columns, squeeze=False).flat
        ends = []
        for axes, (key, own) in zip(every, groups, strict=False):
            same = (curves[PANEL] == list(key[:4])).all(axis=1)
            plain = curves[same & (curves["operation"] == BASELINE)]
            ends.append((axes, _panel(axes, own, plain, options["metric"])))
            first = records(own)[0]
            counts = own.groupby("where")["run"].nunique()
            text = conditions(own.assign(seeds=int(counts.min())), results.missing[:0], BAND)
            style.header(axes, network(first), f"{method_of(first)}\n{text}")
        for axes in list(every):
            axes.remove()
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        figure.draw_without_rendering()
        for axes, labels in ends:
            style.label_ends(axes, labels)
    return figure


def _curves(results: Results) -> pd.DataFrame:
    """Return the histories with the setting of each run."""
    runs = results.runs[results.runs["view"] == "trained"].drop_duplicates("run")
    facts = runs[["run", "seed", *(set(tidy.TRAINED) | {"classes"})]]
    facts = facts.assign(where=[_where(row) for row in records(facts)])
    return results.histories.merge(facts, on="run", validate="many_to_one")


def _where(row: Row) -> str:
    return named(BASELINE) if row["operation"] == BASELINE else where(row)


def _panel(axes: Axes, modified: pd.DataFrame, plain: pd.DataFrame, metric: str) -> list[style.End]:
    ends = _draw(axes, plain, metric, style.INK, (0, (4, 2)))
    distinct = modified[["where", "last_k", "units"]].drop_duplicates()
    places = list(distinct.sort_values(["last_k", "units"])["where"])
    # From dark to light, so that the order of the lines is seen in grey as well.
    shades = colormaps["viridis"]
    for number_, place in enumerate(places):
        color = shades(0.85 * number_ / max(len(places) - 1, 1))
        ends += _draw(axes, modified[modified["where"] == place], metric, color, "-")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel("Epoch")
    axes.set_ylabel(LABELS[metric])
    axes.margins(x=0.01)
    return ends


def _draw(axes: Axes, runs: pd.DataFrame, metric: str, color: Any, dashes: Any) -> list[style.End]:
    if runs.empty:
        return []
    by_epoch = runs.groupby("epoch")[metric]
    mean = by_epoch.mean()
    label = str(runs["where"].iloc[0])
    axes.fill_between(mean.index, by_epoch.min(), by_epoch.max(), color=color, alpha=0.2, lw=0)
    axes.plot(mean.index, mean, color=color, ls=dashes, lw=1.1, gid=f"line {label}")
    return [style.End(float(mean.iloc[-1]), label, color)]
