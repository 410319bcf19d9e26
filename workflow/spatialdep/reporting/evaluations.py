"""From evaluation folders to the tidy table, the per-image file and the training histories."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spatialdep.errors import UserError
from spatialdep.reporting import tidy
from spatialdep.reporting.arrays import read_arrays
from spatialdep.specification.grid import View

FORMAT = 1
CHECKPOINTS = ("last", "best")


@dataclass(frozen=True)
class Evaluation:
    """An evaluation folder's contents."""

    record: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def images(self) -> int:
        """Number of test images N."""
        return len(self.arrays["labels"])

    def rows(self) -> list[dict[str, Any]]:
        """Return this evaluation's rows of the tidy table."""
        common = _common(self.record)
        return [
            {**common, "checkpoint": checkpoint, "epoch": result["epoch"], "pass": number, **one}
            for checkpoint, result in self.record["checkpoints"].items()
            for number, one in enumerate(result["passes"])
        ]

    def history(self) -> pd.DataFrame:
        """Return the run's training history, a row an epoch."""
        history = pd.DataFrame(self.record["training"]["history"])
        return history.assign(run=self.record["run"])[tidy.HISTORY_COLUMNS]


def missing_row(view: View, reason: str) -> dict[str, Any]:
    """Return the row of ``missing.csv`` that says why an expected evaluation is not there."""
    run = view.run
    return {
        "run": run.id,
        "view": view.id,
        "dataset": run.dataset,
        "architecture": run.architecture,
        "width": run.width,
        "operation": run.operation,
        "options": canonical(dict(run.options)),
        "last_k": run.last_k,
        "units": "+".join(run.units),
        "recipe": run.recipe.name,
        "seed": run.seed,
        "reason": reason,
    }


def last_error(log: Path) -> str | None:
    """Return the error with which the job of a log ended, None if it did not fail or never ran."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    last = next((line for line in reversed(lines) if line.strip()), "")
    # Commands end with a sentence, whatever else Python ends with with the name of an exception.
    failed = last.startswith("error: ") or re.match(r"[\w.]*(Error|Exception|Interrupt)\b", last)
    return last.removeprefix("error: ") if failed else None


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation whose stamp has been verified.

    Raises
    ------
    UserError
        If it is malformed or inconsistent.
    """
    try:
        record = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']}")
        evaluation = Evaluation(record, read_arrays(folder / "correct.npz"))
        _check(evaluation)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{folder} is no evaluation of format {FORMAT} ({error}): "
            f"make it anew with `snakemake --forcerun {folder}/stamp.json`."
        ) from error
    return evaluation


def canonical(options: dict[str, Any]) -> str:
    """Write ``options`` so that equal options are equal texts."""
    return json.dumps(options, sort_keys=True)


def _check(evaluation: Evaluation) -> None:
    """Hold the accuracies against the stored bits, which are their other witness."""
    for checkpoint in CHECKPOINTS:
        passes = evaluation.record["checkpoints"][checkpoint]["passes"]
        bits = np.unpackbits(evaluation.arrays[checkpoint], axis=1, count=evaluation.images)
        counted = 100 * bits.mean(axis=1)
        stated = [each["top1"] for each in passes]
        if not np.allclose(counted, stated, atol=1e-6, rtol=0):
            raise ValueError(f"top1 {stated} against {counted.tolist()} in correct.npz")


def _common(record: dict[str, Any]) -> dict[str, Any]:
    """Return the cells that all rows of one evaluation share."""
    spec, evaluated = record["specification"], record["evaluated"]
    recipe = spec["recipe"]
    modified = len(spec["units"]) or spec["last_k"]
    return {
        "run": record["run"],
        "view": record["view"],
        "dataset": spec["dataset"],
        "dataset_kind": record["dataset"]["kind"],
        "classes": record["dataset"]["classes"],
        "image_size": spec["image_size"],
        "train_images": record["dataset"]["train_images"],
        "test_images": record["dataset"]["test_images"],
        "architecture": spec["architecture"],
        "width": spec["width"],
        "unit_count": record["unit_count"],
        "operation": spec["operation"],
        "options": canonical(spec["options"]),
        "last_k": spec["last_k"],
        "units": "+".join(spec["units"]),
        "layers_percent": 100 * modified / record["unit_count"],
        "evaluated_operation": evaluated["operation"],
        "evaluated_options": canonical(evaluated["options"]),
        "evaluated_last_k": evaluated["last_k"],
        "evaluated_units": "+".join(evaluated["units"]),
        **{name: recipe[name] for name in tidy.RECIPE if name not in ("recipe", "milestones")},
        "recipe": recipe["name"],
        "milestones": json.dumps(recipe["milestones"]),
        "seed": spec["seed"],
        "parameters": record["parameters"],
        "train_seconds": record["training"]["seconds"],
        "device": record["training"]["device"],
    }
