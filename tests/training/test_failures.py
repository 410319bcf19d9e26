"""What goes wrong ends in one sentence and leaves nothing half-written."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forked import WORKFLOW
from runs import command_line, lasting, make_training, specification

from spatialdep.commands.train import main
from spatialdep.errors import UserError
from spatialdep.provenance import stamp

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(WORKFLOW), "OMP_NUM_THREADS": "1"}


def test_outputs_are_complete_and_stamped(server, data, tmp_path):
    child = server.start(command_line(specification(), data, tmp_path), tmp_path / "log")
    assert child.wait() == 0
    found = {path.name for path in (tmp_path / "output").iterdir()}
    assert found == {
        "weights.safetensors", "best.safetensors", "history.csv", "run.json", "stamp.json"
    }  # fmt: skip
    stamped = stamp.verify(tmp_path / "output" / "stamp.json")
    assert set(stamped.outputs) == found - {"stamp.json"}
    assert stamped.configuration == specification().to_dict()
    assert len((tmp_path / "output" / "history.csv").read_text().splitlines()) == 1 + 4


def test_a_finished_run_is_not_trained_again(server, data, tmp_path):
    def said() -> str:
        arguments = command_line(specification(), data, tmp_path)
        child = server.start(arguments, tmp_path / "log")
        assert child.wait() == 0
        return child.log.read_text()

    assert "epoch 4/4" in said()
    before = lasting(tmp_path / "output")
    assert "nothing to do" in said()
    (tmp_path / "output" / "weights.safetensors").write_bytes(b"altered")
    assert "epoch 4/4" in said()
    assert lasting(tmp_path / "output") == before


def test_a_diverged_run_is_no_result(server, data, tmp_path):
    run = specification(learning_rate=1e30)
    child = server.start(command_line(run, data, tmp_path, "--checkpoint-epochs", "1"),
                         tmp_path / "log")  # fmt: skip
    assert child.wait() == 1
    last = child.log.read_text().splitlines()[-1]
    assert last.startswith("error: ") and "diverged" in last and "of epoch 1" in last
    assert not (tmp_path / "output").exists()


def test_divergence_names_the_step_and_keeps_the_good_checkpoint(data, tmp_path):
    training = make_training(specification(), data, tmp_path, checkpoint_epochs=2)
    learner, step = training._learner, training._learner.train

    def poisoned(batch, rate):
        if (training.epoch, training.step) == (2, 1):
            learner.network.get_parameter("head.0.weight").data.fill_(float("nan"))
        step(batch, rate)

    learner.train = poisoned
    with pytest.raises(UserError, match="not finite from step 2 of epoch 3 on"):
        training.finish()
    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith("epoch00002-step00000000-")
    assert len(make_training(specification(), data, tmp_path).finish().history) == 4


def test_weights_that_are_not_finite_are_never_saved(data, tmp_path):
    training = make_training(specification(), data, tmp_path, checkpoint_minutes=0)
    learner, step = training._learner, training._learner.train

    def poisoned(batch, rate):
        step(batch, rate)
        learner.network.get_parameter("head.0.weight").data.fill_(float("inf"))

    learner.train = poisoned
    with pytest.raises(UserError, match="a weight is not finite after step 1 of epoch 1"):
        training.finish()
    assert not list(tmp_path.iterdir())


def test_full_disk(data, tmp_path):
    """On a real file system of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments = command_line(specification({"width": 1 / 8}), data, disk)
    mount = "mount -t tmpfs -o size=300k tmpfs"
    if not shutil.which("unshare") or _in_namespace(f"{mount} {disk}").returncode:
        pytest.skip("no right to mount a file system in a namespace of one's own")
    command = [sys.executable, "-m", "spatialdep.commands.train", *arguments]
    ended = _in_namespace(f'{mount} {disk}; "$@"; status=$?; ls -RA {disk}; exit $status', *command)
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("error: ") and "No space left" in last and str(disk) in last
    assert "weights" not in ended.stdout and "stamp" not in ended.stdout


def _in_namespace(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )


def test_out_of_memory(server, data, tmp_path):
    run = specification({"width": 2.0, "operation": "none", "last_k": 0})
    child = server.start(command_line(run, data, tmp_path), tmp_path / "log", memory=100 << 20)
    assert child.wait() == 1
    last = child.log.read_text().splitlines()[-1]
    assert last.startswith("error: out of memory on ")
    assert not (tmp_path / "output").exists()


def test_the_second_process_waits_and_has_nothing_to_do(server, data, tmp_path):
    arguments = command_line(specification(epochs=40), data, tmp_path)
    first = server.start(arguments, tmp_path / "first.log")
    first.wait_for("epoch  1/40")
    second = server.start(arguments, tmp_path / "second.log")
    second.wait_for("another process trains this run")
    assert not first.ended
    assert first.wait() == second.wait() == 0
    assert "nothing to do" in second.log.read_text()
    assert "epoch" not in second.log.read_text()


def test_the_second_process_goes_on_if_the_first_is_killed(server, data, tmp_path):
    arguments = command_line(specification(epochs=40), data, tmp_path, "--checkpoint-epochs", "1")
    first = server.start(arguments, tmp_path / "first.log")
    first.wait_for("epoch  3/40")
    second = server.start(arguments, tmp_path / "second.log")
    second.wait_for("another process trains this run")
    first.kill(signal.SIGKILL)
    assert second.wait() == 0
    assert "goes on from epoch" in second.log.read_text()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"operation": "spatial_shuffle", "last_k": 0}, "is the baseline"),
        ({"last_k": 14}, "last_k=14"),
        ({"image_size": 64}, "32 pixels"),
        ({"operation": "no_such"}, "no operation"),
    ],
)
def test_senseless_runs(data, tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        main(command_line(specification(changes), data, tmp_path))
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"augmentation": "random_resized_crop"}, "choose crop_flip or none"),
        ({"batch_size": 79}, "choose another batch size"),
        ({"gpus": 2}, "torchrun --nproc-per-node 2"),
    ],
)
def test_senseless_recipes(data, tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        main(command_line(specification(**changes), data, tmp_path))
    assert not (tmp_path / "output").exists()


def test_missing_damaged_and_altered_data(data, tmp_path):
    with pytest.raises(UserError, match=r"dataset\.json does not exist"):
        main(command_line(specification(), tmp_path / "nowhere", tmp_path))
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    images = copy / "arrays" / "train_images.npy"
    content = images.read_bytes()
    images.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="the train split is not what was prepared"):
        main(command_line(specification(), copy, tmp_path))
    images.write_bytes(content[:-100])
    with pytest.raises(UserError, match="prepare the dataset again"):
        main(command_line(specification(), copy, tmp_path))
    assert not (tmp_path / "output").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_to(data, tmp_path):
    (tmp_path / "checkpoints").mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot be used for checkpoints"):
        main(command_line(specification(), data, tmp_path))


@pytest.mark.slow
def test_help_and_a_run_by_hand(data, tmp_path):
    command = [sys.executable, "-m", "spatialdep.commands.train"]
    shown = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, env=ENVIRONMENT, check=True
    ).stdout
    for option in ("--last-k", "--epochs", "--checkpoint-minutes", "--tensorboard", "status 0"):
        assert option in shown
    arguments = command_line(
        specification(epochs=1), data, tmp_path, "--tensorboard", str(tmp_path / "logs")
    )
    subprocess.run([*command, *arguments], env=ENVIRONMENT, check=True, capture_output=True)
    assert (tmp_path / "output" / "stamp.json").exists()
    assert list(Path(tmp_path / "logs").glob("events.out.tfevents.*"))


@pytest.mark.parametrize("operation", ["none", "spatial_shuffle", "gap_fc"])
def test_a_run_imports_nothing_that_is_slow(data, tmp_path, operation):
    """torch._dynamo and torchvision take seconds to import, the whole of a quick run some more."""
    run = specification({"operation": operation, "last_k": 0 if operation == "none" else 4},
                        epochs=1)  # fmt: skip
    program = (
        "import sys; from spatialdep.commands.train import main; main(sys.argv[1:]); "
        "print(*sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *command_line(run, data, tmp_path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    slow = {"torch._dynamo", "torch._inductor", "sympy", "torchvision", "pandas", "tensorboard"}
    assert not slow & set(ended.stdout.split())
