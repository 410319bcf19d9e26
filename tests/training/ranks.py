"""What each of two ranks does in ``test_distributed.py``; writes its findings as JSON."""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import torch
from runs import CPU, specification

from spatialdep.datasets.prepared import load_prepared
from spatialdep.spatial_ops.random_stream import RandomModule, random_keys
from spatialdep.training.checkpoint import CheckpointFolder
from spatialdep.training.distributed import Ranks, joined
from spatialdep.training.loop import Habits, Training
from spatialdep.training.setup import make_batches, make_learner
from spatialdep.training.signals import Stopped


def _training(data: Path, checkpoints: Path, ranks: Ranks, options: tuple = ()) -> Training:
    run = specification({"options": options}, gpus=2, batch_size=33)
    dataset = load_prepared(data)
    return Training(
        run,
        make_learner(run, dataset.classes, CPU, ranks, graph=False),
        make_batches(run, dataset, CPU, ranks, workers=0),
        checkpoints=CheckpointFolder(checkpoints, "fingerprint"),
        habits=Habits(),
        ranks=ranks,
    )


def _draws(training: Training) -> list[list[int]]:
    learner = training._learner
    learner.begin_training(1)
    module = next(m for m in learner.network.modules() if isinstance(m, RandomModule))
    return [random_keys((4,), CPU, module.generator).tolist() for _ in range(2)]


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    # Running statistics are each rank's own between tests, so parameters alone are compared.
    names = [name for name in sorted(tensors) if name.endswith(("weight", "bias"))]
    return hashlib.sha256(
        b"".join(tensors[n].contiguous().numpy().tobytes() for n in names)
    ).hexdigest()


def _interrupt(training: Training, ranks: Ranks) -> None:
    """Let one rank alone be told to stop, in the middle of an epoch; both must."""
    step = training._learner.train

    def train(batch, rate):
        step(batch, rate)
        if (training.epoch, training.step) == (1, 1) and ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    training._learner.train = train
    try:
        training.finish()
    except Stopped:
        return
    raise AssertionError("it went on")


def main(data: Path, place: Path) -> None:
    torch.set_num_threads(1)
    with joined(specification(gpus=2).recipe, "cpu") as ranks:
        _interrupt(_training(data, place / "stopped", ranks), ranks)
        findings = {
            "shared": _draws(_training(data, place / "none", ranks)),
            "per_image": _draws(_training(data, place / "none", ranks, (("per_image", True),))),
            "whole": _digest(_training(data, place / "whole", ranks).finish().weights),
            "resumed": _digest(_training(data, place / "stopped", ranks).finish().weights),
        }
        (place / f"rank{ranks.rank}.json").write_text(json.dumps(findings))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
