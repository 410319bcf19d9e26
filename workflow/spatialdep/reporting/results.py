"""Reads and writes the folder of a collected table."""

from pathlib import Path

import pandas as pd

from spatialdep.errors import UserError
from spatialdep.reporting import images, tidy
from spatialdep.reporting.summary import Results

FILES = ("runs.csv", "images.npz", "histories.csv", "missing.csv")
MISSING_TEXT = [name for name in tidy.MISSING_COLUMNS if name not in ("width", "last_k", "seed")]


def read_results(folder: Path) -> Results:
    """Read what ``collect`` wrote into ``folder``, whose stamp has been verified.

    Raises
    ------
    UserError
        If a file is missing or malformed.
    """
    return Results(
        runs=tidy.read_runs(folder / "runs.csv"),
        images=images.read_images(folder / "images.npz"),
        histories=_exactly(folder / "histories.csv", ["run"], tidy.HISTORY_COLUMNS),
        missing=_exactly(folder / "missing.csv", MISSING_TEXT, tidy.MISSING_COLUMNS),
    )


def _exactly(path: Path, text: list[str], columns: list[str]) -> pd.DataFrame:
    table = tidy.read_csv(path, text)
    if list(table.columns) != columns:
        raise UserError(
            f"{path} has the columns {', '.join(table.columns)}; expected {', '.join(columns)}: "
            "collect it again."
        )
    return table


def inputs_of(folder: Path) -> dict[str, Path]:
    """Return the collected files by the name under which a stamp lists them."""
    return {Path(name).stem: folder / name for name in FILES}
