"""The overview: verdicts, figures, tables, what is missing, and where everything comes from."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from spatialdep.errors import UserError
from spatialdep.reporting.claims import FAILS, HOLDS, NOT_RUN, UNDECIDED, Finding, together
from spatialdep.reporting.claims_table import claims_table
from spatialdep.reporting.page import environment, page
from spatialdep.reporting.provenance_table import summary_of
from spatialdep.reporting.statistics import Estimate
from spatialdep.reporting.tables import Table, fragment, read_fragment
from spatialdep.reporting.wording import epochs, named, number

CLASSES = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "open", NOT_RUN: "notrun"}
SHOWN_MISSING = 300
TITLE = "The dependency of ConvNets on spatial information: what the reproduction finds"

BODY = """\
<h1>{{ title }}</h1>
<p>Fan, Xian, Losch and Schiele, <a href="https://arxiv.org/abs/2002.01827">Analyzing the Dependency
of ConvNets on Spatial Information</a> (2020), reproduced. {{ evaluations }} evaluations are shown;
{{ missing_count or "none" }} {{ "is" if missing_count == 1 else "are" }} missing.</p>
<nav><a href="#verdicts">Verdicts</a><a href="#figures">Figures</a><a href="#missing">Missing</a>
<a href="#provenance">Provenance</a><a href="#configuration">Configuration</a></nav>

<h2 id="verdicts">What holds</h2>
<div class="claims">
{% for claim in claims %}
<section class="claim">
<h3>{{ claim.name }}</h3>
<p class="quiet">{{ claim.text }} {{ claim.source }}</p>
<dl>
{% for reading in claim.readings %}
<dt>{{ reading.operation }}
<span class="verdict {{ reading.style }}">{{ reading.verdict }}</span></dt>
<dd>{{ reading.measured }}</dd>
{% endfor %}
</dl>
</section>
{% endfor %}
</div>
<details><summary>The rule, and every setting</summary>{{ claims_table }}</details>

<h2 id="figures">Figures</h2>
{% for figure in figures %}
<figure id="{{ figure.name }}">
<h3>{{ figure.title }}</h3>
<img src="{{ figure.source }}" alt="{{ figure.title }}" width="{{ figure.width }}">
<figcaption>{{ figure.caption }} As <code>{{ figure.name }}.pdf</code>, svg and png.</figcaption>
<details><summary>Table</summary>{{ figure.table }}</details>
</figure>
{% else %}
<p>There are none yet.</p>
{% endfor %}

<h2 id="missing">What is missing or failed</h2>
{% if missing_count %}
<p>Nothing is filled in for these: lines are interrupted, cells stay empty.</p>
{{ missing }}
{% else %}
<p>Nothing: every evaluation that the configuration asks for is there, made by the present code.</p>
{% endif %}

<h2 id="provenance">Where it comes from</h2>
{{ provenance }}
{{ stamps }}

<h2 id="configuration">Configuration</h2>
<details><summary>Experiments, recipes and image sizes</summary>
<pre>{{ configuration }}</pre></details>
"""


@dataclass(frozen=True)
class ShownFigure:
    """A figure of the overview.

    Attributes
    ----------
    name, title, caption
        What it is.
    image
        The SVG file's contents.
    table
        From :func:`spatialdep.reporting.tables.read_fragment`.
    stamp
        The figure's stamp, as JSON holds it.
    """

    name: str
    title: str
    caption: str
    image: bytes
    table: str
    stamp: Mapping[str, Any]


def overview(
    *,
    findings: Sequence[Finding],
    confidence: float,
    figures: Sequence[ShownFigure],
    missing: pd.DataFrame,
    provenance: pd.DataFrame,
    configuration: Mapping[str, Any],
    evaluations: int,
) -> str:
    """Return the overview as one HTML page that needs no network.

    Parameters
    ----------
    findings, confidence
        From :mod:`spatialdep.reporting.claims`.
    figures
        In the order in which they appear.
    missing, provenance
        As collected.
    configuration
        The grid that was collected.
    evaluations
        How many evaluations were collected.
    """
    body = environment().from_string(BODY)
    return page(
        TITLE,
        body.render(
            title=TITLE,
            claims=_claims(findings, confidence),
            claims_table=Markup(fragment(claims_table(findings, confidence))),
            figures=[_figure(figure) for figure in figures],
            missing=Markup(fragment(_missing(missing))),
            missing_count=len(missing),
            evaluations=evaluations,
            provenance=Markup(fragment(summary_of(provenance))),
            stamps=Markup(fragment(_stamps(figures))),
            configuration=json.dumps(configuration, indent=1, ensure_ascii=False),
        ),
    )


def _claims(findings: Sequence[Finding], confidence: float) -> list[dict[str, Any]]:
    """Return each claim with one reading an operation."""
    claims: dict[str, dict[str, Any]] = {}
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.test.claim, finding.test.operation), []).append(finding)
    for (name, operation), own in groups.items():
        test = own[0].test
        claim = claims.setdefault(
            name,
            {
                "name": named(name).capitalize(),
                "text": test.text,
                "source": test.source,
                "readings": [],
            },
        )
        verdict = together(finding.verdict for finding in own)
        claim["readings"].append(
            {
                "operation": named(operation),
                "verdict": verdict,
                "style": CLASSES[verdict],
                "measured": _measured(own, confidence),
            }
        )
    return list(claims.values())


def _measured(findings: Sequence[Finding], confidence: float) -> str:
    if len(findings) > 1:
        verdicts = [finding.verdict for finding in findings]
        counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
        listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        return f"{len(findings)} settings: {listed}"
    finding = findings[0]
    if finding.drop is None:
        return finding.remark or f"claimed: {finding.test.claimed} points"
    return (
        f"claimed {finding.test.claimed}, measured {_estimate(finding.drop, confidence)} points "
        f"({finding.drop.seeds} seed{'' if finding.drop.seeds == 1 else 's'}; {finding.remark})"
    )


def _estimate(drop: Estimate, confidence: float) -> str:
    if not drop.known:
        return number(drop.mean)
    low, high = drop.interval(confidence)
    return f"{number(drop.mean)} [{number(low)}, {number(high)}]"


def _figure(figure: ShownFigure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "source": "data:image/svg+xml;base64," + base64.b64encode(figure.image).decode(),
        "width": _width(figure.image),
        "table": Markup(figure.table),
    }


def _width(svg: bytes) -> int:
    """Return a width on the screen, pixels, at which a figure's text is as large as the page's."""
    points = svg.partition(b'width="')[2].partition(b"pt")[0]
    return round(float(points) * 2)


def _missing(missing: pd.DataFrame) -> Table:
    shown = pd.DataFrame(
        {
            "Run": missing["run"],
            "Evaluation": missing["view"],
            "Why": missing["reason"],
        }
    )[:SHOWN_MISSING].astype(str)
    rest = len(missing) - len(shown)
    notes = [f"And {rest} more, in missing.csv."] if rest else []
    return Table(missing, shown, f"{len(missing)} evaluations", notes)


def _stamps(figures: Sequence[ShownFigure]) -> Table:
    shown = pd.DataFrame(
        {
            "Figure": [figure.name for figure in figures],
            "Made": [figure.stamp["ended"] for figure in figures],
            "Figure's code": [figure.stamp["code"]["version"] for figure in figures],
            "matplotlib": [figure.stamp["environment"].get("matplotlib", "") for figure in figures],
            "Tidy table (sha256)": [
                figure.stamp["inputs"].get("runs", "")[:16] for figure in figures
            ],
        }
    ).astype(str)
    return Table(shown, shown, "Figures and the table that each was made from", [])


def shown_figure(
    name: str,
    entry: Mapping[str, Any],
    *,
    caption: str,
    image: Path,
    table: Path,
    stamp: Mapping[str, Any],
) -> ShownFigure:
    """Read a figure's image and table.

    Raises
    ------
    UserError
        If either is not there.
    """
    try:
        content = image.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{image} is not there: make it with `snakemake {image}`.") from error
    title = entry.get("title") or name
    return ShownFigure(name, title, caption, content, read_fragment(table), stamp)


def caption(summary: str, entry: Mapping[str, Any], grid: Mapping[str, Any]) -> str:
    """Say what a figure shows, of which networks and datasets, and how these were trained.

    Parameters
    ----------
    summary
        Of the figure's kind.
    entry
        The figure's entry.
    grid
        The collected grid, which describes the entry's experiments.
    """
    experiments = [grid["experiments"].get(name) for name in entry.get("experiments", [])]
    shown = dict.fromkeys(_setting(each, grid) for each in experiments if each)
    return " ".join([summary, *(f"{setting}." for setting in shown)])


def _setting(experiment: Mapping[str, Any], grid: Mapping[str, Any]) -> str:
    recipe = experiment["recipe"]
    width = experiment.get("width", 1)
    return (
        f"{named(experiment['architecture'])} on {named(experiment['dataset'])}, width {width:g}, "
        f"{recipe} recipe ({epochs(grid['recipes'][recipe]['epochs'])})"
    )
