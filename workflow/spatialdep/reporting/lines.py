"""Lines over the number of last modified units, which end where runs are missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spatialdep.reporting.rows import records
from spatialdep.reporting.style import Look
from spatialdep.reporting.summary import BASELINE
from spatialdep.reporting.wording import method

BANDS = {"range": ("min", "max"), "interval": ("low", "high")}
BAND_NAMES = {"range": "bands from lowest to highest seed", "interval": "bands: 95 % intervals"}
PLAIN = "{}"


@dataclass(frozen=True)
class Line:
    """A method's points.

    Attributes
    ----------
    name
        Decides its look: the operation, and its switches if it has any.
    label
        What people call it.
    points
        By position: ``value``, ``low``, ``high`` (NaN where nothing is known) and ``complete``,
        whether all expected seeds are there.
    """

    name: str
    label: str
    points: pd.DataFrame

    @property
    def end(self) -> float | None:
        """Height of the last point there is."""
        there = self.points["value"].dropna()
        return None if there.empty else float(there.iloc[-1])

    def draw(self, axes: Axes, look: Look) -> None:
        """Draw band, line and points; hollow points lack seeds."""
        x = self.points.index.to_numpy(dtype=float)
        value, low, high = (self.points[name].to_numpy() for name in ("value", "low", "high"))
        axes.fill_between(x, low, high, color=look.color, alpha=0.18, lw=0, gid="band")
        alone = np.isfinite(value) & ~_has_neighbour(np.isfinite(value))
        axes.vlines(x[alone], low[alone], high[alone], color=look.color, lw=1)
        axes.plot(x, value, color=look.color, ls=look.dashes, gid=f"line {self.name}")
        for complete, face in ((True, look.color), (False, "white")):
            # At k = 0 there is the baseline, which has its own look.
            chosen = (self.points["complete"].to_numpy() == complete) & (x > 0)
            chosen &= np.isfinite(value)
            axes.plot(
                x[chosen], value[chosen], ls="", marker=look.marker, color=look.color, mfc=face,
                mew=0.9, gid=f"points {self.name}",
            )  # fmt: skip

    @property
    def missing(self) -> list[float]:
        """Positions without any run."""
        return [float(x) for x in self.points.index[self.points["value"].isna()]]


def last_k_lines(rows: pd.DataFrame, missing: pd.DataFrame, metric: str, band: str) -> list[Line]:
    """Make a line of each method of one context; all begin at the baseline, k = 0.

    Parameters
    ----------
    rows
        Summary rows of one context and checkpoint.
    missing
        Rows of ``missing.csv`` of the same context.
    metric
        ``"top1"``, ``"top5"`` or ``"drop"``.
    band
        A key of :data:`BANDS`.
    """
    suffixes = BANDS[band]
    lost = missing[(missing["view"] == "trained") & (missing["units"] == "")]
    baseline = rows[rows["operation"] == BASELINE]
    lines = []
    for operation, options in _methods(rows, lost):
        own = _of(rows, operation, options)
        points = pd.concat([baseline, own]).set_index("last_k")
        points = points.rename(
            columns={
                metric: "value",
                f"{metric}_{suffixes[0]}": "low",
                f"{metric}_{suffixes[1]}": "high",
            }
        )[["value", "low", "high"]]
        gone = set(_of(lost, operation, options)["last_k"])
        if not baseline.empty:
            gone |= set(_of(lost, BASELINE, PLAIN)["last_k"])
        points = points.reindex(sorted(set(points.index) | gone))
        points["complete"] = [k not in gone for k in points.index]
        lines.append(Line(method_name(operation, options), method(operation, options), points))
    return lines


def method_name(operation: str, options: str) -> str:
    """Return what decides the look of a method: the operation, with switches if it has any."""
    return operation if options == PLAIN else f"{operation} {options}"


def _methods(rows: pd.DataFrame, lost: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """Return operation and options of each method that there is or should be."""
    keys = pd.concat([rows[["operation", "options"]], lost[["operation", "options"]]])
    keys = keys[keys["operation"] != BASELINE].drop_duplicates()
    return sorted((row["operation"], row["options"]) for row in records(keys))


def _of(rows: pd.DataFrame, operation: str, options: str) -> pd.DataFrame:
    return rows[(rows["operation"] == operation) & (rows["options"] == options)]


def _has_neighbour(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(there, 1)
    beside: NDArray[np.bool_] = padded[:-2] | padded[2:]
    return beside


def mark_missing(axes: Axes, missing: Sequence[tuple[Sequence[float], Look]]) -> None:
    """Mark positions that have no run yet with a cross below the plot's lowest point, by method."""
    if not any(places for places, _ in missing):
        return
    low, high = axes.get_ylim()
    step = (high - low) * 0.05
    rows = [(places, look) for places, look in missing if places]
    for number, (places, look) in enumerate(rows):
        heights = [low - step * (number + 0.5)] * len(places)
        axes.plot(places, heights, ls="", marker="x", color=look.color, ms=4, gid="missing")
    axes.set_ylim(low - step * (len(rows) + 0.5), high)
