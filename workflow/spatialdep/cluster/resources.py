"""What each job asks SLURM for, computed from what it does; it grows with each attempt.

The names are those of Snakemake's SLURM plug-in: ``runtime`` in minutes, ``mem_mb``,
``cpus_per_task``, ``gpu`` and ``gpu_model`` or ``gres``, ``nodes``, ``slurm_partition`` and so on.
Other executors ignore them, but for ``gpu_runs``: with ``--resources gpu_runs=N`` at most N
trainings and evaluations run at once on one machine.
"""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from spatialdep.cluster.estimates import FULL_SIZE, Images, table_seconds
from spatialdep.cluster.site import Site
from spatialdep.specification.grid import TRAINED
from spatialdep.specification.run import RunSpecification

Value = int | str
Resources = dict[str, Value]
# What rules take: a value, or a function of wildcards and attempt.
AskedByRule = dict[str, Value | Callable[..., Value]]

# The table may be wrong by this much before the first attempt meets its time limit.
SAFETY = 3.0
SHORTEST = 10
# Interpreter, torch and a CUDA context in host memory.
BASE_MB = 6_000
# Full-size images are decoded by worker processes, one a CPU.
WORKER_MB = 1_500
# Beyond this size of prepared images, `prepare` is a matter of hours.
SMALL_DATASET_MB = 1_000
# An evaluation shares its training's allocation only where the training is about as short as it.
SHORT_TRAINING_MINUTES = 30


def training(run: RunSpecification, images: Images, site: Site, attempt: int = 1) -> Resources:
    """Return what the training of ``run`` asks for at its ``attempt``-th attempt.

    The time limit doubles with each attempt, up to what the partition grants; a training that meets
    it goes on from its checkpoint at the next attempt.
    """
    minutes = SAFETY * table_seconds(run, images, site) / 60 * _sharing(run, site)
    return {
        **_placed(run.recipe.gpus, site),
        "runtime": _runtime(minutes, attempt, site),
        "mem_mb": _grown(_training_mb(run, images, site), attempt),
    }


def evaluation(
    run: RunSpecification, images: Images, passes: int, site: Site, attempt: int = 1
) -> Resources:
    """Return what one evaluation of ``run`` asks for: it never needs more than one GPU."""
    alone = replace(run, recipe=replace(run.recipe, gpus=1, epochs=passes + 2))
    tests = Images(0, images.test, images.size)
    minutes = SAFETY * table_seconds(alone, tests, site) / 60 * _sharing(alone, site)
    return {
        **_placed(1, site),
        "runtime": _runtime(minutes, attempt, site),
        "mem_mb": _grown(_training_mb(alone, images, site), attempt),
    }


def preparation(megabytes: float, site: Site, attempt: int = 1) -> Resources:
    """Return what preparing a dataset of that size asks for; it runs without a GPU."""
    long = megabytes > SMALL_DATASET_MB
    return {
        **_common(site, "cpu"),
        "runtime": _runtime(480 if long else 30, attempt, site),
        "mem_mb": _grown(4_000 + 2 * megabytes, attempt),
        "cpus_per_task": site.cpus_per_gpu if long else 1,
    }


def reporting(evaluations: int, site: Site, attempt: int = 1) -> Resources:
    """Return what joining that many evaluations asks for; it runs without a GPU."""
    return {
        **_common(site, "cpu"),
        "runtime": _runtime(15 + evaluations / 100, attempt, site),
        "mem_mb": _grown(2_000 + evaluations, attempt),
        "cpus_per_task": 1,
    }


def allocation_name(run: str) -> str:
    """Return the name of the group of a run's training and evaluation: a part of a file's name."""
    return run.replace("/", "_")


@dataclass(frozen=True)
class RuleResources:
    """Makes the functions that rules name under ``resources:`` and ``group:``.

    Parameters
    ----------
    site
        The cluster.
    run_of
        Returns a run's specification and its dataset's images, by the run's path.
    passes
        Test passes of a network that is random at test time.
    gpus
        The numbers of GPUs that trainings ask for.
    """

    site: Site
    run_of: Callable[[str], tuple[RunSpecification, Images]]
    passes: int
    gpus: Collection[int]

    def train(self) -> AskedByRule:
        """Return the resources of rule ``train``: functions for those in which runs may differ."""
        devices = [_device(gpus, self.site) for gpus in self.gpus or {1}]
        alike = {
            name: value
            for name, value in devices[0].items()
            if all(device[name] == value for device in devices)
        }
        differing = devices[0].keys() - alike.keys()
        return (_common_to_runs(self.site) | alike) | _by_name(
            lambda wildcards, attempt: training(*self.run_of(wildcards.run), self.site, attempt),
            [*differing, "runtime", "mem_mb"],
        )

    def evaluate(self) -> AskedByRule:
        """Return the resources of rule ``evaluate``."""
        return _placed(1, self.site) | _by_name(
            lambda wildcards, attempt: evaluation(
                *self.run_of(wildcards.run), self.passes, self.site, attempt
            ),
            ["runtime", "mem_mb"],
        )

    def prepare(self, megabytes: Callable[[Any], float]) -> AskedByRule:
        """Return the resources of a rule that handles ``megabytes(wildcards)`` of images."""
        return _common(self.site, "cpu") | _by_name(
            lambda wildcards, attempt: preparation(megabytes(wildcards), self.site, attempt),
            ["runtime", "mem_mb", "cpus_per_task"],
        )

    def collect(self, evaluations: Callable[[Any], int]) -> AskedByRule:
        """Return the resources of a rule that reads ``evaluations(wildcards)`` evaluations."""
        return _common(self.site, "cpu") | _by_name(
            lambda wildcards, attempt: reporting(evaluations(wildcards), self.site, attempt),
            ["runtime", "mem_mb", "cpus_per_task"],
        )

    def group(self) -> Callable[[Any], str | None] | None:
        """Return what groups a short training and its own evaluation: one allocation.

        Evaluations under other operations stay outside: members of one group that could run at the
        same time would ask for a GPU each.
        """

        def name(wildcards: Any) -> str | None:
            own = getattr(wildcards, "view", TRAINED) == TRAINED
            minutes = table_seconds(*self.run_of(wildcards.run), self.site) / 60
            short = minutes <= SHORT_TRAINING_MINUTES
            return allocation_name(wildcards.run) if own and short else None

        return name if self.site.evaluate_with_training else None


def _by_name(resources: Callable[[Any, int], Resources], names: Iterable[str]) -> AskedByRule:
    """Split a function that returns all resources into one for each name, as Snakemake wants.

    Snakemake calls each for every job, so what they share is computed once.
    """
    computed: dict[tuple[object, ...], Resources] = {}

    def one(name: str) -> Callable[..., Value]:
        def value(wildcards: Any, attempt: int) -> Value:
            key = (*wildcards, attempt)
            if key not in computed:
                computed[key] = resources(wildcards, attempt)
            return computed[key][name]

        return value

    return {name: one(name) for name in names}


def _common(site: Site, kind: str) -> Resources:
    """Return who pays and where it runs; what a site does not give is left to SLURM."""
    given = {
        "slurm_partition": site.partitions.get(kind),
        "slurm_account": site.account,
        "qos": site.qos,
    }
    return {name: value for name, value in given.items() if value is not None}


def _placed(gpus: int, site: Site) -> Resources:
    """Return where a training or an evaluation runs, and on what."""
    return _common_to_runs(site) | _device(gpus, site)


def _common_to_runs(site: Site) -> Resources:
    """Return what every training and evaluation asks for alike."""
    asked: Resources = {
        **_common(site, "gpu" if site.gpus else "cpu"),
        # Without it SLURM may spread a job's GPUs over nodes.
        "nodes": 1,
        "gpu_runs": 1,
        # To the job's steps only, so that the training hears it and not the shell around it.
        "slurm_extra": f"--signal=TERM@{site.grace}",
    }
    if site.gpus and site.constraint is not None:
        asked["constraint"] = site.constraint
    return asked


def _device(gpus: int, site: Site) -> Resources:
    """Return CPUs and GPUs, under the same names for any number of them."""
    gpus = max(1, gpus)
    cpus: Resources = {"cpus_per_task": site.cpus_per_gpu * gpus}
    if not site.gpus:
        return cpus
    if site.shards_per_run and gpus == 1:
        # All shards of a job lie on one GPU. A typed request (shard:h200:1) is granted by sbatch,
        # but fails in the job's step (SLURM 22.05), so the model must come from the constraint.
        return {**cpus, "gpu": 0, "gpu_model": "", "gres": f"shard:{site.shards_per_run}"}
    return {**cpus, "gpu": gpus, "gpu_model": site.gpu_model or "", "gres": ""}


def _cpus_in_use(run: RunSpecification, site: Site) -> int:
    return site.cpus_per_gpu * max(1, run.recipe.gpus)


def _training_mb(run: RunSpecification, images: Images, site: Site) -> float:
    if images.size >= FULL_SIZE:
        return BASE_MB + WORKER_MB * _cpus_in_use(run, site)
    # Held once as a whole, and once more while it is brought to the device.
    return BASE_MB * max(1, run.recipe.gpus) + 2 * images.megabytes


def _sharing(run: RunSpecification, site: Site) -> int:
    """Return by how much sharing its GPU slows a training down at worst."""
    return site.runs_per_gpu if run.recipe.gpus <= 1 else 1


def _runtime(minutes: float, attempt: int, site: Site) -> int:
    grown: int = max(SHORTEST, math.ceil(minutes)) * 2 ** (attempt - 1)
    return min(site.max_runtime, grown)


def _grown(megabytes: float, attempt: int) -> int:
    return math.ceil(megabytes * 1.5 ** (attempt - 1))
