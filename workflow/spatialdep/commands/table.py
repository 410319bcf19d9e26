"""Write the table beside a figure."""

import argparse
from collections.abc import Sequence

from spatialdep import commandline
from spatialdep.provenance import stamp
from spatialdep.reporting.kinds import ROOM, add_figure_arguments, figure_from
from spatialdep.reporting.tables import write_tables


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.table", description=__doc__
    )
    add_figure_arguments(parser)
    arguments = parser.parse_args(argv)
    entry = figure_from(arguments)

    results = entry.read(arguments.tables)
    job = stamp.begin(
        "table",
        selection=[(ROOM, entry.kind)],
        configuration={"name": entry.name, "figure": entry.whole},
        inputs=entry.inputs(arguments.tables),
    )
    outputs = write_tables(arguments.out, entry.table(results))
    job.finish(arguments.out.with_name(f"{arguments.out.name}.stamp.json"), outputs=outputs)
    return 0


if __name__ == "__main__":
    commandline.run(main)
