"""Passes are seeded, and depend on neither the batch size nor what ran before."""

import numpy as np
import pytest
import torch
from narrow import IMAGES, specification
from torch import nn

from spatialdep.architectures import build_network
from spatialdep.evaluation.image_batches import ImageBatches
from spatialdep.evaluation.networks import draws_per_image
from spatialdep.evaluation.passes import evaluate, pass_seed

CPU = torch.device("cpu")


def network_of(run):
    """Build the network of ``run`` with weights that tell images apart."""
    network = build_network(
        run.architecture, classes=10, image_size=32, operation=run.operation, last_k=run.last_k,
        width=run.width, **dict(run.options),
    )  # fmt: skip
    with torch.no_grad():
        # The initial head is so flat that all images would get one class.
        for layer in network.modules():
            if isinstance(layer, nn.Linear) and layer.bias is not None:
                layer.weight.normal_(std=layer.in_features**-0.5)
    return network.eval()


def run_passes(network, data, **changes):
    usual = {"passes": 3, "seed": 0, "batch_size": 100}
    return evaluate(network, ImageBatches(data, CPU), **{**usual, **changes})


SHUFFLED = [
    pytest.param(specification("spatial_shuffle", last_k=7), id="shuffle"),
    pytest.param(
        specification("spatial_shuffle", last_k=7, options=(("per_image", True),)), id="per image"
    ),
    pytest.param(specification("patch_shuffle", last_k=9, options=(("patch", 2),)), id="patches"),
]


@pytest.mark.parametrize("run", [pytest.param(specification(), id="baseline"), *SHUFFLED])
def test_batch_size_changes_nothing(run, data):
    network = network_of(run)
    first, *others = (
        run_passes(network, data, batch_size=size, per_image=draws_per_image(run))
        for size in (IMAGES, 64, 100, 7)
    )
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert np.array_equal(one.correct, two.correct)
            assert one.loss == pytest.approx(two.loss, rel=1e-5)
            assert (one.top1, one.top5) == (two.top1, two.top5)


@pytest.mark.parametrize("run", SHUFFLED)
def test_a_pass_is_the_same_whatever_else_is_computed(run, data):
    network = network_of(run)
    three = run_passes(network, data)
    torch.rand(17)
    five = run_passes(network, data, passes=5)
    for one, two in zip(three, five[:3], strict=True):
        assert one.loss == two.loss
        assert np.array_equal(one.correct, two.correct)


@pytest.mark.parametrize("run", SHUFFLED)
def test_passes_and_seeds_draw_differently(run, data):
    network = network_of(run)
    assert len({one.loss for one in run_passes(network, data)}) == 3
    assert run_passes(network, data)[0].loss != run_passes(network, data, seed=1)[0].loss


def test_a_network_that_draws_nothing_has_equal_passes(data):
    assert len({one.loss for one in run_passes(network_of(specification()), data)}) == 1


def test_pass_seeds_are_distinct():
    seeds = {pass_seed(run, number, block) for run in range(9) for number in range(9)
             for block in range(9)}  # fmt: skip
    assert len(seeds) == 9**3
    assert all(0 <= seed < 2**63 for seed in seeds)


class Fixed(nn.Module):
    """A network that answers with given logits, image by image."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)
        self.seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        start, self.seen = self.seen, self.seen + len(x)
        return self.logits[start : self.seen]


def test_metrics_are_those_computed_by_hand(data):
    labels = np.array(data.labels("test"))
    logits = torch.zeros(IMAGES, 10)
    for row, label in enumerate(labels):
        # True class first, second, sixth or last, in turn.
        place = (0, 1, 5, 9)[row % 4]
        others = [number for number in range(10) if number != label]
        for rank, number in enumerate([*others[:place], int(label), *others[place:]]):
            logits[row, number] = 10 - rank
    (result,) = run_passes(Fixed(logits), data, passes=1)
    assert result.correct.tolist() == [row % 4 == 0 for row in range(IMAGES)]
    assert result.top1 == pytest.approx(100 * np.mean(np.arange(IMAGES) % 4 == 0))
    assert result.top5 == pytest.approx(100 * np.mean(np.arange(IMAGES) % 4 <= 1))
    chosen = torch.log_softmax(logits.double(), 1)[torch.arange(IMAGES), torch.tensor(labels)]
    assert result.loss == pytest.approx(-float(chosen.mean()), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_ties_and_nan_are_never_right(value, data):
    (result,) = run_passes(Fixed(torch.full((IMAGES, 10), value)), data, passes=1)
    assert result.top1 == 0
    assert result.top5 == 0


def test_images_are_normalised_as_in_training(data):
    images, labels = next(ImageBatches(data, CPU).batches(5))
    stored = np.array(data.images("test")[:5]).astype(np.float32)
    assert torch.allclose(images, torch.tensor((stored / 255 - 0.5) / 0.25), atol=1e-5)
    assert labels.tolist() == data.labels("test")[:5].tolist()
    assert images.is_contiguous(memory_format=torch.channels_last)
