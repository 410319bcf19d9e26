"""``claims.md``: claimed, measured, verdict."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from spatialdep.reporting.claims import NOT_RUN, Finding, together
from spatialdep.reporting.rows import Row, records
from spatialdep.reporting.statistics import Estimate
from spatialdep.reporting.tables import Table
from spatialdep.reporting.wording import named, number

RULE = (
    "Drop of top-1 test accuracy at the last epoch, percentage points, paired by seed with the "
    "baseline; intervals cover 95 % over seeds and test images. Holds: the 90 % interval lies "
    "inside the range of drops that the claim allows. Does not hold: it lies outside. Undecided: "
    "neither, or a single seed. Not run: no runs in the paper's setting. The ranges and settings "
    "are in config/claims.yaml."
)


def claims_table(findings: Sequence[Finding], confidence: float) -> Table:
    """Make the table of all findings; claims about several settings begin with their sum."""
    rows = []
    for _, group in groupby(findings, key=lambda each: (each.test.claim, each.test.operation)):
        own = list(group)
        if len(own) > 1:
            rows.append(_sum_row(own))
        rows += [_row(finding, confidence) for finding in own]
    whole = pd.DataFrame(rows)
    # Where nothing of many settings was run, the line about all of them says so once.
    idle = whole.groupby(["claim", "operation"])["verdict"].transform(lambda v: set(v) == {NOT_RUN})
    data = whole[~idle | ~whole.duplicated(["claim", "operation"]) | (whole["remark"] != "")]
    shown = pd.DataFrame(
        {
            "Claim": [named(name) for name in data["claim"]],
            "Operation": [named(name) for name in data["operation"]],
            "Setting": data["setting"],
            "Claimed drop": data["claimed"],
            "Measured drop": data["drop"].map(number),
            "95 % interval": [_interval(row) for row in records(data)],
            "Seeds": data["seeds"].map(str),
            "Best epoch": data["best_drop"].map(number),
            "Verdict": data["verdict"],
            "Remark": data["remark"],
        }
    ).astype(str)
    texts = {each.test.claim: f"{each.test.text} {each.test.source}" for each in findings}
    quoted = [f"{named(name).capitalize()}: {text}" for name, text in texts.items()]
    return Table(whole, shown, "The paper's claims and what was measured", [*quoted, RULE])


def _row(finding: Finding, confidence: float) -> dict[str, object]:
    test = finding.test
    return {
        "claim": test.claim,
        "operation": test.operation,
        "setting": f"{named(test.architecture)}, {named(test.setting)}, last {test.last_k}",
        "source": test.source,
        "claimed": test.claimed,
        "claim_low": test.low,
        "claim_high": test.high,
        **_measured("drop", finding.drop, confidence),
        **_measured("best_drop", finding.best_drop, confidence),
        "seeds": 0 if finding.drop is None else finding.drop.seeds,
        "verdict": finding.verdict,
        "remark": finding.remark,
    }


def _sum_row(findings: Sequence[Finding]) -> dict[str, object]:
    test = findings[0].test
    counts = pd.Series([finding.verdict for finding in findings]).value_counts(sort=False)
    return {
        "claim": test.claim,
        "operation": test.operation,
        "setting": f"all {len(findings)} settings",
        "source": test.source,
        "claimed": test.claimed,
        "claim_low": test.low,
        "claim_high": test.high,
        **_measured("drop", None, 0.95),
        **_measured("best_drop", None, 0.95),
        "seeds": 0,
        "verdict": together(finding.verdict for finding in findings),
        "remark": ", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
    }


def _measured(name: str, estimate: Estimate | None, confidence: float) -> dict[str, float]:
    low, high = (np.nan, np.nan) if estimate is None else estimate.interval(confidence)
    mean = np.nan if estimate is None else estimate.mean
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _interval(row: Row) -> str:
    if row["seeds"] == 0:
        return "–"
    if row["seeds"] == 1:
        return "none (one seed)"
    return f"{number(row['drop_low'])} to {number(row['drop_high'])}"
