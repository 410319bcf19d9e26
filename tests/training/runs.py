"""Runs for tests: tiny ones, and what of their results must not change."""

import csv
from pathlib import Path
from typing import Any

import torch

from spatialdep.datasets.prepared import load_prepared
from spatialdep.specification.arguments import to_arguments
from spatialdep.specification.run import Recipe, RunSpecification
from spatialdep.training.checkpoint import CheckpointFolder
from spatialdep.training.distributed import Ranks
from spatialdep.training.loop import Habits, Trained, Training
from spatialdep.training.setup import make_batches, make_learner

CPU = torch.device("cpu")
TIMING = {"images_per_second", "seconds"}


def recipe(**changes: Any) -> Recipe:
    """Three steps an epoch, the last of them smaller, on the dataset of the tests."""
    whole = {
        "name": "test",
        "epochs": 4,
        "batch_size": 32,
        "test_batch_size": 16,
        "learning_rate": 0.05,
        "milestones": (2,),
        "augmentation": "crop_flip",
    }
    return Recipe(**{**whole, **changes})


def specification(changes: dict[str, Any] | None = None, **recipe_changes: Any) -> RunSpecification:
    """A shuffled network, so that every random stream is in use."""
    whole = {
        "dataset": "noise",
        "image_size": 32,
        "architecture": "vgg16",
        "width": 1 / 32,
        "operation": "spatial_shuffle",
        "last_k": 4,
        "recipe": recipe(**recipe_changes),
        "seed": 0,
    }
    return RunSpecification(**{**whole, **(changes or {})})


def make_training(
    run: RunSpecification,
    data: Path,
    checkpoints: Path,
    device: torch.device = CPU,
    graph: bool = False,
    **habits: Any,
) -> Training:
    """Everything that the command makes, in this process."""
    dataset = load_prepared(data)
    return Training(
        run,
        make_learner(run, dataset.classes, device, Ranks(), graph=graph),
        make_batches(run, dataset, device, Ranks(), workers=0),
        checkpoints=CheckpointFolder(checkpoints, "fingerprint"),
        habits=Habits(**habits),
        ranks=Ranks(),
    )


def command_line(run: RunSpecification, data: Path, place: Path, *more: str) -> list[str]:
    """Arguments of the command, with outputs and checkpoints below ``place``."""
    return [
        "--data", str(data),
        "--output", str(place / "output"),
        "--checkpoints", str(place / "checkpoints"),
        "--device", "cpu",
        *to_arguments(run),
        *more,
    ]  # fmt: skip


def lasting(output: Path) -> tuple[bytes, bytes, list[dict[str, str]]]:
    """Weights and history as written, without what depends on the speed of the machine."""
    with (output / "history.csv").open(newline="") as stream:
        rows = [
            {name: value for name, value in row.items() if name not in TIMING}
            for row in csv.DictReader(stream)
        ]
    weights = (output / "weights.safetensors").read_bytes()
    return weights, (output / "best.safetensors").read_bytes(), rows


def untimed(trained: Trained) -> list[tuple[float, ...]]:
    """The history of a training without times."""
    return [
        (row.epoch, row.lr, row.train_loss, row.train_top1, row.test_loss, row.test_top1)
        for row in trained.history
    ]


def assert_same(one: Trained, other: Trained) -> None:
    """Hold two trainings against each other, bit for bit."""
    assert untimed(one) == untimed(other)
    for left, right in ((one.weights, other.weights), (one.best, other.best)):
        assert left.keys() == right.keys()
        for name in left:
            assert torch.equal(left[name], right[name]), name
