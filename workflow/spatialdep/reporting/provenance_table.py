"""Where runs come from: code, versions, device and time."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from spatialdep.reporting.evaluations import Evaluation
from spatialdep.reporting.tables import Table
from spatialdep.reporting.tidy import read_csv
from spatialdep.reporting.wording import named

PROVENANCE = "provenance.csv"
COLUMNS = [
    "run", "dataset", "architecture", "width", "recipe", "device", "seconds", "started", "code",
    "package", "python", "torch",
]  # fmt: skip
GROUP = ["dataset", "architecture", "width", "recipe"]


def provenance_table(evaluations: Iterable[Evaluation]) -> pd.DataFrame:
    """Return a row a trained run, from its evaluation."""
    rows = []
    for each in evaluations:
        if each.record["view"] != "trained":
            continue
        spec, training = each.record["specification"], each.record["training"]
        rows.append(
            {
                "run": each.record["run"],
                **{name: spec[name] for name in ("dataset", "architecture", "width")},
                "recipe": spec["recipe"]["name"],
                **{
                    name: training[name]
                    for name in ("device", "seconds", "started", "code", "package", "python")
                },
                "torch": training["environment"].get("torch", ""),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("run", ignore_index=True)


def read_provenance(path: Path) -> pd.DataFrame:
    """Read what :func:`provenance_table` returned.

    Raises
    ------
    UserError
        If the file is not there or another.
    """
    return read_csv(path, [name for name in COLUMNS if name not in ("width", "seconds")])


def summary_of(provenance: pd.DataFrame) -> Table:
    """Return a row a dataset, network, recipe and device."""
    hours = provenance.assign(hours=provenance["seconds"] / 3600)
    data = hours.groupby([*GROUP, "device"], as_index=False).agg(
        runs=("run", "count"),
        hours=("hours", "sum"),
        first=("started", "min"),
        last=("started", "max"),
        **{name: (name, _distinct) for name in ("code", "torch", "python", "package")},
    )
    shown = pd.DataFrame(
        {
            "Dataset": data["dataset"].map(named),
            "Network": data["architecture"].map(named),
            "Width": data["width"].map("{:g}".format),
            "Recipe": data["recipe"],
            "Device": data["device"],
            "Runs": data["runs"].map(str),
            "Hours of training": data["hours"].map("{:.3g}".format),
            "Training code": data["code"],
            "torch": data["torch"],
            "Python": data["python"],
            "First started": data["first"],
            "Last started": data["last"],
        }
    ).astype(str)
    note = "Hours are device-hours of the training epochs: GPU-hours where the device is a GPU."
    return Table(data, shown, "Where the runs come from", [note])


def _distinct(values: "pd.Series[str]") -> str:
    return ", ".join(sorted(set(map(str, values))))
