"""The paper's claims and the verdict on each, by the rule that ``config/claims.yaml`` states."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import yaml

from spatialdep.errors import UserError
from spatialdep.reporting import tidy
from spatialdep.reporting.images import ImageResults
from spatialdep.reporting.rows import Row, records
from spatialdep.reporting.statistics import Estimate, outside, within
from spatialdep.reporting.summary import Results, average_passes, baselines_of, paired_drop

SCHEMA = Path(__file__).parents[2] / "schemas" / "claims.schema.yaml"

HOLDS, FAILS, UNDECIDED, NOT_RUN = "holds", "does not hold", "undecided", "not run"


@dataclass(frozen=True)
class Test:
    """A claim about one operation in one setting: true if the drop is inside (low, high)."""

    claim: str
    source: str
    text: str
    operation: str
    setting: str
    architecture: str
    last_k: int
    conditions: Mapping[str, Any]
    expected: float
    low: float
    high: float

    @property
    def claimed(self) -> str:
        """What the paper says about the drop, as text."""
        return f"{self.expected:.2f}" if np.isfinite(self.low) else f"below {self.high:.2f}"


@dataclass(frozen=True)
class Finding:
    """What was measured for a test, and what follows."""

    test: Test
    verdict: str
    drop: Estimate | None
    best_drop: Estimate | None
    remark: str


def read_claims(path: Path) -> tuple[list[Test], float]:
    """Read the claims; return one test a claim, operation and setting, and the confidence.

    Raises
    ------
    UserError
        Names the key that is wrong.
    """
    try:
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(whole, yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
        return list(_tests(whole)), whole["confidence"]
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: give the file with the paper's claims.") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML ({error}): correct it.") from error
    except jsonschema.ValidationError as error:
        raise UserError(f"{path}: {error.json_path}: {error.message}: correct it.") from error


def judge(tests: Iterable[Test], results: Results, confidence: float) -> list[Finding]:
    """Hold each test against the runs that are of its setting."""
    averaged = average_passes(results.runs[results.runs["view"] == "trained"])
    return [
        finding for test in tests for finding in _judge(test, averaged, results.images, confidence)
    ]


def verdict(drop: Estimate, low: float, high: float, confidence: float) -> str:
    """Say whether a drop is shown to lie inside (low, high), outside, or neither."""
    if within(drop, low, high, confidence):
        return HOLDS
    return FAILS if outside(drop, low, high, confidence) else UNDECIDED


def together(verdicts: Iterable[str]) -> str:
    """Return the verdict on a claim about several settings."""
    each = set(verdicts)
    if FAILS in each:
        return FAILS
    return each.pop() if len(each) == 1 else UNDECIDED


def _judge(
    test: Test, averaged: pd.DataFrame, images: ImageResults, confidence: float
) -> list[Finding]:
    like = averaged[
        (averaged["operation"] == test.operation)
        & (averaged["architecture"] == test.architecture)
        & (averaged["last_k"] == test.last_k)
        & averaged["dataset_kind"].isin(_values(test.conditions["dataset_kind"]))
    ]
    counting = like[_meets(like, test.conditions)]
    baselines = baselines_of(averaged)
    findings = []
    # A setting may leave something open, such as the image size; what differs is not pooled.
    for _, runs in counting.groupby(tidy.CONTEXT, sort=True):
        last, best = (
            paired_drop(images, baselines, runs[runs["checkpoint"] == checkpoint])
            for checkpoint in ("last", "best")
        )
        if last is not None:
            found = verdict(last, test.low, test.high, confidence)
            findings.append(Finding(test, found, last, best, _remark(last, records(runs)[0])))
    return findings or [Finding(test, NOT_RUN, None, None, _remark_not_run(like, counting))]


def _meets(runs: pd.DataFrame, conditions: Mapping[str, Any]) -> "pd.Series[bool]":
    meets = pd.Series(True, index=runs.index)
    for column, wanted in conditions.items():
        meets &= runs[column].isin(_values(wanted))
    return meets


def _remark(drop: Estimate, run: Row) -> str:
    where = f"{run['recipe']} recipe, {run['image_size']} pixels, {run['precision']}"
    return where if drop.known else f"{where}; one seed gives no interval"


def _remark_not_run(like: pd.DataFrame, counting: pd.DataFrame) -> str:
    if len(counting):
        return "modified networks were run, but no baseline of the same seed"
    if like.empty:
        return ""
    conditions = like[["recipe", "width", "image_size", "options"]].drop_duplicates()
    listed = "; ".join(
        f"{row['recipe']} recipe, width {row['width']:g}, {row['image_size']} pixels"
        + ("" if row["options"] == "{}" else f", {row['options']}")
        for row in records(conditions)
    )
    return f"runs under other conditions do not count ({like['run'].nunique()}: {listed})"


def _tests(whole: dict[str, Any]) -> Iterator[Test]:
    known = {column.name for column in tidy.COLUMNS}
    for name, conditions in whole["settings"].items():
        unknown = sorted(conditions.keys() - known)
        if unknown or "dataset_kind" not in conditions:
            raise UserError(
                f"settings.{name} of the claims must give dataset_kind and name columns of the "
                f"tidy table only; {', '.join(unknown) or 'dataset_kind'} is not so: correct it."
            )
    for name, claim in whole["claims"].items():
        expected = claim.get("expected", np.nan)
        low = expected - claim["tolerance"] if "tolerance" in claim else -np.inf
        high = expected + claim["tolerance"] if "tolerance" in claim else claim["at_most"]
        for operation in claim["operations"]:
            for where in claim["where"]:
                if where["setting"] not in whole["settings"]:
                    raise UserError(
                        f"claims.{name} names the setting {where['setting']}, which is not among "
                        f"{', '.join(whole['settings'])}: correct either."
                    )
                yield Test(
                    claim=name,
                    source=claim["source"],
                    text=claim["text"],
                    operation=operation,
                    **where,
                    conditions=whole["settings"][where["setting"]],
                    expected=expected,
                    low=low,
                    high=high,
                )


def _values(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]
