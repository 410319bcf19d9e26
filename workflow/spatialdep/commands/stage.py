"""Print the folder from which a job should read a prepared dataset: a copy on the node, or itself.

With a scratch folder the dataset is copied there once a node and verified by digest; without one
the shared folder is printed and nothing is copied.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from spatialdep import commandline
from spatialdep.cluster.staging import stage

VARIABLE = "SPATIALDEP_SCRATCH"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.stage", description=__doc__
    )
    parser.add_argument("--data", required=True, type=Path, help="folder of the prepared dataset")
    parser.add_argument(
        "--scratch",
        default=os.environ.get(VARIABLE, ""),
        help=f"folder on the node's own disk (default: ${VARIABLE}; empty: none)",
    )
    arguments = parser.parse_args(argv)
    print(stage(arguments.data, Path(arguments.scratch)) if arguments.scratch else arguments.data)
    return 0


if __name__ == "__main__":
    commandline.run(main)
