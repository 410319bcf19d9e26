"""A training that is interrupted, by whatever, ends as if it had not been."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from runs import assert_same, command_line, lasting, make_training, specification

from spatialdep.training import checkpoint as checkpoint_module
from spatialdep.training.signals import STATUS, Stopped

EACH_STEP = ("--checkpoint-minutes", "0")


@pytest.fixture(scope="module")
def whole(server, data, tmp_path_factory) -> tuple[bytes, bytes, list[dict[str, str]]]:
    """The uninterrupted run, by the command."""
    place = tmp_path_factory.mktemp("whole")
    child = server.start(command_line(specification(), data, place), place / "log")
    assert child.wait() == 0, child.log.read_text()
    return lasting(place / "output")


def test_the_same_command_twice_gives_the_same_bytes(server, data, whole, tmp_path):
    child = server.start(command_line(specification(), data, tmp_path), tmp_path / "log")
    assert child.wait() == 0
    assert lasting(tmp_path / "output") == whole
    assert not list((tmp_path / "checkpoints").rglob("epoch*"))


def test_killed_at_20_random_moments(server, data, whole, tmp_path):
    chance, kills, finished = random.Random(6), 0, 0
    while kills < 20:
        place = tmp_path / str(finished)
        arguments = command_line(specification(), data, place, *EACH_STEP)
        for attempt in range(100):
            child = server.start(arguments, place / f"log{attempt}")
            time.sleep(chance.uniform(0.0, 0.35))
            if kills < 20 and not child.ended:
                child.kill()
            if child.wait() == -signal.SIGKILL:
                kills += 1
            else:
                break
        assert child.wait() == 0, child.log.read_text()
        assert lasting(place / "output") == whole
        finished += 1


def test_sigterm_saves_and_ends_with_its_own_status(server, data, whole, tmp_path):
    arguments = command_line(specification(), data, tmp_path)
    child = server.start(arguments, tmp_path / "log")
    child.wait_for("epoch 1/4")
    child.kill(signal.SIGTERM)
    assert child.wait() == STATUS == 75
    assert "stopped by SIGTERM in epoch" in child.log.read_text()
    assert not (tmp_path / "output").exists()

    child = server.start(arguments, tmp_path / "log2")
    assert child.wait() == 0
    assert "goes on from epoch" in child.log.read_text()
    assert lasting(tmp_path / "output") == whole


@pytest.mark.parametrize("moment", ["training", "testing", "between epochs", "saving"])
def test_sigterm_at_each_kind_of_moment(data, tmp_path, monkeypatch, moment):
    run = specification()
    expected = make_training(run, data, tmp_path / "none").finish()
    training = make_training(run, data, tmp_path / "some", checkpoint_epochs=2)
    owner, name = {
        "training": (training._learner, "train"),
        "testing": (training._learner, "test"),
        "between epochs": (training, "_close_epoch"),
        "saving": (checkpoint_module.hashlib, "sha256"),
    }[moment]
    original, calls = getattr(owner, name), []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == (1 if moment == "saving" else 2):
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        with pytest.raises(Stopped):
            training.finish()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    resumed = make_training(run, data, tmp_path / "some")
    assert_same(resumed.finish(), expected)


def test_the_last_two_checkpoints_are_kept(data, tmp_path):
    make_training(specification(), data, tmp_path, checkpoint_epochs=1).finish()
    names = sorted(path.name.rpartition("-")[0] for path in tmp_path.iterdir())
    assert names == ["epoch00002-step00000000", "epoch00003-step00000000"]


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty", "foreign", "other network"])
def test_a_bad_checkpoint_is_said_and_set_aside(data, tmp_path, capsys, damage):
    run = specification()
    expected = make_training(run, data, tmp_path / "none").finish()
    make_training(run, data, tmp_path / "some", checkpoint_epochs=1).finish()
    newest = max((tmp_path / "some").iterdir())
    content = newest.read_bytes()
    if damage == "truncated":
        newest.write_bytes(content[: len(content) // 2])
    elif damage == "one bit":
        newest.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "empty":
        newest.write_bytes(b"")
    else:
        newest = _replace_by_foreign(newest, data, tmp_path, damage)
    capsys.readouterr()

    resumed = make_training(run, data, tmp_path / "some")
    assert_same(resumed.finish(), expected)
    said = capsys.readouterr().err
    assert f"{newest.name} is not used" in said
    assert "goes on from epoch00002-step00000000-" in said
    assert newest.with_name(f"{newest.name}.unusable").exists()


def _replace_by_foreign(newest: Path, data: Path, place: Path, damage: str) -> Path:
    """Put a checkpoint in place of the newest that is whole, but of something else."""
    newest.unlink()
    other = specification({"width": 1 / 16} if damage == "other network" else {"seed": 1})
    training = make_training(other, data, place / "other", checkpoint_epochs=1)
    if damage == "foreign":
        training._checkpoints._fingerprint = "another"
    training.finish()
    foreign = max((place / "other").iterdir())
    return foreign.rename(newest.with_name(foreign.name))


def test_no_usable_checkpoint_starts_from_the_beginning(data, tmp_path, capsys):
    run = specification()
    expected = make_training(run, data, tmp_path / "none").finish()
    make_training(run, data, tmp_path / "some", checkpoint_epochs=1).finish()
    for path in list((tmp_path / "some").iterdir()):
        path.write_bytes(path.read_bytes()[:-1])
    assert_same(make_training(run, data, tmp_path / "some").finish(), expected)
    assert capsys.readouterr().err.count("is not used") == 2


def test_a_pickle_in_place_of_a_checkpoint_is_not_unpickled(data, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path(tmp_path / "owned").touch, ())

    run = specification()
    make_training(run, data, tmp_path / "some", checkpoint_epochs=1).finish()
    torch.save(Hostile(), max((tmp_path / "some").iterdir()))
    make_training(run, data, tmp_path / "some").finish()
    assert not (tmp_path / "owned").exists()
