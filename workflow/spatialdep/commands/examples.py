"""Apply operations to a test image and to a feature map, for a figure that shows what they do."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spatialdep import commandline
from spatialdep.datasets.prepared import PreparedDataset, load_prepared
from spatialdep.errors import UserError
from spatialdep.evaluation.example_operations import apply_operation, position_map
from spatialdep.plugins import declarations
from spatialdep.provenance import stamp
from spatialdep.reporting.examples import EXAMPLES, Examples, write_examples
from spatialdep.specification.settings import OPERATIONS

MAP_SIZE = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.examples", description=__doc__
    )
    parser.add_argument("--name", required=True, help="the figure's name")
    parser.add_argument(
        "--figure", required=True, type=json.loads, help="the figure's entry, as JSON"
    )
    parser.add_argument("--data", required=True, type=Path, help="the prepared dataset's folder")
    parser.add_argument("--out", required=True, type=Path, help="folder of the result")
    arguments = parser.parse_args(argv)

    entry = arguments.figure
    declared = declarations("reporting.figures")[entry["kind"]]["options"]
    operations = [
        _split(each) for each in entry.get("operations", declared["operations"]["default"])
    ]
    dataset = load_prepared(arguments.data)
    job = stamp.begin(
        "examples",
        selection=[(OPERATIONS, name) for name, _ in operations],
        configuration={"name": arguments.name, "figure": entry},
        inputs={"dataset": arguments.data / "dataset.json"},
    )
    image = _image(dataset, entry.get("image", declared["image"]["default"]))
    small = position_map(MAP_SIZE)
    path = arguments.out / EXAMPLES
    write_examples(
        path,
        Examples(
            operations=np.array([name for name, _ in operations]),
            options=np.array([json.dumps(options, sort_keys=True) for _, options in operations]),
            images=np.stack([_shown(apply_operation(*each, image)) for each in operations]),
            maps=np.stack([_shown(apply_operation(*each, small)) for each in operations]),
            dataset=np.array(dataset.name),
        ),
    )
    job.finish(arguments.out / "stamp.json", outputs=[path])
    return 0


def _split(entry: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    return entry["name"], {key: value for key, value in entry.items() if key != "name"}


def _image(dataset: PreparedDataset, number: int) -> Tensor:
    """Return a test image with values from 0 to 1, ``(1, 3, S, S)``."""
    images = dataset.splits["test"].images
    if number >= images:
        raise UserError(
            f"{dataset.name} has {images} test images, so there is no number {number}: choose "
            f"image below {images}."
        )
    if dataset.storage == "records":
        # Here, since it imports torchvision, which small images do not need.
        from spatialdep.datasets.records import RecordsDataset  # noqa: PLC0415

        pixels, _ = RecordsDataset(dataset, "test")[number]
    else:
        pixels = torch.from_numpy(np.array(dataset.images("test")[number]))
    return pixels[None].to(torch.float32) / 255


def _shown(x: Tensor) -> np.ndarray:
    """Turn ``(1, 3, H, W)`` from 0 to 1 into uint8 ``(H, W, 3)``."""
    return (255 * x[0].permute(1, 2, 0)).round().to(torch.uint8).numpy()


if __name__ == "__main__":
    commandline.run(main)
