"""What an evaluation writes reads back as it was."""

import json

import numpy as np
import pytest

from spatialdep.errors import UserError
from spatialdep.evaluation.records import CheckpointResult, PassResult, write_evaluation
from spatialdep.reporting.evaluations import read_evaluation

LABELS = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2, 0])
NAMES = ["cat", "dog", "élan", "none of these"]


def results() -> list[CheckpointResult]:
    generator = np.random.default_rng(0)
    found = []
    for checkpoint in ("last", "best"):
        passes = []
        for _ in range(3):
            correct = generator.random(len(LABELS)) < 0.6
            passes.append(PassResult(100 * float(correct.mean()), 100.0, 1.25, correct))
        found.append(CheckpointResult(checkpoint, 7, tuple(passes)))
    return found


def test_bits_survive_and_are_few(tmp_path):
    write_evaluation(tmp_path, {}, results(), LABELS, NAMES)
    read = read_evaluation(tmp_path)
    for result in results():
        stored = read.arrays[result.checkpoint]
        assert stored.shape == (3, 2)
        bits = np.unpackbits(stored, axis=1, count=len(LABELS)).astype(bool)
        assert np.array_equal(bits, result.correct)
    assert read.arrays["labels"].tolist() == LABELS.tolist()
    assert read.arrays["class_names"].tolist() == NAMES


def test_classes_are_averaged_over_passes_and_may_be_empty(tmp_path):
    write_evaluation(tmp_path, {}, results(), LABELS, NAMES)
    stated = json.loads((tmp_path / "evaluation.json").read_text())["checkpoints"]["last"]
    by_hand = [100 * results()[0].correct[:, number == LABELS].mean() for number in range(3)]
    assert stated["class_top1"][:3] == pytest.approx(by_hand, abs=1e-3)
    assert stated["class_top1"][3] is None


def test_files_are_the_same_each_time(tmp_path):
    for folder in ("one", "two"):
        write_evaluation(tmp_path / folder, {}, results(), LABELS, NAMES)
    for name in ("evaluation.json", "correct.npz"):
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_accuracies_that_the_bits_contradict_are_refused(tmp_path):
    write_evaluation(tmp_path, {}, results(), LABELS, NAMES)
    path = tmp_path / "evaluation.json"
    record = json.loads(path.read_text())
    record["checkpoints"]["best"]["passes"][1]["top1"] += 10
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="against"):
        read_evaluation(tmp_path)


class Hostile:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_pickle_inside_is_refused_not_run(tmp_path, capsys):
    write_evaluation(tmp_path, {}, results(), LABELS, NAMES)
    np.savez(tmp_path / "correct.npz", labels=np.array([Hostile()], dtype=object))
    with pytest.raises(UserError, match="no file of arrays"):
        read_evaluation(tmp_path)
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken"])
def test_a_damaged_file_is_refused_in_a_sentence(content, tmp_path):
    write_evaluation(tmp_path, {}, results(), LABELS, NAMES)
    (tmp_path / "correct.npz").write_bytes(content)
    with pytest.raises(UserError, match="no file of arrays"):
        read_evaluation(tmp_path)
