"""`--profile profiles/slurm` gives what a local run gives, and asks for what it should."""

import csv
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
    project.snakemake()

    for name in ("tables/tiny.csv", "tables/tiny.md", "tables/tiny.tex"):
        ours, theirs = (each.folder / "results" / name for each in (project, reference))
        assert ours.read_bytes() == theirs.read_bytes(), name
    ours, theirs = (tidy_rows(each) for each in (project, reference))
    assert ours == theirs
    baseline, shuffled = run_id("tiny", 0), run_id("tiny", 0, "spatial_shuffle/last7")
    for run in (baseline, shuffled):
        assert project.weights(run) == reference.weights(run)

    jobs = {job["JobId"]: job for job in slurm.jobs()}
    submitted = project.submitted()
    # A run's training and evaluation are one allocation, one after the other.
    together = [jobs[each] for each in submitted["group_run_evaluate_train"]]
    assert len(together) == 2
    for job in together:
        assert job["TresPerJob"] == "gres:gpu:h200:1"
        assert job["TimeLimit"] == "00:20:00"
        assert job["NumCPUs"] == "2"
    preparation = jobs[submitted["digits"][-1]]
    assert preparation["Partition"] == "cpu"
    assert "TresPerJob" not in preparation

    # Logs of good jobs stay, and data were read from the node's own disk.
    assert len(list((project.folder / ".snakemake/slurm_logs").rglob("*.log"))) == len(jobs)
    assert list(scratch.glob("*/digits-*/arrays/train_images.npy"))

    assert "Nothing to be done" in project.snakemake()
    status = project.command("status", "--configfile", "config/test.yaml", "--plain")
    assert status.returncode == 0, status.stderr
    assert "\x1b" not in status.stdout
    [whole] = [line.split() for line in status.stdout.splitlines() if line.startswith(" all")]
    assert whole[2:] == ["·"] * 4, status.stdout
    assert ", 0.0 left" in status.stdout


def tidy_rows(project: ClusterProject) -> list[dict[str, str]]:
    """Return the rows of the tidy table without how long they took."""
    with (project.folder / "results/tables/tiny/runs.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{key: row[key] for key in row if key != "train_seconds"} for row in rows]


def test_runs_share_gpus_up_to_the_configured_number(
    slurm: PrivateSlurm, make_project: Callable[..., ClusterProject]
):
    """Six runs for one node's two GPUs, of which two share one."""
    project = make_project(slurm, runs_per_gpu=2, shards_per_gpu=4)
    # One node, so that there are more runs than room.
    slurm.run("scontrol", "update", "NodeName=gpu2", "State=DRAIN", "Reason=test")
    runs = [run_id("tiny", seed) for seed in range(6)]
    try:
        process = project.start(*map(target, runs))
        most: dict[str, int] = {}
        while process.poll() is None:
            for gpu, jobs in slurm.jobs_by_gpu().items():
                most[gpu] = max(most.get(gpu, 0), len(jobs))
            time.sleep(0.5)
        assert project.finish(process) == 0, project.log[-6000:]
    finally:
        slurm.run("scontrol", "update", "NodeName=gpu2", "State=RESUME")
    assert max(most.values()) == 2, most
    assert set(most) == {"gpu1:0", "gpu1:1"}
    assert all(len(project.jobs_of(run)) == 1 for run in runs)


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
    assert not list(project.folder.glob(".check_site-*"))


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
    bad, good = run_id("diverging", 0), run_id("tiny", 0)
    options = ("--slurm-status-command", "sacct", "--retries", "1")
    status = project.finish(project.start(*options, "--", target(bad), target(good)))
    assert status != 0
    assert project.result(good, "stamp.json").exists()
    assert not project.result(bad, "stamp.json").exists()
    assert len(project.jobs_of(bad)) == 2
    rows = slurm.run(
        "sacct", "-X", "-n", "-P", "--format=JobID,State,Account,AllocTRES,TimelimitRaw,ReqMem"
    ).splitlines()
    accounted = {row.split("|")[0]: row.split("|") for row in rows}
    first, second = (accounted[each] for each in project.jobs_of(bad))
    training = slurm.run("scontrol", "-o", "show", "job", project.jobs_of(good)[0])
    for words in ("TresPerJob=gres:gpu:h200:1", "Partition=gpu", "NumCPUs=2", "NumNodes=1"):
        assert words in training
    assert [first[1], second[1]] == ["FAILED", "FAILED"]
    assert first[2] == "lab"
    assert "gres/gpu=1" in first[3]
    assert int(second[4]) == 2 * int(first[4])
    assert accounted[project.jobs_of(good)[0]][1] == "COMPLETED"

    configuration = project.folder / "config" / "failed.yaml"
    configuration.write_text("targets: [tiny, diverging]\n", encoding="utf-8")
    told = project.command(
        "status", "--configfile", "config/test.yaml", "config/failed.yaml", "--plain"
    ).stdout
    section = told.partition("failed:")[2]
    assert f"train {bad}: " in section
    assert "finite" in section
    assert f"results/logs/train/{bad}.log" in section
    assert f"{project.jobs_of(bad)[-1]}.log" in section
    assert good not in section
    checked = project.command("check_site", "--no-jobs")
    assert "jobs are watched with squeue" in checked.stdout
