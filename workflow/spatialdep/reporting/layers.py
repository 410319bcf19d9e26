"""Which units a setting modifies, in the network's order."""

from spatialdep.reporting.rows import Row
from spatialdep.specification.settings import unit_names


def modified_units(row: Row) -> tuple[str, ...]:
    """Return the units that a row of a tidy table, summary or missing.csv modifies."""
    if row["units"]:
        return tuple(row["units"].split("+"))
    names = unit_names(row["architecture"])
    return names[len(names) - row["last_k"] :]


def where(row: Row) -> str:
    """Say which units a row modifies: ``"last 4"``, ``"conv41"``."""
    return row["units"].replace("+", ", ") or f"last {row['last_k']}"
