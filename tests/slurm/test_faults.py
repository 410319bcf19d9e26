"""Accidents of a cluster's everyday: none costs a digit, and none a finished run."""

import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from cluster_project import ClusterProject, run_id, target
from private_slurm import NODES, PrivateSlurm, wait_until

pytestmark = pytest.mark.slurm

LOOP = "workflow/spatialdep/training/loop.py"


def test_accidents_change_no_digit(
    slurm: PrivateSlurm,
    reference: ClusterProject,
    make_project: Callable[..., ClusterProject],
):
    """Requeue, a dead node, a restarted controller, a time limit and scancel, in mid-run."""
    project = make_project(slurm)
    runs = [run_id("long", seed) for seed in range(3)]
    process = project.start(*map(target, runs))
    trainings = project.pause(*runs)
    first = {run: project.jobs_of(run)[0] for run in runs}
    nodes = {run: slurm.job(first[run])["NodeList"] for run in runs}
    # Two nodes of two GPUs each: who is alone loses his, since the limit must meet another.
    stranded = next(run for run in runs if list(nodes.values()).count(nodes[run]) == 1)
    requeued, limited = (run for run in runs if run != stranded)

    slurm.run("scontrol", "requeue", first[requeued])
    project.wait_to_go_on(requeued)
    slurm.kill_node(nodes[stranded])
    slurm.stop_controller()
    slurm.start_controller()
    slurm.return_node(nodes[stranded])
    # SLURM looks for limits every half minute.
    slurm.run("scontrol", "update", f"JobId={first[limited]}", "TimeLimit=1")
    wait_until(lambda: is_told_to_stop(trainings[limited]), "SIGTERM", 180)
    with contextlib.suppress(psutil.NoSuchProcess):
        trainings[limited].resume()
    project.wait_to_go_on(limited)
    slurm.run("scancel", project.jobs_of(limited)[-1])

    assert project.finish(process) == 0, project.log[-8000:]
    for run in runs:
        assert project.weights(run) == reference.weights(run), run
        assert losses(project, run) == losses(reference, run), run
    # A new attempt has a longer limit; SLURM starts the other two anew by itself.
    attempts = [slurm.job(each) for each in project.jobs_of(limited)]
    assert [job["TimeLimit"] for job in attempts] == ["00:01:00", "00:20:00", "00:40:00"]
    states = [job["JobState"] for job in attempts]
    # Told before its limit (it fails by itself, in time) or at it.
    assert states[0] in ("FAILED", "TIMEOUT")
    assert states[1:] == ["CANCELLED", "COMPLETED"]
    for run in (requeued, stranded):
        [job] = project.jobs_of(run)
        assert int(slurm.job(job)["Restarts"]) >= 1, run
    assert slurm.node_states() == ["idle"] * len(NODES)


def is_told_to_stop(process: psutil.Process) -> bool:
    """Whether SIGTERM waits for a suspended process, or SLURM has woken it with it."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    pending = re.search(r"ShdPnd:\s+(\w+)", status)
    assert pending is not None
    return bool(int(pending[1], 16) & 1 << signal.SIGTERM - 1)


def losses(project: ClusterProject, run: str) -> list[list[str]]:
    """Return a run's history without its timings."""
    lines = project.result(run, "history.csv").read_text(encoding="utf-8").splitlines()
    return [line.split(",")[:-2] for line in lines]


def test_code_edited_while_jobs_wait_is_told_by_the_stamps(
    slurm: PrivateSlurm, make_project: Callable[..., ClusterProject]
):
    project = make_project(slurm)
    early, late = runs = [run_id("tiny", seed) for seed in (0, 1)]
    slurm.run("scontrol", "update", "PartitionName=gpu", "State=DOWN")
    try:
        process = project.start(*map(target, runs))
        wait_until(lambda: all(map(project.jobs_of, runs)), "both jobs in the queue", 180)
        slurm.run("scontrol", "hold", project.jobs_of(late)[0])
    finally:
        slurm.run("scontrol", "update", "PartitionName=gpu", "State=UP")
    wait_until(project.result(early, "stamp.json").exists, f"{early} to finish", 180)
    before = {path: path.read_bytes() for path in project.result(early, "").iterdir()}

    edit(project.folder / LOOP, r"^(class Training\b.*:)$", r"\1\n    edited = 1\n")
    # The configuration too: `late` is planned with what it has been, and reads what it is.
    edit(project.folder / "config" / "test.yaml", r"learning_rate: 0\.1$", "learning_rate: 0.2")
    slurm.run("scontrol", "release", project.jobs_of(late)[0])
    assert project.finish(process) == 0, project.log[-8000:]

    # Each says what it was made with, and none touched the other's.
    stamps = [project.stamp(run) for run in runs]
    versions = [stamp["code"]["version"] for stamp in stamps]
    assert versions[0] != versions[1]
    rates = [stamp["configuration"]["recipe"]["learning_rate"] for stamp in stamps]
    assert rates == [0.1, 0.2]
    assert {path: path.read_bytes() for path in project.result(early, "").iterdir()} == before
    assert project.submitted().keys() == {run.replace("/", "_") for run in runs}
    planned = project.locally("-n", *map(target, runs))
    assert re.findall(r"Train (\S+)", planned) == [early]


def edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text(encoding="utf-8")
    edited = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    assert edited != text
    path.write_text(edited, encoding="utf-8")


def test_killed_main_process_and_the_same_command_again(
    slurm: PrivateSlurm,
    reference: ClusterProject,
    make_project: Callable[..., ClusterProject],
):
    project = make_project(slurm)
    finished, unfinished = run_id("tiny", 0), run_id("long", 0)
    targets = (target(finished), target(unfinished))
    process = project.start(*targets)
    # It stays suspended, so that it surely outlives Snakemake.
    orphan = project.pause(unfinished)[unfinished]
    wait_until(lambda: "Finished jobid" in project.log, f"{finished} to be noticed", 180)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    made = project.result(finished, "weights.safetensors").stat()

    # Its lock is left behind, so that nobody works in the same folder by accident.
    assert project.finish(project.start(*targets)) != 0
    assert "--unlock" in project.log
    project.snakemake("--unlock")
    before = len(project.log)
    process = project.start(*targets)
    second = "another process trains this run"
    wait_until(lambda: second in project.training_log(unfinished), "the new job to wait", 180)
    orphan.resume()
    assert project.finish(process) == 0, project.log[-8000:]
    assert f"Train {finished}" not in project.log[before:]
    assert "finished and unaltered: nothing to do" in project.training_log(unfinished)
    assert project.result(finished, "weights.safetensors").stat().st_ino == made.st_ino
    wait_until(lambda: not slurm.run("squeue", "-h"), "the orphan's end", 120)
    assert project.weights(unfinished) == reference.weights(unfinished)
    assert losses(project, unfinished) == losses(reference, unfinished)
    assert "Nothing to be done" in project.locally(*targets)
    written = project.stamp(unfinished)["outputs"]["weights.safetensors"]["sha256"]
    assert written == reference.stamp(unfinished)["outputs"]["weights.safetensors"]["sha256"]
