"""Train one network of the study, or go on with its training after an interruption."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from spatialdep import commandline
from spatialdep.atomic import atomic_write
from spatialdep.datasets.prepared import load_prepared
from spatialdep.errors import UserError
from spatialdep.provenance import stamp
from spatialdep.specification.arguments import add_specification_arguments, specification_from
from spatialdep.specification.run import RunSpecification
from spatialdep.specification.settings import check_setting, selection_of
from spatialdep.training import device as devices
from spatialdep.training.checkpoint import CheckpointFolder, write_weights
from spatialdep.training.distributed import joined
from spatialdep.training.history import best_of, write_history
from spatialdep.training.lock import run_lock
from spatialdep.training.loop import Habits, Trained, Training
from spatialdep.training.report import say
from spatialdep.training.setup import make_batches, make_learner
from spatialdep.training.signals import STATUS, Stopped
from spatialdep.training.tensorboard import epoch_logger

FORMAT = 1

EPILOG = """\
weights.safetensors (after the last epoch) is the run's result; best.safetensors is of the epoch
with the highest test accuracy, for comparison with the literature.

The command ends with status 0 when the run is finished, with 75 when SIGTERM, SIGUSR1 or Ctrl-C
stopped it after a checkpoint (the same command goes on from there), and with 1 when it failed.

Several GPUs: torchrun --nproc-per-node N -m spatialdep.commands.train --gpus N ..."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    arguments = _parser().parse_args(argv)
    run = specification_from(arguments)
    _check(run)
    data = load_prepared(arguments.data)
    job = stamp.begin(
        "train",
        selection=selection_of(run),
        configuration=run.to_dict(),
        inputs={"dataset": data.folder / "dataset.json"},
    )
    stamped = arguments.output / "stamp.json"
    checkpoints = CheckpointFolder(arguments.checkpoints / job.fingerprint, job.fingerprint)
    with (
        joined(run.recipe, arguments.device) as ranks,
        run_lock(arguments.checkpoints) if ranks.first else nullcontext(),
    ):
        if ranks.agree(ranks.first and _is_finished(stamped, job.fingerprint))[0]:
            say(f"{arguments.output} holds this run, finished and unaltered: nothing to do")
            return 0
        device = devices.pick_device(arguments.device, ranks.local_rank)
        devices.set_up(device, run.recipe, arguments.threads)
        if run.recipe.precision == "bfloat16" and devices.emulates_bfloat16(device) and ranks.first:
            say(
                "this processor has no bfloat16 instructions: a recipe with `precision: float32` "
                "trains about three times as fast on it"
            )
        # Full-size images come at the pace of their decoding, and the exchange between ranks is
        # not recorded.
        graph = (
            arguments.graph
            and device.type == "cuda"
            and data.storage == "arrays"
            and ranks.world == 1
        )
        try:
            with devices.out_of_memory_as_sentence(device):
                learner = make_learner(run, data.classes, device, ranks, graph=graph)
                batches = make_batches(run, data, device, ranks, arguments.workers)
                trained = Training(
                    run,
                    learner,
                    batches,
                    checkpoints=checkpoints,
                    habits=_habits(arguments),
                    ranks=ranks,
                ).finish()
        except Stopped:
            return STATUS
        if ranks.first:
            facts = _facts(run, trained, device, job.fingerprint)
            outputs = _write(arguments.output, trained, facts)
            job.finish(stamped, outputs, device=facts["device"])
            checkpoints.clear()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spatialdep.commands.train",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    files = parser.add_argument_group("files")
    files.add_argument("--data", required=True, type=Path, help="folder of the prepared dataset")
    files.add_argument("--output", required=True, type=Path, help="folder for weights and history")
    files.add_argument(
        "--checkpoints",
        required=True,
        type=Path,
        help="folder for unfinished work; keep it between attempts",
    )
    files.add_argument("--tensorboard", type=Path, help="also log for TensorBoard into this folder")
    add_specification_arguments(parser)
    _add_execution_arguments(parser.add_argument_group("how it is done; changes no setting"))
    return parser


def _add_execution_arguments(group: Any) -> None:
    group.add_argument(
        "--device",
        default="auto",
        choices=devices.CHOICES,
        help="auto: a GPU if there is one (default: %(default)s)",
    )
    group.add_argument("--threads", type=int, help="CPU threads (default: OMP_NUM_THREADS, or all)")
    group.add_argument(
        "--workers", type=int, default=4, help="processes that decode full-size images (default: 4)"
    )
    group.add_argument(
        "--graph",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="replay steps as CUDA graphs (one GPU, small images); --no-graph launches "
        "each kernel, for debugging",
    )
    group.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=5.0,
        help="save a checkpoint this often; 0: after each step (default: %(default)s)",
    )
    group.add_argument("--checkpoint-epochs", type=int, help="also save after each so many epochs")
    group.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=sys.stderr.isatty(),
        help="show a live bar (default: on a terminal)",
    )


def _check(run: RunSpecification) -> None:
    """Refuse a run that makes no sense before anything is read."""
    check_setting(
        run.architecture,
        run.operation,
        image_size=run.image_size,
        last_k=run.last_k,
        units=run.units,
        options=dict(run.options),
        width=run.width,
    )
    if not (run.is_baseline or run.last_k or run.units):
        raise UserError(
            f"{run.operation} of no unit is the baseline: say --operation none, or give --last-k "
            "or --units."
        )


def _habits(arguments: argparse.Namespace) -> Habits:
    log = {} if arguments.tensorboard is None else {"on_epoch": epoch_logger(arguments.tensorboard)}
    return Habits(
        checkpoint_minutes=arguments.checkpoint_minutes,
        checkpoint_epochs=arguments.checkpoint_epochs,
        show_bar=arguments.progress,
        **log,
    )


def _is_finished(stamped: Path, fingerprint: str) -> bool:
    """Whether the outputs beside ``stamped`` are of this very run, whole and unaltered."""
    try:
        stamp.verify(stamped)
        facts = json.loads((stamped.parent / "run.json").read_text(encoding="utf-8"))
    except (UserError, OSError, ValueError):
        # Whatever is wrong with them, training makes them anew.
        return False
    return bool(facts["fingerprint"] == fingerprint)


def _facts(
    run: RunSpecification, trained: Trained, device: torch.device, fingerprint: str
) -> dict[str, Any]:
    best, last = best_of(trained.history), trained.history[-1]
    return {
        "format": FORMAT,
        "id": run.id,
        "specification": run.to_dict(),
        "fingerprint": fingerprint,
        "parameters": trained.parameters,
        "last_epoch": {"epoch": last.epoch, "test_top1": last.test_top1},
        "best_epoch": {"epoch": best.epoch, "test_top1": best.test_top1},
        "train_seconds": sum(record.seconds for record in trained.history),
        "device": devices.describe(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _write(folder: Path, trained: Trained, facts: dict[str, Any]) -> list[Path]:
    outputs = [
        folder / name
        for name in ("weights.safetensors", "best.safetensors", "history.csv", "run.json")
    ]
    write_weights(outputs[0], trained.weights)
    write_weights(outputs[1], trained.best)
    write_history(outputs[2], trained.history)
    with atomic_write(outputs[3]) as stream:
        json.dump(facts, stream, indent=1)
        stream.write("\n")
    return outputs


if __name__ == "__main__":
    commandline.run(main)
