"""How long a training takes, from finished runs where there are any, else from a table."""

import csv
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from spatialdep.cluster.site import Site
from spatialdep.cluster.speed import sustained_flops
from spatialdep.cluster.work import forward_flops, training_flops
from spatialdep.specification.run import RunSpecification

# Images by kind of dataset, until a prepared one says how many it has.
IMAGES = {
    "digits": (1_497, 300),
    "cifar100": (50_000, 10_000),
    "small_imagenet": (1_281_167, 50_000),
}
# What an unknown kind counts as: the largest of the study.
LARGEST = (1_281_167, 50_000)
# Process start, imports, data load, compilation.
START_SECONDS = 60.0
# What a captured step costs however small the network: it bounds narrow networks on a GPU.
STEP_SECONDS = 0.0005
# Full-size JPEG images that one core decodes and crops in a second; it often bounds ImageNet.
DECODED_PER_CORE = 150.0
FULL_SIZE = 128
# float32 against bfloat16 on tensor cores.
FLOAT32_SLOWDOWN = 4.0


@dataclass(frozen=True)
class Images:
    """How many images a dataset has, and their height and width in pixels."""

    train: int
    test: int
    size: int

    @property
    def megabytes(self) -> float:
        """Size of the prepared images as uint8."""
        return (self.train + self.test) * 3 * self.size**2 / 1e6


def images_of(run: RunSpecification, kind: str, prepared: Path) -> Images:
    """Return a run's number of images: counted if its dataset is prepared, else by its kind.

    Parameters
    ----------
    kind
        The dataset's kind in the configuration.
    prepared
        The folder of prepared datasets, ``results/data``.
    """
    try:
        whole = json.loads((prepared / run.dataset / "dataset.json").read_text(encoding="utf-8"))
        splits = whole["splits"]
        train, test = int(splits["train"]["images"]), int(splits["test"]["images"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Not prepared yet; whatever is wrong with the file, training will say.
        train, test = IMAGES.get(kind, LARGEST)
    return Images(train, test, run.image_size)


def table_seconds(run: RunSpecification, images: Images, site: Site) -> float:
    """Estimate a training's seconds, alone on its devices, from arithmetic and the speed table."""
    flops_per_second = sustained_flops(site)[1] * max(1, run.recipe.gpus)
    arithmetic = training_flops(run, images.train, images.test) / flops_per_second
    if site.gpus and run.recipe.precision == "float32":
        arithmetic *= FLOAT32_SLOWDOWN
    steps = run.recipe.epochs * (
        images.train / run.recipe.batch_size + images.test / run.recipe.test_batch_size
    )
    bounds = [arithmetic, steps * STEP_SECONDS if site.gpus else 0.0]
    if images.size >= FULL_SIZE:
        cores = site.cpus_per_gpu * max(1, run.recipe.gpus)
        decoded = run.recipe.epochs * (images.train + images.test)
        bounds.append(decoded / (DECODED_PER_CORE * cores))
    return START_SECONDS + max(bounds)


@dataclass(frozen=True)
class FinishedRun:
    """What one finished training took: seconds an epoch, and the device's name."""

    run: RunSpecification
    epoch_seconds: float
    device: str


@dataclass(frozen=True)
class Estimator:
    """Estimates trainings; finished runs of the same kind of network outweigh the table.

    Parameters
    ----------
    site
        Where the trainings will run.
    finished
        Runs that were trained on such a device.
    """

    site: Site
    finished: tuple[FinishedRun, ...] = ()
    _cache: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    def seconds(self, run: RunSpecification, images: Images) -> float:
        """Return a training's estimated seconds."""
        known = self._measured.get(_kind(run))
        if known is None:
            return table_seconds(run, images, self.site)
        # Seconds an epoch of like runs, scaled by what the operation saves.
        return START_SECONDS + run.recipe.epochs * known * forward_flops(run)

    def is_measured(self, run: RunSpecification) -> bool:
        """Whether finished runs, not the table, are behind the estimate."""
        return _kind(run) in self._measured

    @cached_property
    def _measured(self) -> Mapping[tuple[str, ...], float]:
        """Median seconds an epoch and operation of the forward pass, by kind of run."""
        found = defaultdict(list)
        for finished in self.finished:
            per_flop = finished.epoch_seconds / forward_flops(finished.run)
            found[_kind(finished.run)].append(per_flop)
        return {kind: statistics.median(values) for kind, values in found.items()}


def finished_runs(runs: Iterable[RunSpecification], folder: Path, site: Site) -> list[FinishedRun]:
    """Read what finished runs took; those of another kind of device do not count.

    Parameters
    ----------
    runs
        Runs whose results are known to be fresh.
    folder
        ``results/runs``.
    """
    device = sustained_flops(site)[0]
    found = []
    for run in runs:
        try:
            trained_on = str(
                json.loads((folder / run.id / "run.json").read_text(encoding="utf-8"))["device"]
            )
            with (folder / run.id / "history.csv").open(encoding="utf-8", newline="") as stream:
                seconds = [float(row["seconds"]) for row in csv.DictReader(stream)]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue  # an unfinished run measures nothing
        if seconds and _same_device(trained_on, device):
            found.append(FinishedRun(run, statistics.median(seconds), trained_on))
    return found


def _same_device(trained_on: str, device: str) -> bool:
    """Compare a run's device ("NVIDIA H200", "AMD EPYC 9654, 8 threads") with the table's row."""
    on_cpu = trained_on.endswith(" threads")
    return on_cpu if device == "cpu" else device.partition("_")[0] in trained_on.lower()


def _kind(run: RunSpecification) -> tuple[str, ...]:
    """Return what must agree for one run's speed to tell another's."""
    recipe = run.recipe
    return (
        run.dataset,
        run.network_id,
        recipe.precision,
        str(recipe.batch_size),
        str(recipe.gpus),
    )
