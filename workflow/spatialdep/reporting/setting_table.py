"""The table beside most figures: a row a setting, last and best epoch side by side."""

import math

import pandas as pd

from spatialdep.reporting import tidy
from spatialdep.reporting.layers import where
from spatialdep.reporting.rows import Row, records
from spatialdep.reporting.summary import BASELINE
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import epochs, method_of, named, network, number, rank, seeds

NOT_RUN = "not run yet"
# What missing.csv knows of a setting.
KNOWN = [name for name in tidy.MISSING_COLUMNS if name not in ("run", "seed", "reason")]


RANKED = ("dataset", "architecture")


def setting_table(summary: pd.DataFrame, missing: pd.DataFrame, caption: str) -> Table:
    """Make the table of some settings.

    Parameters
    ----------
    summary
        From :func:`spatialdep.reporting.summary.summarise`, both checkpoints.
    missing
        Rows of ``missing.csv`` that belong here.
    caption
        One sentence.
    """
    data = with_missing(summary, missing)
    last, best = (records(data[data["checkpoint"] == name]) for name in ("last", "best"))
    several = len(data[["dataset", "architecture", "width", "recipe"]].drop_duplicates()) > 1
    shown = pd.DataFrame(
        {
            **({"Network": map(_network, last)} if several else {}),
            "Method": map(method_of, last),
            "Modified": map(_modified, last),
            "Layers (%)": [number(row["layers_percent"], 1) for row in last],
            "Seeds": map(_seeds, last),
            "Top-1 (%)": [_mean(row, "top1") for row in last],
            "95 % interval": [_interval(row, "top1") for row in last],
            "Drop (points)": map(_drop, last),
            "95 % interval of drop": map(_drop_interval, last),
            "Best epoch, top-1 (%)": [_mean(row, "top1") for row in best],
            "Top-5 (%)": [_mean(row, "top5") for row in last],
        }
    )
    return Table(data, shown, caption, _notes(data, missing))


def with_missing(summary: pd.DataFrame, missing: pd.DataFrame) -> pd.DataFrame:
    """Add ``expected_seeds`` to a summary, and a row without numbers for a setting without runs."""
    lost = missing.groupby(KNOWN, sort=True).size().rename("lost").reset_index()
    both = pd.concat([lost.assign(checkpoint=name) for name in ("last", "best")])
    whole = summary.merge(both, on=[*KNOWN, "checkpoint"], how="outer")
    whole["seeds"] = whole["seeds"].fillna(0).astype(int)
    whole["expected_seeds"] = whole["seeds"] + whole.pop("lost").fillna(0).astype(int)
    order = ["dataset", "architecture", "width", "recipe", "_plain", "operation", "options"]
    whole["_plain"] = whole["operation"] != BASELINE
    rest = ["last_k", "units", "view", "checkpoint"]
    ordered = whole.sort_values(
        [*order, *rest],
        ignore_index=True,
        key=lambda column: (
            column.map(lambda name: rank([name])) if column.name in RANKED else column
        ),
    )
    return ordered.drop(columns="_plain")


def _network(row: Row) -> str:
    width = "" if row["width"] == 1 else f", width {row['width']:g}"
    return f"{network(row)}{width}, {row['recipe']} recipe"


def _modified(row: Row) -> str:
    if row["operation"] == BASELINE:
        return "none"
    return where(row)


def _seeds(row: Row) -> str:
    if row["seeds"] == row["expected_seeds"]:
        return str(row["seeds"])
    return f"{row['seeds']} of {row['expected_seeds']}"


def _mean(row: Row, name: str) -> str:
    if row["seeds"] == 0:
        return NOT_RUN
    spread = "" if math.isnan(row[f"{name}_sd"]) else f" ± {row[f'{name}_sd']:.2f}"
    return f"{row[name]:.2f}{spread}"


def _interval(row: Row, name: str) -> str:
    if row["seeds"] == 0:
        return "–"
    if row["seeds"] == 1:
        return "none (one seed)"
    return f"{number(row[f'{name}_low'])} to {number(row[f'{name}_high'])}"


def _drop(row: Row) -> str:
    if row["operation"] == BASELINE or math.isnan(row["drop"]):
        return "–"
    return number(row["drop"])


def _drop_interval(row: Row) -> str:
    if row["operation"] == BASELINE or math.isnan(row["drop"]):
        return "–"
    if math.isnan(row["drop_low"]):
        return "none (one seed)"
    return f"{number(row['drop_low'])} to {number(row['drop_high'])}"


def _notes(data: pd.DataFrame, missing: pd.DataFrame) -> list[str]:
    there = data[data["seeds"] > 0]
    notes = [
        "Last epoch unless it says best epoch; the best test epoch is chosen on the test set, as "
        "the authors do. ± is the standard deviation over seeds. Intervals cover 95 %: of "
        "accuracy, Student's over seeds; of the drop, paired by seed, over seeds and test images.",
    ]
    for _, rows in there.groupby(["recipe", "epochs", "width"]):
        first = records(rows)[0]
        notes.append(
            f"{named(first['recipe']).capitalize()} recipe: {epochs(int(first['epochs']))}, "
            f"width {first['width']:g}, {seeds(rows['seeds'])}."
        )
    if (there["passes"] > 1).any():
        passes = int(there["passes"].max())
        notes.append(f"Networks that shuffle at random: mean over {passes} passes of the test set.")
    if len(missing):
        notes.append(f"{len(missing)} runs are missing; nothing is filled in for them.")
    return notes
