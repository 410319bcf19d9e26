"""Turn a dataset's verified sources into the form that training reads."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.entry import ROOM, add_entry_arguments, entry_from
from spatialdep.datasets.prepared import load_prepared
from spatialdep.datasets.verified import verified_paths
from spatialdep.provenance import stamp


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.prepare", description=__doc__
    )
    add_entry_arguments(parser)
    parser.add_argument("--verified", required=True, type=Path, help="what verify wrote")
    parser.add_argument("--output", required=True, type=Path, help="the prepared dataset's folder")
    arguments = parser.parse_args(argv)

    entry = entry_from(arguments)
    paths = verified_paths(arguments.verified, entry)
    job = stamp.begin(
        "prepare",
        selection=[(ROOM, entry.kind)],
        configuration=entry.to_dict(),
        inputs={"verified": arguments.verified},
    )
    folder: Path = arguments.output
    entry.plugin.prepare(entry, paths, folder)
    job.finish(folder / "stamp.json", load_prepared(folder).all_files())
    return 0


if __name__ == "__main__":
    commandline.run(main)
