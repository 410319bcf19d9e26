"""What each operation does to an image and to a feature map: people look before they read."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatialdep.plugins import declarations
from spatialdep.reporting import style
from spatialdep.reporting.examples import Examples
from spatialdep.reporting.rows import records
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import method, method_of, named

DECLARATION = {
    "summary": "An image and a small feature map after each operation.",
    "reads": "examples",
    "options": {
        "dataset": {
            "type": "string",
            "description": "Name of the dataset whose test image is shown.",
        },
        "image": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "Number of the test image.",
        },
        "operations": {
            "type": "array",
            "minItems": 1,
            "default": [
                "none",
                "spatial_shuffle",
                {"name": "patch_shuffle", "patch": 4},
                "joint_shuffle",
                "row_shuffle",
                "column_shuffle",
                "channel_shuffle",
                "channel_permutation",
                "full_shuffle",
                "gap_fc",
            ],
            "description": "Operations that move or average positions, as in an experiment.",
        },
    },
    "required": ["dataset"],
}

COLUMNS = 5


def table(examples: Examples, options: dict[str, Any]) -> Table:
    """Return what each operation is, in words."""
    declared = declarations("spatial_ops.operations")
    data = pd.DataFrame(
        {
            "operation": examples.operations,
            "options": examples.options,
            "summary": [declared[name]["summary"] for name in examples.operations],
            "random": [declared[name]["random"] for name in examples.operations],
        }
    )
    shown = pd.DataFrame(
        {
            "Operation": map(method_of, records(data)),
            "What it does to the input of a modified unit": data["summary"],
            "Redrawn at test time": data["random"].map({True: "yes", False: "no"}),
        }
    )
    return Table(data, shown, "The operations", [])


def draw(examples: Examples, options: dict[str, Any], title: str | None) -> Figure:
    """Draw the image and the map of each operation, one above the other."""
    count = len(examples.operations)
    lines = -(-count // COLUMNS)
    with style.styled():
        figure = style.canvas(style.PAGE, 2.95 * lines + 0.45)
        grid = figure.subplots(2 * lines, COLUMNS, squeeze=False)
        for number in range(lines * COLUMNS):
            line, column = divmod(number, COLUMNS)
            upper, lower = grid[2 * line, column], grid[2 * line + 1, column]
            if number >= count:
                upper.remove()
                lower.remove()
                continue
            _picture(upper, examples.images[number])
            _picture(lower, examples.maps[number])
            name = method(str(examples.operations[number]), str(examples.options[number]))
            upper.set_title(name.replace(" (", "\n("), fontsize=8, fontweight="normal", pad=3)
        text = title or "What each operation does"
        figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold")
        dataset = named(str(examples.dataset))
        figure.supxlabel(
            f"Above: an image of {dataset}. Below: a map of three channels, shown as red, green "
            "and blue, in which the colour tells where a position was.",
            x=0.01, ha="left", fontsize=7, color=style.SOFT,
        )  # fmt: skip
    return figure


def _picture(axes: Axes, pixels: Any) -> None:
    axes.imshow(pixels, interpolation="nearest", aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
