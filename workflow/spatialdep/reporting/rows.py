"""Tables row by row."""

from collections.abc import Mapping
from typing import Any, cast

import pandas as pd

Row = Mapping[str, Any]
"""A row of a tidy table, summary or missing.csv, by column."""


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of ``table``, in order, with plain Python numbers and texts."""
    return cast(list[Row], table.to_dict("records"))
