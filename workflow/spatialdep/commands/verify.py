"""Check a dataset's sources against their checksums, and look into them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.entry import ROOM, Source, add_entry_arguments, entry_from
from spatialdep.datasets.verified import write_verified
from spatialdep.errors import UserError
from spatialdep.provenance import stamp
from spatialdep.provenance.files import FileDigest


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
    # What the sources hold is part of the configuration: their checksums.
    job = stamp.begin(
        "verify", selection=[(ROOM, entry.kind)], configuration=entry.to_dict(), inputs={}
    )
    sources: dict[str, Source] = entry.plugin.sources(entry)
    folder: Path = arguments.output.parent
    paths = {name: folder / "sources" / name for name in sources}
    found = {}
    for name, source in sources.items():
        if not paths[name].is_file():
            raise UserError(f"{paths[name]} does not exist: fetch it first.")
        size = paths[name].stat().st_size
        if source.bytes not in (None, size):
            raise UserError(
                f"{paths[name]} has {size} bytes, expected {source.bytes}: "
                "it is incomplete or another file; get it again."
            )
        found[name] = source.checksum.check(
            paths[name], "get it again, or correct its path or checksum in the configuration."
        )
    details = entry.plugin.inspect(entry, paths)
    found |= {name: FileDigest.of(folder) for name, folder in entry.folders.items()}
    written = write_verified(arguments.output, entry, found, details)
    job.finish(arguments.output.with_suffix(".stamp.json"), written)
    return 0


if __name__ == "__main__":
    commandline.run(main)
