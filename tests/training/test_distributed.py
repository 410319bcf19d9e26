"""Two processes that train together, against one (``torchrun`` with gloo on the CPU)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from forked import WORKFLOW
from runs import command_line, lasting, specification
from safetensors.torch import load_file

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")


def _torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TORCHRUN, "--nproc-per-node", "2", *command],
        env={**os.environ, "PYTHONPATH": str(WORKFLOW), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def _rule(gpus: int) -> dict[str, object]:
    # 80 images in batches of 33: two of 33, shared as 16 and 17, and one of 14.
    return {
        "batch_size": 33,
        "epochs": 3,
        # Small enough that rounding is not amplified from step to step.
        "learning_rate": 0.01,
        "precision": "float32",
        "augmentation": "none",
        "sync_batch_norm": True,
        "gpus": gpus,
    }


@pytest.mark.slow
def test_two_ranks_train_like_one(server, data, tmp_path):
    """Equal up to rounding: the same order, the same shuffles, batch statistics over both."""
    alone = command_line(specification(**_rule(1)), data, tmp_path / "one")
    assert server.start(alone, tmp_path / "log").wait() == 0
    both = command_line(specification(**_rule(2)), data, tmp_path / "two")
    ended = _torchrun("-m", "spatialdep.commands.train", *both, "--checkpoint-epochs", "1")
    assert ended.returncode == 0, ended.stderr
    one, two = (
        load_file(tmp_path / name / "output" / "weights.safetensors") for name in ("one", "two")
    )
    moved = False
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=2e-3, atol=2e-4)
        moved |= "running_mean" in name and bool(expected.abs().max() > 0.01)
    assert moved
    rows = [lasting(tmp_path / name / "output")[2] for name in ("one", "two")]
    for left, right in zip(*rows, strict=True):
        assert float(left["train_loss"]) == pytest.approx(float(right["train_loss"]), rel=1e-3)
        assert float(left["test_loss"]) == pytest.approx(float(right["test_loss"]), rel=1e-3)


@pytest.mark.slow
def test_ranks_resume_share_and_keep_apart(data, tmp_path):
    """See ``ranks.py``, which each rank runs."""
    program = Path(__file__).with_name("ranks.py")
    ended = _torchrun(str(program), str(data), str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    first, second = ranks
    # One draw for the batch: both ranks permute alike, and differently in each step.
    assert first["shared"] == second["shared"]
    assert first["shared"][0] != first["shared"][1]
    # One draw an image: no image has another's.
    assert first["per_image"] != second["per_image"]
    # Whole training against stopped and resumed training, and rank against rank.
    assert first["whole"] == first["resumed"] == second["whole"] == second["resumed"]
