"""The parts of training, each held against what it stands for."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from runs import CPU, make_training, recipe, specification
from scipy import stats
from torch import nn
from torchvision.transforms import v2

from spatialdep.datasets.prepared import load_prepared
from spatialdep.spatial_ops.random_stream import RandomModule
from spatialdep.training.array_batches import ArrayBatches
from spatialdep.training.augmentation import crop_flip, draw_crop_flip
from spatialdep.training.distributed import Ranks
from spatialdep.training.history import EpochRecord, best_of, write_history
from spatialdep.training.network import initial_network
from spatialdep.training.optimiser import Sgd
from spatialdep.training.random_streams import stream, stream_seed
from spatialdep.training.schedule import learning_rate
from spatialdep.training.tally import Tally


def test_streams_are_told_apart_by_all_parts_of_their_name():
    names = itertools.product((0, 1), ("init", "order", "shuffle"), ((), (0,), (1,), (1, "a")))
    seeds = [stream_seed(seed, name, *part) for seed, name, part in names]
    assert len(set(seeds)) == len(seeds)
    assert stream_seed(0, "order", 1) == 4489457307835839548
    assert torch.equal(
        torch.rand(3, generator=stream(1, "order", 2)),
        torch.rand(3, generator=stream(1, "order", 2)),
    )


@pytest.mark.parametrize("operation", ["spatial_shuffle", "gap_fc"])
def test_unmodified_layers_start_alike_whatever_the_operation(operation):
    plain = initial_network(specification({"operation": "none", "last_k": 0}), 10).state_dict()
    other = initial_network(specification({"operation": operation}), 10).state_dict()
    alike = [name for name in plain if name in other and plain[name].shape == other[name].shape]
    assert sum(name.endswith("conv.weight") for name in alike) >= 9
    assert any(name.startswith("head") for name in alike)
    assert all(torch.equal(plain[name], other[name]) for name in alike)
    again = initial_network(specification({"operation": "none", "last_k": 0, "seed": 1}), 10)
    assert not torch.equal(plain["head.0.weight"], again.state_dict()["head.0.weight"])


def test_building_a_network_leaves_the_default_generator_alone():
    before = torch.get_rng_state()
    initial_network(specification(), 10)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("change", ["order", "augmentation", "shuffle"])
def test_turning_one_stream_on_does_not_move_another(data, tmp_path, change):
    """What the streams draw is compared, with and without the others in use."""
    drawn = {}
    for on in (True, False):
        run = specification(
            {} if on or change != "shuffle" else {"operation": "none", "last_k": 0},
            augmentation="crop_flip" if on or change != "augmentation" else "none",
        )
        training = make_training(run, data, tmp_path)
        labels = torch.cat([batch.labels for batch in training._batches.train(1, 0)])
        training._learner.begin_training(1)
        drawn[on] = labels, training._learner.random_state()
    assert torch.equal(drawn[True][0], drawn[False][0])
    assert torch.equal(drawn[True][1], drawn[False][1])


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_sgd_is_torch_s(momentum, nesterov):
    if nesterov and not momentum:
        pytest.skip("torch refuses it")
    rule = recipe(momentum=momentum, nesterov=nesterov)
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    for network in networks:
        network.to(memory_format=torch.channels_last)
    ours = Sgd(networks[0].parameters(), rule)
    theirs = torch.optim.SGD(
        networks[1].parameters(), lr=0.1, momentum=momentum, nesterov=nesterov,
        weight_decay=rule.weight_decay,
    )  # fmt: skip
    for rate in (0.1, 0.1, 0.02):
        x = torch.randn(5, 3, 4, 4)
        for network in networks:
            network(x).square().mean().backward()
        ours.rate.fill_(rate)
        theirs.param_groups[0]["lr"] = rate
        ours.step()
        theirs.step()
        theirs.zero_grad()
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert one.grad is None
        torch.testing.assert_close(one, other)


STEPS = 7


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        (
            recipe(epochs=6, milestones=(2, 4), gamma=0.2),
            lambda optimiser: torch.optim.lr_scheduler.MultiStepLR(
                optimiser, [2 * STEPS, 4 * STEPS], gamma=0.2
            ),
        ),
        (
            recipe(epochs=6, schedule="one_cycle"),
            lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(
                optimiser, max_lr=0.05, total_steps=6 * STEPS, cycle_momentum=False
            ),
        ),
    ],
    ids=["multistep", "one_cycle"],
)
def test_schedules_are_torch_s(rule, make):
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=rule.learning_rate)
    theirs = make(optimiser)
    for epoch, step in itertools.product(range(rule.epochs), range(STEPS)):
        assert learning_rate(rule, epoch, step, STEPS) == pytest.approx(
            optimiser.param_groups[0]["lr"], rel=1e-12
        )
        optimiser.step()
        theirs.step()


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (2, 1), (1, 3)])
def test_one_cycle_of_very_few_steps(epochs, steps):
    rule = recipe(epochs=epochs, schedule="one_cycle")
    rates = [learning_rate(rule, e, s, steps) for e in range(epochs) for s in range(steps)]
    assert all(0 < rate <= rule.learning_rate for rate in rates)


def _fingerprints(images: torch.Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


def test_augmentation_has_torchvision_s_distribution():
    """Each of the 162 outcomes of an 8×8 image, told apart by its bytes, by a chi-square test."""
    image = torch.arange(1, 193, dtype=torch.uint8).view(3, 8, 8)
    draws = 16_000
    torch.manual_seed(0)
    theirs_once = v2.Compose([v2.RandomCrop(8, padding=4), v2.RandomHorizontalFlip()])
    theirs = _fingerprints(torch.stack([theirs_once(image) for _ in range(draws)]))
    same = image.permute(1, 2, 0).expand(draws, -1, -1, -1)
    cropped = crop_flip(same, draw_crop_flip(draws, stream(0, "augmentation", 0)))
    ours = _fingerprints(cropped.permute(0, 3, 1, 2).contiguous())

    outcomes = sorted({*ours, *theirs})
    assert len(outcomes) == 9 * 9 * 2
    table = np.array([[counts[o] for o in outcomes] for counts in (Counter(ours), Counter(theirs))])
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert stats.chisquare(table[0]).pvalue > 1e-3


def test_augmentation_pads_with_black_and_draws_for_each_image():
    white = torch.full((200, 32, 32, 3), 255, dtype=torch.uint8)
    cropped = crop_flip(white, draw_crop_flip(200, stream(0, "augmentation", 0)))
    assert set(cropped.unique().tolist()) == {0, 255}
    assert cropped.flatten(1).any(1).all()
    assert len({image.numpy().tobytes() for image in cropped}) > 40


def _batches(data, **changes) -> ArrayBatches:
    return ArrayBatches(
        load_prepared(data), recipe(**changes), seed=0, device=CPU, dtype=torch.float32,
        ranks=Ranks(),
    )  # fmt: skip


def test_batches_are_normalised_as_torchvision_does(data):
    dataset = load_prepared(data)
    batch = next(iter(_batches(data).test()))
    images = torch.from_numpy(np.array(dataset.images("test")[:16]))
    expected = v2.functional.normalize(images / 255, dataset.mean, dataset.std)
    torch.testing.assert_close(batch.images, expected)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_every_image_is_seen_once_an_epoch_the_last_batch_included(data):
    batches = _batches(data, augmentation="none")
    epochs = [list(batches.train(epoch, 0)) for epoch in (0, 1)]
    assert [len(batch.labels) for batch in epochs[0]] == [32, 32, 16]
    seen = [torch.cat([batch.images for batch in epoch]).flatten(1) for epoch in epochs]
    assert not torch.equal(*seen)
    rows = [sorted(map(tuple, some.tolist())) for some in seen]
    assert rows[0] == rows[1] and len(set(rows[0])) == 80


def test_batches_go_on_in_the_middle_of_an_epoch(data):
    batches = _batches(data)
    whole, rest = list(batches.train(3, 0)), list(batches.train(3, 2))
    assert len(rest) == 1
    assert torch.equal(whole[2].images, rest[0].images)
    assert torch.equal(whole[2].labels, rest[0].labels)


def test_batches_made_ahead_are_the_same(data):
    one, ahead = _batches(data), _batches(data)
    ahead._ahead = 2
    for left, right in zip(one.train(0, 0), ahead.train(0, 0), strict=True):
        assert torch.equal(left.images, right.images)
        assert torch.equal(left.labels, right.labels)


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_ranks_share_a_batch(world):
    parts = [Ranks(rank, rank, world).part(range(10, 21)) for rank in range(world)]
    assert [i for part in parts for i in part] == list(range(10, 21))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_tally():
    tally = Tally(CPU)
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    tally.add(torch.tensor([1.0, 2.0, 3.0]), logits, torch.tensor([0, 1, 1]))
    tally.add(torch.tensor([6.0]), logits[:1], torch.tensor([0]))
    summary = tally.read(Ranks())
    assert (summary.loss, summary.top1, summary.images) == (3.0, 75.0, 4)
    assert summary.batches == summary.finite == 2
    for bad in (float("inf"), -float("inf"), 1.0):
        tally.add(torch.tensor([bad]), logits[:1], torch.tensor([0]))
    assert (tally.read(Ranks()).batches, tally.read(Ranks()).finite) == (5, 2)


def test_history_is_read_back_exactly(tmp_path):
    rows = [
        EpochRecord(epoch=i, lr=0.1 / 3, train_loss=1 / 7, train_top1=100 / 3, test_loss=2 / 7,
                    test_top1=top1, images_per_second=1e5 / 3, seconds=1 / 3)
        for i, top1 in ((1, 50.0), (2, 60.0), (3, 60.0))
    ]  # fmt: skip
    write_history(tmp_path / "history.csv", rows)
    header, *lines = (tmp_path / "history.csv").read_text().splitlines()
    assert header == (
        "epoch,lr,train_loss,train_top1,test_loss,test_top1,images_per_second,seconds"
    )
    assert float(lines[0].split(",")[2]) == 1 / 7
    assert best_of(rows).epoch == 2


def test_testing_more_often_does_not_change_training(data, tmp_path):
    """The test's shuffles have a stream of their own."""
    states = []
    for times in (1, 3):
        learner = make_training(specification(), data, tmp_path)._learner
        learner.begin_training(0)
        batches = list(_batches(data).train(0, 0))
        learner.train(batches[0], 0.1)
        for _ in range(times):
            learner.begin_testing(0)
            learner.test(batches[0])
        states.append(learner.random_state())
        assert any(isinstance(module, RandomModule) for module in learner.network.modules())
    assert torch.equal(*states)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_is_that_of_the_maps_and_never_of_the_weights(data, tmp_path, precision):
    training = make_training(specification(precision=precision), data, tmp_path)
    seen = set()
    for module in training._learner.network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    training._learner.begin_training(0)
    training._learner.train(next(iter(training._batches.train(0, 0))), 0.1)
    assert seen == {getattr(torch, precision)}
    assert {p.dtype for p in training._learner.network.parameters()} == {torch.float32}
