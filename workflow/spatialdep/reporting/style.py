"""How figures look: legible at column width, in grey, to colour-blind eyes; the same each time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import isotonic_regression

from spatialdep.atomic import atomic_write

COLUMN = 3.5  # inches, one column of a two-column page
PAGE = 7.2
INK = "#222222"
SOFT = "#767676"
GRID = "#e4e4e4"
FORMATS = ("pdf", "svg", "png")

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial", "sans-serif"],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 300,
    # Text stays text: it can be searched, and edited for a paper.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "spatialdep",
}


@dataclass(frozen=True)
class Look:
    """Colour, marker and dashes of a line; any one of them alone tells lines apart."""

    color: str
    marker: str
    dashes: Any


# Okabe and Ito (2008), without yellow, too light on white, and black, which is the baseline.
_LOOKS = (
    Look("#0072B2", "o", "-"),
    Look("#D55E00", "s", (0, (5, 1.5))),
    Look("#009E73", "^", (0, (1.2, 1.2))),
    Look("#CC79A7", "D", (0, (5, 1.5, 1.2, 1.5))),
    Look("#56B4E9", "v", (0, (3, 1.2))),
    Look("#E69F00", "P", (0, (7, 1.5, 1.2, 1.5, 1.2, 1.5))),
    Look("#8C6D31", "X", (0, (2, 2))),
)
LINE = 9.5  # points, from one line of text to the next
BASELINE_LOOK = Look(INK, "o", (0, (4, 2)))
# The methods of the study keep their looks in all figures.
_FIXED = ("spatial_shuffle", "gap_fc", "conv1x1", "truncated", "patch_shuffle")


@dataclass(frozen=True)
class End:
    """What is written beside the end of a line: height in data units, text, colour."""

    height: float
    text: str
    color: str

    @property
    def broken(self) -> str:
        """The text, its switches on a line of their own: a long label narrows the plot."""
        return self.text.replace(" (", "\n(")


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Give each of some lines a look of its own; the study's methods keep theirs in all figures.

    Parameters
    ----------
    names
        An operation, or an operation and its switches.
    """
    fixed = {name: _LOOKS[place] for place, name in enumerate(_FIXED) if name in names}
    free = [look for look in _LOOKS if look not in fixed.values()] or list(_LOOKS)
    others = [name for name in names if name not in fixed]
    return fixed | {name: _look(free, place) for place, name in enumerate(others)}


def _look(free: Sequence[Look], place: int) -> Look:
    """Return the look of a place; where colours come again, marker and dashes do not."""
    again, index = divmod(place, len(free))
    other = free[(index + again) % len(free)]
    return Look(free[index].color, other.marker, other.dashes)


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the house style, whatever the machine's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)  # type: ignore[arg-type]  # the stub lists each key as a literal
        yield


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure of ``width`` × ``height`` inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem`` as PDF, SVG and PNG, the same bytes each time; return their paths."""
    undated = {
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    paths = [stem.with_name(f"{stem.name}.{extension}") for extension in FORMATS]
    with styled():
        for path, extension in zip(paths, FORMATS, strict=True):
            with atomic_write(path, "wb") as stream:
                figure.savefig(stream, format=extension, metadata=undated[extension])
    return paths


def header(axes: Axes, title: str, conditions: str, above: float = 4) -> None:
    """Write a title, and below it in small the conditions under which it holds.

    Parameters
    ----------
    axes
        Below the header.
    title, conditions
        What to write.
    above
        Distance from the axes, points: more where there is a second x axis at the top.
    """
    lines = conditions.count("\n") + 1
    for text, lift, size, color, weight in (
        (conditions, above, 7, SOFT, "normal"),
        (title, above + 2 + 9.2 * lines, 9, INK, "bold"),
    ):
        axes.annotate(
            text, (0, 1), xytext=(0, lift), xycoords="axes fraction", textcoords="offset points",
            fontsize=size, color=color, fontweight=weight, va="bottom", annotation_clip=False,
        )  # fmt: skip


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write labels beside the right end of lines, apart from each other.

    Parameters
    ----------
    axes
        Their size and limits must be final.
    ends
        What to write at which height.
    """
    low, high = axes.get_ylim()
    height = axes.bbox.height * 72 / axes.figure.dpi
    ordered = sorted(ends, key=lambda end: end.height)
    wished = [(end.height - low) / (high - low) for end in ordered]
    heights = [LINE / height * (end.broken.count("\n") + 1) for end in ordered]
    for end, place in zip(ordered, spread(wished, heights), strict=True):
        axes.annotate(
            end.broken, (1, place), xytext=(4, 0), xycoords="axes fraction",
            textcoords="offset points", color=end.color, fontsize=7.5, va="center",
            annotation_clip=False,
        )  # fmt: skip


def spread(places: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Move labels centred at sorted ``places`` as little as can be, until none covers the next.

    Their centres stay between 0 and 1 where there is room for that.
    """
    if not len(places):
        return []
    gaps = (np.asarray(heights[:-1]) + np.asarray(heights[1:])) / 2
    steps = np.concatenate([[0], np.cumsum(gaps)])
    fitted = isotonic_regression(np.asarray(places) - steps).x
    return list(np.clip(fitted, 0, max(0, 1 - steps[-1])) + steps)


def handle(look: Look, label: str) -> Line2D:
    """Return a legend entry for a line."""
    return Line2D([], [], color=look.color, marker=look.marker, ls=look.dashes, label=label)


def cross_out(axes: Axes, places: Sequence[float]) -> None:
    """Mark places on the x axis that have no run yet with a cross above the axis."""
    if not places:
        return
    axes.plot(
        places, [0.03] * len(places), ls="", marker="x", color=SOFT, ms=4, gid="missing",
        transform=axes.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
