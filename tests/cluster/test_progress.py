"""What status tells: from a plan, a queue and a log of Snakemake as they really look."""

from pathlib import Path

import pytest

from spatialdep.cluster.progress import (
    Failure,
    State,
    failures_in,
    name_of,
    progress,
    read_failures,
    why,
)
from spatialdep.cluster.slurm import QueuedJob, minutes
from spatialdep.specification.plan import PlannedJob

RUN = "digits/tiny/vgg16-w0.25/none/last0/seed0"

# Snakemake 9.27.1 with its SLURM plug-in 2.8.0.
LOG = f"""\
[Sun Nov 22 16:58:22 2026]
Error in rule train:
    message: SLURM-job '14' failed, SLURM status is: 'TIMEOUT'. Detailed failure reason unavailable.
    jobid: 1
    input: results/data/digits/dataset.json
    output: results/runs/{RUN}/weights.safetensors, results/runs/{RUN}/stamp.json
    log: results/logs/train/{RUN}.log, /p/.snakemake/slurm_logs/14.log (check log file(s) for error details)
    shell:
        python -m spatialdep.commands.train > log 2>&1
        (command exited with non-zero exit code)
    external_jobid: 14
[Sun Nov 22 16:58:22 2026]
Error in group job run:
    [Sun Nov 22 16:58:22 2026]
    Error in rule train:
        message: None
        jobid: 2
        output: results/runs/other/stamp.json
        log: results/logs/train/other.log (check log file(s) for error details)
[Sun Nov 22 16:58:23 2026]
Finished jobid: 10 (Rule: evaluate)
"""  # noqa: E501


def job(rule: str, stamp: str) -> PlannedJob:
    return PlannedJob(rule=rule, stamp=Path(stamp), command=rule, selection=(), configuration={})


def queued(state: str, comment: str) -> QueuedJob:
    return QueuedJob("7", state, "Priority", "1:00", "9:00", "n1", Path("/p"), comment)


TRAIN = job("train", f"results/runs/{RUN}/stamp.json")


@pytest.mark.parametrize(
    ("planned", "name"),
    [
        (TRAIN, RUN),
        (job("evaluate", f"results/evaluations/{RUN}/trained/stamp.json"), f"{RUN}/trained"),
        (job("prepare", "results/data/digits/stamp.json"), "digits"),
        (job("figure", "results/figures/f.stamp.json"), "f"),
        (job("collect", "results/tables/f/stamp.json"), "f"),
        (job("collect_all", "results/tables/stamp.json"), "all"),
    ],
)
def test_jobs_are_named_by_their_wildcards(planned, name):
    assert name_of(planned) == name


def test_what_is_shown_of_slurms_own_log_hides_nothing():
    shown = LOG[
        LOG.index("Error in rule") : LOG.index("[Sun Nov 22 16:58:22 2026]\nError in group")
    ]
    shown = shown.replace("SLURM-job '14' failed, SLURM status is: 'TIMEOUT'.", "None")
    shown = shown.replace("None Detailed failure reason unavailable.", "None")
    shown = shown.replace(", /p/.snakemake/slurm_logs/14.log", "")
    assert failures_in(LOG + shown) == failures_in(LOG)


def test_failures_are_read_with_their_logs_also_from_groups():
    found = failures_in(LOG)
    assert found[TRAIN.stamp].message == "TIMEOUT"
    assert found[TRAIN.stamp].logs == (
        Path(f"results/logs/train/{RUN}.log"),
        Path("/p/.snakemake/slurm_logs/14.log"),
    )
    assert found[Path("results/runs/other/stamp.json")].message == ""
    assert len(found) == 2


@pytest.mark.parametrize(
    ("stale", "queue", "failures", "state"),
    [
        (False, [], {}, State.DONE),
        (True, [], {}, State.TO_DO),
        (True, [], {TRAIN.stamp: Failure("TIMEOUT", ())}, State.FAILED),
        # Fresh in spite of an earlier failure: a later attempt was good.
        (False, [], {TRAIN.stamp: Failure("TIMEOUT", ())}, State.DONE),
        (True, ["RUNNING"], {TRAIN.stamp: Failure("TIMEOUT", ())}, State.RUNNING),
        (True, ["PENDING"], {}, State.WAITING),
    ],
)
def test_state_of_a_job(stale, queue, failures, state):
    comment = f"rule_train_wildcards_{RUN.replace('/', '_')}"
    jobs = [queued(each, comment) for each in queue]
    [found] = progress([TRAIN], {TRAIN.stamp} if stale else set(), jobs, failures)
    assert found.state is state


def test_training_and_evaluation_in_one_allocation_are_in_the_queue_together():
    evaluation = job("evaluate", f"results/evaluations/{RUN}/trained/stamp.json")
    other = job("evaluate", f"results/evaluations/{RUN}/as_none/stamp.json")
    comment = f"rule_{RUN.replace('/', '_')}_evaluate_train"
    jobs = [TRAIN, evaluation, other]

    def states(*stale):
        found = progress(jobs, {each.stamp for each in stale}, [queued("RUNNING", comment)], {})
        return [each.state for each in found]

    assert states(*jobs) == [State.RUNNING, State.RUNNING, State.TO_DO]
    assert states(evaluation, other) == [State.DONE, State.RUNNING, State.TO_DO]


def test_empty_wildcards_do_not_hide_a_job():
    collect = job("collect", "results/tables/f/stamp.json")
    every = job("collect_all", "results/tables/stamp.json")
    jobs = [queued("RUNNING", "rule_collect_wildcards__f"), queued("PENDING", "rule_collect_all")]
    found = progress([collect, every], {collect.stamp, every.stamp}, jobs, {})
    assert [each.state for each in found] == [State.RUNNING, State.WAITING]


def test_failures_outlast_later_calls_of_snakemake(tmp_path):
    (tmp_path / "2026-11-22T165822.0.snakemake.log").write_text(LOG, encoding="utf-8")
    again = "Error in rule train:\n    message: None\n    output: results/runs/other/stamp.json\n"
    (tmp_path / "2026-11-22T170000.0.snakemake.log").write_text(again, encoding="utf-8")
    found = read_failures(tmp_path)
    assert found[TRAIN.stamp].message == "TIMEOUT"
    assert found[Path("results/runs/other/stamp.json")].logs == ()


def test_a_stamp_tells_that_a_later_attempt_was_good(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failures = {TRAIN.stamp: Failure("TIMEOUT", ())}
    TRAIN.stamp.parent.mkdir(parents=True)
    TRAIN.stamp.touch()
    [found] = progress([TRAIN], {TRAIN.stamp}, [], failures)
    assert found.state is State.TO_DO


def test_reason_is_the_jobs_own_last_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = Path(f"results/logs/train/{RUN}.log")
    log.parent.mkdir(parents=True)
    log.write_text("epoch 1/2\nerror: the loss is not finite.\nbye\n", encoding="utf-8")
    failures = {TRAIN.stamp: Failure("FAILED", (log,))}
    [found] = progress([TRAIN], {TRAIN.stamp}, [], failures)
    assert why(found) == "the loss is not finite."


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("1-00:00:00", 1440), ("2:30:00", 150), ("30:00", 30), ("infinite", float("inf")), ("5", 5)],
)
def test_limits_of_slurm_in_minutes(limit, expected):
    assert minutes(limit) == expected
