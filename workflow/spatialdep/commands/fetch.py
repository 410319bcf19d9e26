"""Bring one of a dataset's source files here: download it, or link to it where it is local."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.download import download, link
from spatialdep.datasets.entry import Source, add_entry_arguments, entry_from
from spatialdep.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.fetch", description=__doc__
    )
    add_entry_arguments(parser)
    parser.add_argument("--source", required=True, help="which of the kind's sources")
    parser.add_argument("--output", required=True, type=Path, help="the file or link to make")
    arguments = parser.parse_args(argv)

    entry = entry_from(arguments)
    sources: dict[str, Source] = entry.plugin.sources(entry)
    if arguments.source not in sources:
        raise UserError(
            f"kind {entry.kind} has no source {arguments.source!r}: "
            f"choose one of {', '.join(sources) or 'none'}."
        )
    source = sources[arguments.source]
    if source.location is None:
        raise UserError(
            f"datasets.{entry.name} does not say where its {arguments.source} is: "
            f"expected a path or URL, for kind {entry.kind}."
        )
    if source.local_path is not None:
        link(source.local_path, arguments.output)
    else:
        download(source.location, arguments.output, source.checksum)
    return 0


if __name__ == "__main__":
    commandline.run(main)
