"""`--profile profiles/slurm` gives what a local run gives, and asks for what it should."""

import csv
import re
import time
from collections.abc import Callable

import pytest
from cluster_project import ClusterProject, run_id, target
from private_slurm import PrivateSlurm

pytestmark = pytest.mark.slurm


def test_tables_are_those_of_a_local_run(slurm: PrivateSlurm, reference: ClusterProject, tmp_path):
    scratch = tmp_path / "scratch"
    project = ClusterProject.create(
        tmp_path / "p", slurm, scratch=str(scratch), evaluate_with_training=True
    )
    before = project.status("tiny")
    assert counts(before, "train") == {"to do": 2}
    assert "training: 0.0 GPU-hours, 0.0 left" in before
    assert "0 of 2 runs estimated from finished ones" in before
    project.snakemake()

    for name in (f"{table}.{end}" for table in ("tiny", "claims") for end in ("csv", "md", "tex")):
        ours, theirs = (each.folder / "results/tables" / name for each in (project, reference))
        assert ours.read_bytes() == theirs.read_bytes(), name
    ours, theirs = (tidy_rows(each) for each in (project, reference))
    assert ours == theirs
    baseline, shuffled = run_id("tiny", 0), run_id("tiny", 0, "spatial_shuffle/last7")
    for run in (baseline, shuffled):
        assert project.weights(run) == reference.weights(run)

    jobs = {job["JobId"]: job for job in slurm.jobs()}
    submitted = project.submitted()
    # A run's training and evaluation are one allocation, one after the other.
    for run in (baseline, shuffled):
        [together] = submitted[f"group_{run.replace('/', '_')}_evaluate_train"]
        job = jobs[together]
        assert job["TresPerJob"] == "gres:gpu:h200:1"
        assert job["TimeLimit"] == "00:20:00"
        assert job["NumCPUs"] == "2"
    preparation = jobs[submitted["digits"][-1]]
    assert preparation["Partition"] == "cpu"
    assert "TresPerJob" not in preparation

    # Logs of good jobs stay, and tell that figures, tables and verdicts were made here.
    logs = project.folder / ".snakemake/slurm_logs"
    assert len(list(logs.rglob("*.log"))) == len(jobs)
    rules = {folder.name for folder in logs.glob("rule_*")}
    assert rules == {f"rule_{name}" for name in ("verify", "prepare", "collect", "collect_all")}
    # Data were read from the node's own disk.
    assert list(scratch.glob("*/digits-*/arrays/train_images.npy"))

    assert "Nothing to be done" in project.snakemake()
    after = project.command("status", "--configfile", "config/test.yaml", "--plain").stdout
    assert counts(after, "train") == {"done": 2}
    assert counts(after, "all").keys() == {"done"}
    assert "\x1b" not in after


def counts(status: str, rule: str) -> dict[str, int]:
    """Return how many jobs of a rule are in which state, without states that none is in."""
    states = ("done", "running", "waiting", "failed", "to do")
    [row] = (line.split()[1:] for line in status.splitlines() if line.startswith(f" {rule} "))
    shown = zip(states, row, strict=True)
    return {state: int(number) for state, number in shown if number != "·"}


def tidy_rows(project: ClusterProject) -> list[dict[str, str]]:
    """Return the rows of the tidy table without how long they took."""
    with (project.folder / "results/tables/tiny/runs.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{key: row[key] for key in row if key != "train_seconds"} for row in rows]


def test_runs_share_gpus_up_to_the_configured_number(
    slurm: PrivateSlurm, make_project: Callable[..., ClusterProject]
):
    """Six runs for one node's two GPUs, of which two share one; status tells the same meanwhile."""
    project = make_project(slurm, runs_per_gpu=2, shards_per_gpu=4)
    # One node, so that there are more runs than room.
    slurm.run("scontrol", "update", "NodeName=gpu2", "State=DRAIN", "Reason=test")
    runs = [run_id("tiny", seed) for seed in range(6)]
    try:
        process = project.start(*map(target, runs))
        most: dict[str, int] = {}
        told = ""
        while process.poll() is None:
            for gpu, jobs in slurm.jobs_by_gpu().items():
                most[gpu] = max(most.get(gpu, 0), len(jobs))
            if not told and len(project.submitted()) == len(runs):
                told = project.status("many")
            time.sleep(0.5)
        assert project.finish(process) == 0, project.log[-6000:]
    finally:
        slurm.run("scontrol", "update", "NodeName=gpu2", "State=RESUME")
    assert max(most.values()) == 2, most
    assert set(most) == {"gpu1:0", "gpu1:1"}
    assert all(len(project.jobs_of(run)) == 1 for run in runs)
    assert counts(told, "train") == {"running": 4, "waiting": 2}, told
    assert re.search(r"^waiting: [12] for \w+", told, re.MULTILINE)
    running = re.findall(r"^  train (\S+): \S+ so far, \S+ allowed, job (\d+), gpu1$", told, re.M)
    assert len(running) == 4
    for run, job in running:
        assert [job] == project.jobs_of(run)
        assert f"{job}.log" in told


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({"partitions": {"gpu": "gpus"}}, "set partitions.gpu to one of gpu, cpu"),
        ({"partitions": {"gpu": "cpu"}, "max_runtime": 4320}, "lower max_runtime"),
        ({"gpu_model": "h100"}, "no h100 in partition gpu"),
        ({"runs_per_gpu": 2, "shards_per_gpu": 2}, "have 4 shards, not 2"),
        ({"runs_per_gpu": 3, "shards_per_gpu": 4}, "let 2 runs share it"),
    ],
)
def test_site_check_names_what_to_mend(slurm: PrivateSlurm, tmp_path, site, words):
    project = ClusterProject.create(tmp_path / "p", slurm, **site)
    checked = project.command("check_site", "--no-jobs")
    assert checked.returncode == 1
    [line] = [line for line in checked.stdout.splitlines() if words in line]
    assert line.startswith("to do ")


def test_site_check_looks_around_on_a_node(slurm: PrivateSlurm, tmp_path):
    project = ClusterProject.create(tmp_path / "p", slurm, scratch=str(tmp_path / "scratch"))
    checked = project.command("check_site", "--wait", "60")
    lines = checked.stdout.splitlines()
    for words in ("controller answers", "2 × h200", "squeue", "torch 2", "GB free"):
        assert any(line.startswith("ok ") and words in line for line in lines), checked.stdout
    # The GPUs of this cluster are fakes, and the check must notice.
    [cuda] = [line for line in lines if "torch sees none" in line]
    assert cuda.startswith("to do ")
    assert checked.returncode == 1
    assert not list(project.folder.rglob("*check_site-*"))


def test_site_check_without_slurm_says_where_to_go(tmp_path, monkeypatch):
    project = ClusterProject.create(tmp_path / "p")
    monkeypatch.setenv("PATH", "/nowhere")
    checked = project.command("check_site")
    assert checked.returncode == 1
    assert "log in to the cluster's login node" in checked.stdout


def test_failure_leaves_the_others_and_is_named(
    slurm_with_accounting: PrivateSlurm, make_project: Callable[..., ClusterProject]
):
    """On a cluster with accounting, watched by sacct."""
    slurm = slurm_with_accounting
    project = make_project(slurm, account="lab")
    bad, *good = runs = [run_id(recipe, 0) for recipe in ("diverging", "tiny", "wide")]
    options = ("--slurm-status-command", "sacct", "--retries", "1")
    status = project.finish(project.start(*options, "--", *map(target, runs)))
    assert status != 0
    assert all(project.result(run, "stamp.json").exists() for run in good)
    assert not project.result(bad, "stamp.json").exists()
    assert len(project.jobs_of(bad)) == 2
    rows = slurm.run(
        "sacct", "-X", "-n", "-P", "--format=JobID,State,Account,AllocTRES,TimelimitRaw,ReqMem"
    ).splitlines()
    accounted = {row.split("|")[0]: row.split("|") for row in rows}
    first, second = (accounted[each] for each in project.jobs_of(bad))
    # The last trains on two GPUs of one node.
    for gpus, run in enumerate(good, 1):
        [job] = map(slurm.job, project.jobs_of(run))
        asked = [job[name] for name in ("Partition", "NumNodes", "NumCPUs", "TresPerJob")]
        assert asked == ["gpu", "1", str(2 * gpus), f"gres:gpu:h200:{gpus}"]
        assert accounted[job["JobId"]][1] == "COMPLETED"
    assert [first[1], second[1]] == ["FAILED", "FAILED"]
    assert first[2] == "lab"
    assert "gres/gpu=1" in first[3]
    assert int(second[4]) == 2 * int(first[4])

    told = project.status("tiny", "diverging")
    section = told.partition("failed:")[2]
    assert f"train {bad}: " in section
    assert "finite" in section
    assert f"results/logs/train/{bad}.log" in section
    assert f"{project.jobs_of(bad)[-1]}.log" in section
    assert run_id("tiny", 0) not in section
    checked = project.command("check_site", "--no-jobs")
    assert "jobs are watched with squeue" in checked.stdout
