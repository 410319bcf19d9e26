"""How things are called in tables and figures."""

import json
import math
from collections.abc import Iterable, Sequence

import pandas as pd

from spatialdep.reporting.rows import Row, records

# What is not here is shown by its own name, so a new operation needs no entry.
NAMES = {
    "none": "baseline",
    "gap_fc": "GAP + FC",
    "conv1x1": "1×1 convolution",
    "vgg16": "VGG-16",
    "resnet50": "ResNet-50",
    "resnet152": "ResNet-152",
    "cifar100": "CIFAR-100",
    "small_imagenet": "Small-ImageNet",
    "small_imagenet32": "Small-ImageNet 32×32",
    "small_imagenet64": "Small-ImageNet 64×64",
    "imagenet": "ImageNet",
    "top1": "Top-1",
    "top5": "Top-5",
    "last": "last epoch",
    "best": "best test epoch",
}


MISSING_MARKS = "× not run yet; hollow: seeds missing"


def named(name: str) -> str:
    """Return what people call ``name``: ``"spatial_shuffle"`` is a spatial shuffle."""
    return NAMES.get(name, name.replace("_", " "))


def method(operation: str, options: str) -> str:
    """Return an operation with its switches: ``"patch shuffle (patch 4)"``."""
    switches = json.loads(options)
    if not switches:
        return named(operation)
    return f"{named(operation)} ({', '.join(_switch(*item) for item in switches.items())})"


def method_of(row: Row) -> str:
    """Return what a row's networks were trained with."""
    return method(row["operation"], row["options"])


def network(row: Row) -> str:
    """Return what a row of a table or summary is about: ``"VGG-16 on CIFAR-100"``."""
    return f"{named(row['architecture'])} on {named(row['dataset'])}"


def conditions(rows: pd.DataFrame, missing: pd.DataFrame, band: str = "") -> str:
    """Say under which recipe, width and number of seeds some summarised settings came about.

    Parameters
    ----------
    rows
        Of one recipe and width.
    missing
        Rows of ``missing.csv`` that belong to them.
    band
        What shows the spread over seeds, if anything does.
    """
    first = records(rows)[0]
    width = "" if first["width"] == 1 else f", width {first['width']:g}"
    number = seeds(rows["seeds"])
    spread = f"; {band}" if band and rows["seeds"].max() > 1 else ""
    text = f"{first['recipe']} recipe, {epochs(first['epochs'])}{width}\n{number}{spread}"
    return f"{text}\n{MISSING_MARKS}" if len(missing) else text


def rank(names: Sequence[object]) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts by the order of the study, and what it does not know by name."""
    known = list(NAMES)
    return tuple(
        (known.index(str(name)) if name in known else len(known), str(name)) for name in names
    )


def seeds(counts: Iterable[int]) -> str:
    """Return ``"1 seed"``, ``"3 seeds"`` or ``"1–3 seeds"``."""
    numbers = sorted(set(counts))
    text = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
    return f"{text} seed{'' if numbers == [1] else 's'}"


def epochs(number: int) -> str:
    """Return ``"1 epoch"`` or ``"300 epochs"``."""
    return f"{counted(number)} epoch{'' if number == 1 else 's'}"


def number(value: float, digits: int = 2) -> str:
    """Return a number with a proper minus, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def counted(number: int) -> str:
    """Return a whole number with thin thousands."""
    return f"{number:,}"


def _switch(name: str, value: object) -> str:
    text = name.replace("_", " ")
    if isinstance(value, bool):
        return text if value else f"no {text}"
    return f"{text} {value}"
