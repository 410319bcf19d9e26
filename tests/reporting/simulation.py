"""Evaluations of networks that were never trained, with known truth, for tests of reporting."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from spatialdep.reporting import images, tidy
from spatialdep.reporting.evaluations import Evaluation, missing_row
from spatialdep.reporting.images import ImageResults
from spatialdep.reporting.summary import Results
from spatialdep.specification.grid import View, expand

Truth = Callable[[View], float]
PAPER_RECIPE: dict[str, Any] = {
    "epochs": 300, "batch_size": 128, "test_batch_size": 100, "learning_rate": 0.1,
    "schedule": "multistep", "milestones": [150, 225], "gamma": 0.1, "momentum": 0.9,
    "nesterov": False, "weight_decay": 5e-4, "augmentation": "crop_flip", "precision": "bfloat16",
}  # fmt: skip
CIFAR100 = {"kind": "cifar100", "classes": 100, "train_images": 50000, "test_images": 10000}
CLASSES = [f"class {number}" for number in range(10)]


def make_grid(experiments: dict[str, Any], recipe: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a grid as planning makes it; all datasets have 32 pixels, all recipes are one."""
    names = {entry["recipe"] for entry in experiments.values()}
    return {
        "experiments": experiments,
        "recipes": dict.fromkeys(names, recipe or PAPER_RECIPE),
        "image_sizes": {entry["dataset"]: 32 for entry in experiments.values()},
    }


def experiment(**changes: Any) -> dict[str, Any]:
    """Return an experiment of VGG-16 on CIFAR-100, changed."""
    usual = {
        "dataset": "cifar100", "architecture": "vgg16", "recipe": "paper",
        "operations": ["spatial_shuffle", "gap_fc"], "last_k": [0, 4, 7], "seeds": [0, 1, 2],
    }  # fmt: skip
    if "units" in changes:
        del usual["last_k"]
    return {**usual, **changes}


def views_of(grid: dict[str, Any]) -> list[View]:
    return list(dict.fromkeys(view for views in expand(grid).values() for view in views))


def simulate(
    grid: dict[str, Any],
    truth: Truth,
    *,
    lost: Callable[[View], bool] = lambda view: False,
    number: int = 2000,
    seed_sd: float = 0.3,
    seed: int = 0,
) -> Results:
    """Simulate all evaluations of ``grid``.

    Parameters
    ----------
    grid
        From :func:`make_grid`.
    truth
        Expected top-1 accuracy of a view, per cent.
    lost
        Which views are missing.
    number
        Test images.
    seed_sd
        Standard deviation between seeds, percentage points.
    """
    difficulty = np.random.default_rng(seed).random(number)
    labels = np.arange(number) % len(CLASSES)
    found, missing = [], []
    for view in views_of(grid):
        if lost(view):
            missing.append(missing_row(view, "is missing"))
            continue
        # Each run's own noise, so that the order of runs changes nothing in them.
        own = crc32(f"{view.run.id}/{view.id}".encode())
        generator = np.random.default_rng([seed, own])
        share = (truth(view) + seed_sd * generator.standard_normal()) / 100
        found.append(evaluation(view, share, difficulty, labels, generator))
    return collected(found, missing)


def evaluation(
    view: View,
    share: float,
    difficulty: np.ndarray,
    labels: np.ndarray,
    generator: np.random.Generator,
) -> Evaluation:
    """Simulate one evaluation with about ``share`` correct images; hard images fail more often."""
    random = view.evaluated.operation.endswith("shuffle")
    passes = 3 if random else 1
    own = 0.25 * generator.standard_normal(len(difficulty))
    noise = 0.05 * random * generator.standard_normal((passes, len(difficulty)))
    score = difficulty + own + noise
    checkpoints, arrays = {}, {"labels": labels, "class_names": np.array(CLASSES)}
    for checkpoint, better in (("last", 0.0), ("best", 0.002)):
        correct = score <= np.quantile(score, min(share + better, 1))
        checkpoints[checkpoint] = {
            "epoch": 300 if checkpoint == "last" else 290,
            "passes": [
                {"top1": 100 * float(row.mean()), "top5": 100.0, "loss": 1.0} for row in correct
            ],
        }
        arrays[checkpoint] = np.packbits(correct, axis=1)
    record = {
        "run": view.run.id,
        "view": view.id,
        "specification": view.run.to_dict(),
        "evaluated": view.evaluated.to_dict(),
        "unit_count": {"vgg16": 13, "resnet50": 17, "resnet152": 51}[view.run.architecture],
        "parameters": 34011172,
        "dataset": {**CIFAR100, "kind": view.run.dataset},
        "training": {
            "seconds": 100.0, "device": "simulated", "code": "0" * 16, "started": "2026-01-01",
            "package": "0", "python": "3", "environment": {}, "history": history(share),
        },
        "checkpoints": checkpoints,
    }  # fmt: skip
    return Evaluation(json.loads(json.dumps(record)), arrays)


def history(share: float, epochs: int = 20) -> list[dict[str, float]]:
    """Simulate a learning curve that ends near ``share``."""
    return [
        {
            "epoch": epoch, "lr": 0.1, "train_loss": 1 / epoch, "train_top1": 100 - 90 / epoch,
            "test_loss": 2 / epoch, "test_top1": 100 * share * (1 - 0.8 / epoch),
            "images_per_second": 1e4, "seconds": 5.0,
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip


def collected(found: list[Evaluation], missing: list[dict[str, Any]]) -> Results:
    """Return what collect would make of evaluations."""
    rows = [row for each in found for row in each.rows()]
    trained = [each.history() for each in found if each.record["view"] == "trained"]
    return Results(
        runs=tidy.as_tidy(pd.DataFrame(rows), Path("runs.csv")),
        images=ImageResults(
            images.pack((each.record["run"], each.record["view"], each.arrays) for each in found),
            Path("images.npz"),
        ),
        histories=pd.concat(trained, ignore_index=True),
        missing=pd.DataFrame(missing, columns=tidy.MISSING_COLUMNS),
    )
