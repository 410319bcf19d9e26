"""The baseline as a line across a plot."""

from matplotlib.axes import Axes

from spatialdep.reporting.lines import BANDS
from spatialdep.reporting.rows import Row
from spatialdep.reporting.style import BASELINE_LOOK


def draw_baseline(axes: Axes, row: Row, metric: str, band: str) -> float:
    """Draw the baseline of a summary row with its band, and return its height."""
    low, high = (row[f"{metric}_{suffix}"] for suffix in BANDS[band])
    if low < high:
        axes.axhspan(low, high, color=BASELINE_LOOK.color, alpha=0.1, lw=0, zorder=1)
    axes.axhline(
        row[metric], color=BASELINE_LOOK.color, dashes=BASELINE_LOOK.dashes[1], lw=1, zorder=1.5,
        gid="baseline",
    )  # fmt: skip
    return float(row[metric])
