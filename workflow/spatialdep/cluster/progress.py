"""What has become of each planned job: from stamps, SLURM's queue and Snakemake's own log."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from spatialdep.cluster.resources import allocation_name
from spatialdep.cluster.slurm import QueuedJob
from spatialdep.specification.grid import TRAINED
from spatialdep.specification.plan import PlannedJob

RESULTS = Path("results")
LOGS = Path("results/logs")
WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")


class State(StrEnum):
    """What has become of a job."""

    DONE = "done"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    TO_DO = "to do"


@dataclass(frozen=True)
class Failure:
    """What Snakemake's log says about a failed job."""

    message: str
    logs: tuple[Path, ...]


@dataclass(frozen=True)
class Progress:
    """One planned job and what has become of it."""

    job: PlannedJob
    state: State
    queued: QueuedJob | None = None
    failure: Failure | None = None

    @property
    def name(self) -> str:
        """The job's run, evaluation, dataset or figure."""
        return name_of(self.job)


def name_of(job: PlannedJob) -> str:
    """Return what a job's wildcards name: a run, a run and view, a dataset, a figure, or all."""
    # results/runs/{run}/stamp.json, results/data/{dataset}/verified.stamp.json,
    # results/figures/{figure}.stamp.json
    below = Path(*job.stamp.relative_to(RESULTS).parts[1:])
    whole = below.parent if below.name == "stamp.json" or job.rule == "verify" else below
    return str(whole).removesuffix(".stamp.json") if whole.parts else "all"


def log_of(job: PlannedJob) -> Path:
    """Return a job's own log, as the rules name it."""
    return LOGS / job.rule / f"{name_of(job)}.log"


def progress(
    jobs: Iterable[PlannedJob],
    stale: set[Path],
    queue: Iterable[QueuedJob],
    failures: Mapping[Path, Failure],
) -> list[Progress]:
    """Tell what has become of each job.

    Parameters
    ----------
    stale
        Stamps of the jobs that would run.
    queue
        This folder's jobs in SLURM's queue.
    failures
        By stamp, from :func:`read_failures`.
    """
    queued = {_key(each.comment): each for each in queue}
    return [_progress_of(job, stale, queued, failures) for job in jobs]


def _progress_of(
    job: PlannedJob,
    stale: set[Path],
    queued: Mapping[str, QueuedJob],
    failures: Mapping[Path, Failure],
) -> Progress:
    in_queue = queued.get(_key(f"rule_{job.rule}_wildcards_{name_of(job)}"))
    if in_queue is None and job.stamp in stale:
        in_queue = queued.get(_allocation_key(job))
    if in_queue is not None:
        waits = in_queue.state in WAITING
        return Progress(job, State.WAITING if waits else State.RUNNING, queued=in_queue)
    if job.stamp not in stale:
        return Progress(job, State.DONE)
    # A job that fails leaves no stamp: where there is one, a later attempt was good.
    if job.stamp in failures and not job.stamp.exists():
        return Progress(job, State.FAILED, failure=failures[job.stamp])
    return Progress(job, State.TO_DO)


def _key(comment: str) -> str:
    """Return how the SLURM plug-in calls a job, but for wildcards that are empty.

    It writes ``rule_train_wildcards_`` and the wildcards, joined by ``_``, with ``_`` for ``/``.
    """
    rule, _, wildcards = comment.replace("/", "_").partition("_wildcards_")
    return f"{rule} {wildcards.strip('_').removesuffix('all')}"


def _allocation_key(job: PlannedJob) -> str:
    """Return how the plug-in calls the group that a job would be in: its name, and its rules."""
    run = name_of(job).removesuffix(f"/{TRAINED}")
    return _key(f"rule_{allocation_name(run)}_evaluate_train")


def read_failures(folder: Path) -> dict[Path, Failure]:
    """Return each job's last failure in the logs of Snakemake, by the failed job's stamp.

    Parameters
    ----------
    folder
        ``.snakemake/log``; every call leaves a log there, also one that only asks.
    """
    found: dict[Path, Failure] = {}
    for log in sorted(folder.glob("*.snakemake.log")):
        found |= failures_in(log.read_text(encoding="utf-8", errors="replace"))
    return found


def failures_in(text: str) -> dict[Path, Failure]:
    """Read the failures from a log of Snakemake: ``Error in rule train:`` and what is indented."""
    found = {}
    for block in re.finditer(r"^( *)Error in rule \w+:\n((?:\1 +.*\n)+)", text, re.MULTILINE):
        fields = dict(re.findall(r"^ +(\w+): (.*)$", block[2], re.MULTILINE))
        stamps = [Path(name) for name in fields.get("output", "").split(", ") if "stamp" in name]
        logs = fields.get("log", "").partition(" (check log")[0].split(", ")
        message = _shortened(fields.get("message", ""))
        for stamp in stamps:
            # What has no message of its own is SLURM's log of the job, shown once more.
            if message or stamp not in found:
                found[stamp] = Failure(message, tuple(Path(name) for name in logs if name))
    return found


def why(failed: Progress) -> str:
    """Say in one line why a job failed: its own last sentence, else what SLURM says."""
    message = failed.failure.message if failed.failure is not None else ""
    if message and message != "FAILED":
        return message
    return _last_error(log_of(failed.job)) or message or "it left no sentence in its log"


def _shortened(message: str) -> str:
    """Keep of the plug-in's message what SLURM says: ``TIMEOUT``, ``OUT_OF_MEMORY``."""
    state = re.search(r"SLURM status is: '(\w+)", message)
    if state is not None:
        return state[1]
    return "" if message in ("", "None") else message.partition("For further error details")[0]


def _last_error(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ")
