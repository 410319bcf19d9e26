"""What only a GPU can show; on a machine without one these tests say so."""

import pytest
import torch
from runs import assert_same, make_training, specification, untimed

from spatialdep.errors import UserError
from spatialdep.training import device as devices
from spatialdep.training.distributed import Ranks
from spatialdep.training.signals import Stopped

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(autouse=True)
def _torch_s_settings():
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False


def _training(run, data, place, *, graph, **habits):
    device = devices.pick_device("cuda")
    devices.set_up(device, run.recipe, None)
    return make_training(run, data, place, device, graph, **habits)


@pytest.mark.parametrize("operation", ["none", "spatial_shuffle", "gap_fc"])
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_captured_step_is_the_eager_step(data, tmp_path, operation, precision):
    """Bit for bit: the same kernels, the same random numbers, the last, smaller batch included."""
    run = specification(
        {"operation": operation, "last_k": 0 if operation == "none" else 4, "width": 0.25},
        deterministic=True,
        precision=precision,
    )
    eager = _training(run, data, tmp_path / "eager", graph=False).finish()
    captured = _training(run, data, tmp_path / "captured", graph=True).finish()
    assert_same(captured, eager)


def test_capturing_changes_no_state(data, tmp_path):
    """After the trial calls that recording needs, one step has been taken and not five."""
    states = []
    for graph in (False, True):
        training = _training(specification(deterministic=True), data, tmp_path, graph=graph)
        learner = training._learner
        learner.begin_training(0)
        learner.train(next(iter(training._batches.train(0, 0))), 0.1)
        states.append((learner.tensors(), learner.random_state()))
    for name, tensor in states[0][0].items():
        assert torch.equal(states[1][0][name], tensor), name
    assert torch.equal(states[0][1], states[1][1])


def test_each_replay_draws_new_permutations(data, tmp_path):
    training = _training(specification(learning_rate=0.0), data, tmp_path, graph=True)
    learner = training._learner
    learner.network.eval()
    batch = next(iter(training._batches.test()))
    losses = set()
    learner.begin_testing(0)
    for _ in range(4):
        learner.tested.clear()
        learner.test(batch)
        losses.add(learner.tested.read(Ranks()).loss)
    assert len(losses) == 4


def test_the_learning_rate_of_a_captured_step_can_change(data, tmp_path):
    training = _training(specification(), data, tmp_path, graph=True)
    learner = training._learner
    learner.begin_training(0)
    batch = next(iter(training._batches.train(0, 0)))
    learner.train(batch, 0.1)
    before = learner.weights()
    learner.train(batch, 0.0)
    parameters = dict(learner.network.named_parameters())
    assert all(torch.equal(before[name], parameter) for name, parameter in parameters.items())
    learner.train(batch, 0.1)
    assert any(not torch.equal(before[name], parameter) for name, parameter in parameters.items())


def test_deterministic_runs_are_the_same_and_resume(data, tmp_path):
    run = specification({"width": 0.25}, deterministic=True)
    whole = _training(run, data, tmp_path / "one", graph=True).finish()
    assert_same(_training(run, data, tmp_path / "two", graph=True).finish(), whole)
    for position in ((0, 1), (1, 2), (2, 3)):
        place = tmp_path / f"stopped{position}"
        training = _training(run, data, place, graph=True)
        step = training._learner.train

        def stopping(batch, rate, training=training, step=step, position=position):
            step(batch, rate)
            if (training.epoch, training.step + 1) == position:
                training._habits = type(training._habits)(checkpoint_minutes=0)

        training._learner.train = stopping
        saved = training._save

        def save_and_stop(saved=saved):
            saved()
            raise Stopped

        training._save = save_and_stop
        with pytest.raises(Stopped):
            training.finish()
        assert_same(_training(run, data, place, graph=True).finish(), whole)


def test_gpu_and_cpu_agree_at_first(data, tmp_path):
    """Init, order and augmentation are the same on every device; rounding is not."""
    run = specification({"operation": "none", "last_k": 0}, precision="float32", epochs=1)
    on_gpu = untimed(_training(run, data, tmp_path / "gpu", graph=True).finish())
    on_cpu = untimed(make_training(run, data, tmp_path / "cpu").finish())
    assert on_gpu[0][2] == pytest.approx(on_cpu[0][2], rel=1e-3)


def test_nothing_waits_for_the_gpu_within_an_epoch(data, tmp_path):
    training = _training(specification(), data, tmp_path, graph=True)
    learner = training._learner
    learner.begin_training(0)
    for batch in training._batches.train(0, 0):
        learner.train(batch, 0.1)
    learner.begin_training(1)
    batches = training._batches.train(1, 0)
    learner.train(next(batches), 0.1)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            learner.train(batch, 0.1)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_out_of_gpu_memory_is_a_sentence(data, tmp_path):
    run = specification({"width": 1.0, "operation": "none", "last_k": 0})
    torch.cuda.empty_cache()
    # Less is left than its 136 MB of weights.
    hoard = torch.empty(torch.cuda.mem_get_info()[0] - (64 << 20), dtype=torch.uint8, device="cuda")
    with (
        pytest.raises(UserError, match="out of memory on NVIDIA"),
        devices.out_of_memory_as_sentence(torch.device("cuda")),
    ):
        _training(run, data, tmp_path, graph=True).finish()
    del hoard
    torch.cuda.empty_cache()


def test_divergence_is_seen(data, tmp_path):
    with pytest.raises(UserError, match="diverged"):
        _training(specification(learning_rate=1e30), data, tmp_path, graph=True).finish()
