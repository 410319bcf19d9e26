"""Questions to SLURM's own programs."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spatialdep.errors import UserError

PROGRAMS = ("sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
TIMEOUT = 60


def is_available() -> bool:
    """Whether SLURM's programs are on PATH."""
    return all(shutil.which(program) for program in PROGRAMS)


def ask(*command: str) -> str:
    """Call one of SLURM's programs and return what it prints.

    Raises
    ------
    UserError
        If it fails or does not answer.
    """
    try:
        finished = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{command[0]} is not on PATH: log in to the cluster's login node."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{command[0]} did not answer within {TIMEOUT} s: try again.") from error
    if finished.returncode != 0:
        said = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
        raise UserError(f"{command[0]}: {said[-1] if said else 'it failed without a word'}")
    return finished.stdout.strip()


@dataclass(frozen=True)
class Partition:
    """What sinfo tells of a partition; GPUs and shards are those of one node, by type."""

    name: str
    up: bool
    usable_nodes: int
    limit_minutes: float
    gpus: dict[str, int]
    shards: int

    @property
    def shards_per_gpu(self) -> int:
        """Shards that a GPU is cut into; 0 if GPUs are not shared."""
        return self.shards // sum(self.gpus.values()) if self.gpus else 0


def partitions() -> dict[str, Partition]:
    """Return every partition by name; the default one also under ``""``."""
    found: dict[str, Partition] = {}
    rows = ask("sinfo", "--noheader", "--format=%P|%a|%t|%D|%l|%G").splitlines()
    for row in rows:
        label, available, state, nodes, limit, gres = row.split("|")
        name = label.rstrip("*")
        before = found.get(name)
        usable = int(nodes) if re.match(r"(idle|mix|alloc|comp|resv|plnd)", state) else 0
        found[name] = Partition(
            name=name,
            up=available == "up",
            usable_nodes=usable + (before.usable_nodes if before else 0),
            limit_minutes=minutes(limit),
            gpus={**(before.gpus if before else {}), **_gres(gres, "gpu")},
            shards=max(sum(_gres(gres, "shard").values()), before.shards if before else 0),
        )
        if label.endswith("*"):
            found[""] = found[name]
    return found


def minutes(limit: str) -> float:
    """Turn SLURM's ``1-02:03:04`` into minutes; ``infinite`` is infinite."""
    if limit in ("infinite", "UNLIMITED", "n/a"):
        return float("inf")
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if len(parts) == 1:
        parts = [parts[0], 0, 0] if days else [0, parts[0], 0]
    elif len(parts) == 2:
        parts = [*parts, 0] if days else [0, *parts]
    return int(days or 0) * 1440 + parts[0] * 60 + parts[1] + parts[2] / 60


def has_accounting() -> bool:
    """Whether sacct answers, that is, whether jobs are kept in a database."""
    try:
        ask("sacct", "--allocations", "--noheader", "--starttime=now-1hour", "--format=JobID")
    except UserError:
        return False
    return True


def remembered_seconds() -> int:
    """Return how long the controller remembers a finished job (MinJobAge)."""
    found = re.search(r"MinJobAge\s*=\s*(\d+)", ask("scontrol", "show", "config"))
    if found is None:
        raise UserError("scontrol show config names no MinJobAge: ask your administrators.")
    return int(found[1])


@dataclass(frozen=True)
class QueuedJob:
    """A job of this user in the queue, or remembered by the controller."""

    id: str
    state: str
    reason: str
    elapsed: str
    left: str
    node: str
    folder: Path
    comment: str


def queue() -> list[QueuedJob]:
    """Return this user's jobs that wait or run."""
    fields = ("%i", "%T", "%r", "%M", "%L", "%N", "%Z", "%k")
    rows = ask(
        "squeue", "--noheader", f"--user={os.getuid()}", f"--format={'|'.join(fields)}"
    ).splitlines()
    # The comment comes last, since a run's name could hold any character.
    jobs = (row.split("|", len(fields) - 1) for row in rows)
    return [
        QueuedJob(id_, state, reason, elapsed, left, node, Path(folder), comment)
        for id_, state, reason, elapsed, left, node, folder, comment in jobs
    ]


def ended_states(ids: Sequence[str]) -> dict[str, str]:
    """Return the states that accounting keeps of jobs, by id; empty without accounting."""
    if not ids:
        return {}
    try:
        rows = ask(
            "sacct", "--allocations", "--noheader", "--parsable2",
            f"--jobs={','.join(ids)}", "--format=JobIDRaw,State",
        ).splitlines()  # fmt: skip
    except UserError:
        return {}
    return dict(row.split("|", 1) for row in rows)


def _gres(text: str, name: str) -> dict[str, int]:
    """Read ``gpu:h200:2(S:0-1),shard:h200:8`` → ``{"h200": 2}`` for ``gpu``."""
    found: dict[str, int] = {}
    for item in re.split(r",(?![^()]*\))", text):
        parts = re.sub(r"\(.*?\)", "", item).split(":")
        if parts[0] == name and parts[-1].isdigit():
            found[":".join(parts[1:-1]) or "any"] = int(parts[-1])
    return found
