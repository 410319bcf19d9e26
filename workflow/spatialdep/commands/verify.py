"""Check a dataset's sources against their checksums, and look into them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.entry import Source, add_entry_arguments, entry_from
from spatialdep.datasets.verified import observe, write_verified
from spatialdep.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.verify", description=__doc__
    )
    add_entry_arguments(parser)
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        help="verified.json to write; the sources are in the folder sources/ beside it",
    )
    arguments = parser.parse_args(argv)

    entry = entry_from(arguments)
    sources: dict[str, Source] = entry.plugin.sources(entry)
    folder: Path = arguments.output.parent
    paths = {name: folder / "sources" / name for name in sources}
    observed = {}
    for name, source in sources.items():
        if not paths[name].is_file():
            raise UserError(f"{paths[name]} does not exist: fetch it first.")
        # Noted before hashing: a change in the meantime is then seen as one.
        observed[name] = observe(paths[name], source)
        if source.bytes not in (None, observed[name].bytes):
            raise UserError(
                f"{paths[name]} has {observed[name].bytes} bytes, expected {source.bytes}: "
                "it is incomplete or another file; get it again."
            )
        source.checksum.check(
            paths[name], "get it again, or correct its path or checksum in the configuration."
        )
    write_verified(arguments.output, entry, observed, entry.plugin.inspect(entry, paths))
    return 0


if __name__ == "__main__":
    commandline.run(main)
