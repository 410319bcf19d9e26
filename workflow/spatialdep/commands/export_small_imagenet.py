"""Write a prepared Small-ImageNet as its authors published theirs, for other people's loaders."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.datasets.prepared import load_prepared
from spatialdep.datasets.published_format import write_published
from spatialdep.errors import UserError
from spatialdep.provenance import stamp


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.export_small_imagenet", description=__doc__
    )
    parser.add_argument(
        "--prepared", required=True, type=Path, help="the prepared dataset's folder"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for the eleven files")
    arguments = parser.parse_args(argv)

    dataset = load_prepared(arguments.prepared)
    if dataset.storage != "arrays":
        raise UserError(
            f"{arguments.prepared} holds full-size images; the published form is for small ones."
        )
    job = stamp.begin(
        "export_small_imagenet",
        configuration={},
        inputs={"dataset": arguments.prepared / "dataset.json"},
    )
    folder: Path = arguments.output
    # Beside the folder, which holds what others publish and nothing else.
    job.finish(folder.with_name(f"{folder.name}.stamp.json"), write_published(dataset, folder))
    return 0


if __name__ == "__main__":
    commandline.run(main)
