"""Draw a figure from its tidy table."""

import argparse
from collections.abc import Sequence

from spatialdep import commandline
from spatialdep.provenance import stamp
from spatialdep.reporting.kinds import ROOM, add_figure_arguments, figure_from
from spatialdep.reporting.style import save


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.figure", description=__doc__
    )
    add_figure_arguments(parser)
    arguments = parser.parse_args(argv)
    entry = figure_from(arguments)

    results = entry.read(arguments.tables)
    job = stamp.begin(
        "figure",
        selection=[(ROOM, entry.kind)],
        configuration={"name": entry.name, "figure": entry.whole},
        inputs=entry.inputs(arguments.tables),
    )
    outputs = save(entry.draw(results), arguments.out)
    job.finish(arguments.out.with_name(f"{arguments.out.name}.stamp.json"), outputs=outputs)
    return 0


if __name__ == "__main__":
    commandline.run(main)
