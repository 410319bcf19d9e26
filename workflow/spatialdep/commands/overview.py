"""Write the overview of all results: one HTML file that opens without network."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from spatialdep import commandline
from spatialdep.atomic import atomic_write
from spatialdep.plugins import declarations
from spatialdep.provenance import stamp
from spatialdep.reporting.claims import judge, read_claims
from spatialdep.reporting.overview import caption, overview, shown_figure
from spatialdep.reporting.provenance_table import PROVENANCE, read_provenance
from spatialdep.reporting.results import inputs_of, read_results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.overview", description=__doc__
    )
    parser.add_argument("--claims", required=True, type=Path, help="the file with the claims")
    parser.add_argument("--tables", required=True, type=Path, help="folder of all tables")
    parser.add_argument("--figures", required=True, type=Path, help="folder of all figures")
    parser.add_argument(
        "--entries",
        required=True,
        type=json.loads,
        help="the figures in their order, each with its name and its entry, as JSON",
    )
    parser.add_argument("--out", required=True, type=Path, help="the HTML file")
    arguments = parser.parse_args(argv)

    collected = stamp.verify(arguments.tables / "stamp.json")
    tests, confidence = read_claims(arguments.claims)
    results = read_results(arguments.tables)
    provenance = arguments.tables / PROVENANCE
    kinds = declarations("reporting.figures")
    figures = []
    inputs = {"claims": arguments.claims, **inputs_of(arguments.tables), "provenance": provenance}
    for each in arguments.entries:
        name, entry = each["name"], each["figure"]
        drawn = stamp.verify(arguments.figures / f"{name}.stamp.json", [f"{name}.svg"])
        stamp.verify(arguments.tables / f"{name}.stamp.json", [f"{name}.html"])
        image, table = arguments.figures / f"{name}.svg", arguments.tables / f"{name}.html"
        summary = kinds[entry["kind"]]["summary"]
        figures.append(
            shown_figure(
                name,
                entry,
                caption=caption(summary, entry, collected.configuration),
                image=image,
                table=table,
                stamp=asdict(drawn),
            )
        )
        inputs |= {image.name: image, table.name: table}
    job = stamp.begin("overview", configuration={"figures": arguments.entries}, inputs=inputs)
    text = overview(
        findings=judge(tests, results, confidence),
        confidence=confidence,
        figures=figures,
        missing=results.missing,
        provenance=read_provenance(provenance),
        configuration=collected.configuration,
        evaluations=len(results.runs[["run", "view"]].drop_duplicates()),
    )
    with atomic_write(arguments.out) as stream:
        stream.write(text)
    job.finish(arguments.out.with_suffix(".stamp.json"), outputs=[arguments.out])
    return 0


if __name__ == "__main__":
    commandline.run(main)
