"""Judge the paper's claims by the runs there are."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.provenance import stamp
from spatialdep.reporting.claims import judge, read_claims
from spatialdep.reporting.claims_table import claims_table
from spatialdep.reporting.results import inputs_of, read_results
from spatialdep.reporting.tables import write_tables


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.claims", description=__doc__
    )
    parser.add_argument("--claims", required=True, type=Path, help="the file with the claims")
    parser.add_argument("--tables", required=True, type=Path, help="folder that collect wrote")
    parser.add_argument("--out", required=True, type=Path, help="path of the table, without ending")
    arguments = parser.parse_args(argv)

    tests, confidence = read_claims(arguments.claims)
    stamp.verify(arguments.tables / "stamp.json")
    results = read_results(arguments.tables)
    job = stamp.begin(
        "claims",
        configuration={},
        inputs={"claims": arguments.claims, **inputs_of(arguments.tables)},
    )
    table = claims_table(judge(tests, results, confidence), confidence)
    outputs = write_tables(arguments.out, table)
    job.finish(arguments.out.with_name(f"{arguments.out.name}.stamp.json"), outputs=outputs)
    for _, row in table.shown.iterrows():
        print(f"{row['Claim']}, {row['Operation']}, {row['Setting']}: {row['Verdict']}")
    return 0


if __name__ == "__main__":
    commandline.run(main)
