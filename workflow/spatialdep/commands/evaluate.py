"""Evaluate a trained run on the test images, as it was trained or under another operation."""

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from spatialdep import commandline
from spatialdep.datasets.prepared import PreparedDataset, load_prepared
from spatialdep.errors import UserError
from spatialdep.evaluation.image_batches import ImageBatches
from spatialdep.evaluation.networks import draws_per_image, evaluated_network, is_random
from spatialdep.evaluation.passes import evaluate
from spatialdep.evaluation.records import CheckpointResult, PassResult, write_evaluation
from spatialdep.provenance import stamp
from spatialdep.specification.grid import View, modified
from spatialdep.specification.run import BASELINE, RunSpecification
from spatialdep.specification.settings import selection_of, unit_names

WEIGHTS = {"last": "weights.safetensors", "best": "best.safetensors"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = _parser().parse_args(argv)
    trained = stamp.verify(arguments.run / "stamp.json")
    run = RunSpecification.from_dict(trained.configuration)
    evaluated = _evaluated(run, arguments)
    dataset = load_prepared(arguments.data)
    _check_dataset(dataset, run)
    passes = arguments.passes if is_random(evaluated) else 1
    job = stamp.begin(
        "evaluate",
        selection=sorted({*selection_of(run), *selection_of(evaluated)}),
        configuration={
            "run": run.to_dict(),
            "evaluated": evaluated.to_dict(),
            "passes": arguments.passes,
        },
        inputs={
            "dataset": arguments.data / "dataset.json",
            "weights": arguments.run / WEIGHTS["last"],
            "best": arguments.run / WEIGHTS["best"],
        },
    )
    device = _reproducible_device()
    images = ImageBatches(dataset, device, arguments.workers)
    record = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))
    epochs = {"last": record["last_epoch"]["epoch"], "best": record["best_epoch"]["epoch"]}
    results = []
    found: dict[int, tuple[PassResult, ...]] = {}
    for checkpoint, name in WEIGHTS.items():
        epoch = epochs[checkpoint]
        # The last epoch is often the best one too.
        if epoch not in found:
            network = evaluated_network(run, evaluated, dataset.classes, arguments.run / name)
            found[epoch] = evaluate(
                network,
                images,
                passes=passes,
                seed=run.seed,
                batch_size=arguments.batch_size,
                per_image=draws_per_image(evaluated),
            )
        results.append(CheckpointResult(checkpoint, epoch, found[epoch]))
        _report(results[-1])
    outputs = write_evaluation(
        arguments.out,
        {
            "run": run.id,
            "view": View(run, evaluated).id,
            "specification": run.to_dict(),
            "evaluated": evaluated.to_dict(),
            "unit_count": len(unit_names(run.architecture)),
            "parameters": record["parameters"],
            "dataset": _facts(dataset),
            "training": _training(trained, record, arguments.run),
        },
        results,
        dataset.labels("test"),
        list(dataset.class_names),
    )
    job.finish(arguments.out / "stamp.json", outputs=outputs, device=_device_name(device))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.evaluate", description=__doc__
    )
    parser.add_argument("--run", required=True, type=Path, help="the run's folder")
    parser.add_argument("--data", required=True, type=Path, help="the prepared dataset's folder")
    parser.add_argument("--out", required=True, type=Path, help="folder of the evaluation's files")
    parser.add_argument("--passes", type=int, default=10, help="passes of a random network")
    parser.add_argument(
        "--batch-size", type=int, default=100, help="images at once; changes no result"
    )
    parser.add_argument(
        "--workers", type=int, default=4, help="processes that decode full-size images"
    )
    other = parser.add_argument_group("evaluation under another operation")
    other.add_argument("--as-operation", help="the operation, none for the plain network")
    other.add_argument(
        "--as-options", nargs="*", type=_option, default=[], metavar="NAME=VALUE", help="switches"
    )
    other.add_argument("--as-last-k", type=int, default=0, help="how many of the last units")
    other.add_argument("--as-units", nargs="*", default=[], help="the units, instead of last k")
    return parser


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise UserError(f"--as-options {text}: expected NAME=VALUE, such as patch=4.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _evaluated(run: RunSpecification, arguments: argparse.Namespace) -> RunSpecification:
    if arguments.as_operation is None:
        return run
    plain = replace(run, operation=BASELINE, last_k=0, units=(), options=())
    return modified(
        plain,
        arguments.as_operation,
        dict(arguments.as_options),
        last_k=arguments.as_last_k,
        units=tuple(arguments.as_units),
    )


def _check_dataset(dataset: PreparedDataset, run: RunSpecification) -> None:
    if (dataset.name, dataset.image_size) != (run.dataset, run.image_size):
        raise UserError(
            f"{dataset.folder} is {dataset.name} at {dataset.image_size} pixels, but the run was "
            f"trained on {run.dataset} at {run.image_size}: give --data that dataset's folder."
        )


def _facts(dataset: PreparedDataset) -> dict[str, Any]:
    return {
        "kind": dataset.kind,
        "classes": dataset.classes,
        "train_images": dataset.splits["train"].images,
        "test_images": dataset.splits["test"].images,
        "test_digest": dataset.splits["test"].digest,
    }


def _training(trained: stamp.Stamp, record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what tables and report say about the training, so that they need not its weights."""
    with (folder / "history.csv").open(encoding="utf-8", newline="") as stream:
        history = [
            {name: float(text) for name, text in row.items()} for row in csv.DictReader(stream)
        ]
    return {
        "seconds": record["train_seconds"],
        "device": record["device"],
        "code": trained.code["version"],
        "environment": trained.environment,
        "python": trained.python,
        "package": trained.package,
        "started": trained.started,
        "history": history,
    }


def _reproducible_device() -> torch.device:
    """Pick the device, and arithmetic that neither the batch size nor a tuner's mood changes much.

    Evaluation takes little beside training, so it can afford full float32 and fixed algorithms.
    """
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]  # no stub yet
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _report(result: CheckpointResult) -> None:
    mean = sum(one.top1 for one in result.passes) / len(result.passes)
    print(
        f"{result.checkpoint} (epoch {result.epoch}): top-1 {mean:.2f} % over "
        f"{len(result.passes)} {'pass' if len(result.passes) == 1 else 'passes'}"
    )


if __name__ == "__main__":
    commandline.run(main)
