"""The private cluster itself: what the other tests rest on."""

import psutil
import pytest
from private_slurm import (
    GPUS_PER_NODE,
    SHARDS_PER_GPU,
    PrivateSlurm,
    is_alive,
    wait_until,
)

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize("name", ["slurm", "slurm_with_accounting"])
def test_jobs_get_typed_gpus(name: str, request: pytest.FixtureRequest):
    cluster: PrivateSlurm = request.getfixturevalue(name)
    seen = cluster.run("srun", "--gpus=h200:1", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    assert seen in {str(index) for index in range(GPUS_PER_NODE)}
    without = cluster.run("srun", "sh", "-c", "echo ${CUDA_VISIBLE_DEVICES-none}")
    assert without == "none"


def test_a_gpus_shards_are_granted_together(slurm: PrivateSlurm):
    """SLURM does not spread one job's shards over GPUs, so a share of a GPU is a share of one."""
    share = SHARDS_PER_GPU // 2 + 1
    options = ("--parsable", "--output=/dev/null", "--mem=100", "--nodelist=gpu1")
    jobs = [
        slurm.run("sbatch", *options, f"--gres=shard:{share}", "--wrap", "sleep 60")
        for _ in range(GPUS_PER_NODE + 1)
    ]
    wait_until(lambda: len(slurm.jobs_by_gpu()) == GPUS_PER_NODE, "a job on each GPU")
    assert all(len(on_gpu) == 1 for on_gpu in slurm.jobs_by_gpu().values())
    assert slurm.job(jobs[-1])["JobState"] == "PENDING"


def test_accounting_answers_only_where_there_is_some(
    slurm: PrivateSlurm, slurm_with_accounting: PrivateSlurm
):
    job = slurm_with_accounting.run("sbatch", "--parsable", "--output=/dev/null", "--wrap=true")
    question = ("sacct", "-X", "-n", "-P", f"-j{job}", "--format=JobID")
    wait_until(lambda: slurm_with_accounting.run(*question) == job, "the job in the database")
    with pytest.raises(AssertionError, match="accounting storage is disabled"):
        slurm.run("sacct")


@pytest.mark.parametrize("end", ["stop", "power cut"])
def test_nothing_is_left_running(end: str, tmp_path_factory: pytest.TempPathFactory):
    cluster = PrivateSlurm(tmp_path_factory.mktemp("s") / "c")
    cluster.start()
    try:
        stubborn = "trap '' TERM; srun --ntasks=1 sleep 300"
        cluster.run("sbatch", "--output=/dev/null", "--nodelist=gpu1", "--wrap", stubborn)
        slurmd = psutil.Process(cluster.daemons["slurmd-gpu1"].pid)
        wait_until(lambda: "sleep" in names_below(slurmd), "a job step")
        processes = [slurmd, *slurmd.children(recursive=True)]
        if end == "power cut":
            cluster.kill_node("gpu1")
            assert not any(map(is_alive, processes))
    finally:
        cluster.stop()
    assert not any(map(is_alive, processes))


def names_below(process: psutil.Process) -> list[str]:
    return [child.name() for child in process.children(recursive=True)]
