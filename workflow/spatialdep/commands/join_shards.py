"""Join a dataset's shards to the form that training reads."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.blueprints import verified_blueprint
from spatialdep.datasets.entry import ROOM, add_entry_arguments, entry_from
from spatialdep.datasets.joining import join_shards
from spatialdep.provenance import stamp


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.join_shards", description=__doc__
    )
    add_entry_arguments(parser)
    parser.add_argument("--verified", required=True, type=Path, help="what verify wrote")
    parser.add_argument(
        "--shards", required=True, type=Path, nargs="+", help="the shards' folders, in order"
    )
    parser.add_argument("--output", required=True, type=Path, help="the prepared dataset's folder")
    arguments = parser.parse_args(argv)

    entry = entry_from(arguments)
    shards: list[Path] = arguments.shards
    folder: Path = arguments.output
    blueprint = verified_blueprint(arguments.verified, entry)
    for shard in shards:
        # What the shard holds beside its summary is compared with that when it is read.
        stamp.verify(shard / "stamp.json", ["shard.json"])
    job = stamp.begin(
        "join_shards",
        selection=[(ROOM, entry.kind)],
        configuration=entry.to_dict(),
        inputs={
            "verified": arguments.verified,
            **{f"shard{number}": path / "shard.json" for number, path in enumerate(shards)},
        },
    )
    dataset = join_shards(blueprint, shards, folder, name=entry.name, kind=entry.kind)
    job.finish(folder / "stamp.json", [folder / "manifest.csv.gz", *dataset.all_files()])
    return 0


if __name__ == "__main__":
    commandline.run(main)
