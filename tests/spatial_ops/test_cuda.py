"""What only a GPU can show."""

import pytest
import torch
from shuffles import numbered
from torch import nn

from spatialdep.spatial_ops.modules import SpatialShuffle
from spatialdep.spatial_ops.random_stream import set_generator

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def on_cuda(*shape: int) -> torch.Tensor:
    return numbered(*shape).cuda()


def test_no_synchronisation_forward_or_backward(shuffle):
    x = on_cuda(8, 16, 8, 8).requires_grad_()
    shuffle(x).sum().backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        shuffle(x).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_reproducible_from_a_seed_and_deterministic(shuffle):
    x = on_cuda(8, 16, 8, 8).requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        gradients = []
        for _ in range(2):
            torch.cuda.manual_seed(0)
            y = shuffle(x)
            gradients.append((y, *torch.autograd.grad((y * x.detach()).sum(), x)))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_bfloat16_channels_last(shuffle):
    x = on_cuda(8, 16, 8, 8).contiguous(memory_format=torch.channels_last).bfloat16()
    y = shuffle(x)
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("named", [False, True])
def test_a_captured_graph_redraws_at_every_replay(shuffle, named):
    x = on_cuda(8, 16, 8, 8)
    generator = torch.Generator("cuda").manual_seed(0) if named else None
    module = nn.Sequential(SpatialShuffle())
    set_generator(module, generator)
    call = module if named else shuffle
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        call(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    if generator is not None:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        y = call(x)
    graph.replay()
    first = y.clone()
    graph.replay()
    assert not torch.equal(y, first)
    assert torch.equal(y.flatten(1).sort(1).values, x.flatten(1).sort(1).values)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("named", [False, True])
def test_compiled_on_the_gpu(mode, named):
    network = nn.Sequential(SpatialShuffle(), nn.Conv2d(16, 16, 3), SpatialShuffle()).cuda()
    if named:
        set_generator(network, torch.Generator("cuda").manual_seed(0))
    compiled = torch.compile(network, fullgraph=True, mode=mode)
    x = torch.randn(8, 16, 8, 8, device="cuda")
    outputs = []
    for _ in range(4):
        y = compiled(x)
        y.sum().backward()
        outputs.append(y.detach().clone())
    assert not torch.equal(outputs[-1], outputs[-2])
