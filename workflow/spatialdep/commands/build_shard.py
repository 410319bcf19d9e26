"""Build one shard of a dataset of small images from its verified sources."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.blueprints import verified_blueprint
from spatialdep.datasets.construction import build_shard
from spatialdep.datasets.entry import ROOM, add_entry_arguments, entry_from
from spatialdep.provenance import stamp


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.build_shard", description=__doc__
    )
    add_entry_arguments(parser)
    parser.add_argument("--verified", required=True, type=Path, help="what verify wrote")
    parser.add_argument("--shard", required=True, type=int, help="which one, from 0")
    parser.add_argument("--shards", required=True, type=int, help="how many there are")
    parser.add_argument("--workers", type=int, default=1, help="processes that decode (default 1)")
    parser.add_argument("--output", required=True, type=Path, help="the shard's folder")
    arguments = parser.parse_args(argv)

    entry = entry_from(arguments)
    blueprint = verified_blueprint(arguments.verified, entry)
    job = stamp.begin(
        "build_shard",
        selection=[(ROOM, entry.kind)],
        configuration={**entry.to_dict(), "shard": arguments.shard, "of": arguments.shards},
        inputs={"verified": arguments.verified},
    )
    folder: Path = arguments.output
    summary = build_shard(blueprint, arguments.shard, arguments.shards, arguments.workers, folder)
    files = [folder / name for name in ("shard.json", *summary.sha256)]
    job.finish(folder / "stamp.json", files)
    return 0


if __name__ == "__main__":
    commandline.run(main)
