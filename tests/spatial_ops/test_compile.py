"""One graph without breaks, whose draws stay as many and as random as they were."""

from collections.abc import Iterator

import pytest
import torch
from scipy.stats import chisquare
from shuffles import numbered, seeded
from torch import Tensor, nn

from spatialdep.spatial_ops import functional
from spatialdep.spatial_ops.modules import SpatialShuffle
from spatialdep.spatial_ops.random_stream import set_generator


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("per_image", [False, True])
def test_compiles_without_graph_breaks(shuffle, per_image):
    compiled = torch.compile(
        lambda x: shuffle(x, per_image=per_image), fullgraph=True, backend="aot_eager"
    )
    x = numbered(3, 4, 4, 4).requires_grad_()
    torch.manual_seed(0)
    eager = shuffle(x, per_image=per_image)
    torch.manual_seed(0)
    y = compiled(x)
    assert torch.equal(y, eager)
    (gradient,) = torch.autograd.grad((x.detach() * y).sum(), x)
    (expected,) = torch.autograd.grad((x.detach() * eager).sum(), x)
    assert torch.equal(gradient, expected)


def three_layers() -> nn.Sequential:
    # Equal shapes: a compiler that takes draws for functions would merge them.
    layers = [nn.Sequential(SpatialShuffle(), nn.Conv2d(4, 4, 3, padding=1)) for _ in range(3)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_named_stream_draws_the_same_compiled(backend):
    network, generator, x = three_layers(), seeded(), torch.randn(2, 4, 8, 8)
    set_generator(network, generator)
    compiled = torch.compile(network, fullgraph=True, backend=backend)

    def step(call: nn.Module) -> list[Tensor]:
        generator.manual_seed(0)
        outputs = [call(x), call(x)]
        loss = sum(y.square().sum() for y in outputs)
        return [*outputs, *torch.autograd.grad(loss, list(network.parameters()))]

    for ours, expected in zip(step(compiled), step(network), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_layers_of_one_compiled_network_draw_apart():
    shuffles = nn.ModuleList([SpatialShuffle(), SpatialShuffle()])
    for generator in (None, seeded()):
        torch.compiler.reset()
        set_generator(shuffles, generator)
        both = torch.compile(
            lambda x: torch.stack([shuffle(x) for shuffle in shuffles]),
            fullgraph=True,
            backend="aot_eager",
        )
        first, second = both(numbered(1, 4, 4, 4))
        assert not torch.equal(first, second)


@pytest.mark.slow
def test_the_compilers_own_random_numbers_are_uniform_too():
    compiled = torch.compile(
        lambda x: functional.spatial_shuffle(x, per_image=True), fullgraph=True
    )
    torch.manual_seed(0)
    orders = compiled(numbered(6_000, 4, 1, 3)).flatten(0, 2) % 3
    codes = (orders * torch.tensor([1.0, 3.0, 9.0])).sum(1)
    counts = codes.unique(return_counts=True)[1]
    assert len(counts) == 6
    assert chisquare(counts.tolist()).pvalue > 1e-3
