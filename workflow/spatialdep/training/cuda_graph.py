"""A function of device tensors, recorded once as a CUDA graph and replayed.

A replay launches all kernels of a step at once, where launching them one by one would keep a fast
GPU waiting for Python.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# The first calls choose algorithms, load kernels and make workspaces, which no graph may record.
WARM_UPS = 3

Step = Callable[[Tensor, Tensor], None]


def capture(
    function: Step,
    inputs: tuple[Tensor, Tensor],
    *,
    state: Sequence[Tensor],
    generator: torch.Generator,
) -> Step:
    """Record ``function`` for inputs of these shapes, leaving everything else as it was.

    Parameters
    ----------
    function
        Works on CUDA tensors alone, in place, never waits for the device and returns nothing.
    inputs
        Examples: their shapes, types and memory formats are fixed from here on.
    state
        Every tensor that ``function`` changes. Recording needs trial calls, after which these are
        set back.
    generator
        What ``function`` draws from, on the device; set back as well. A replay advances it as a
        call would.

    Returns
    -------
    Step
        Does the same as ``function``.
    """
    saved = [tensor.clone() for tensor in state]
    random = generator.get_state()
    static = tuple(tensor.clone() for tensor in inputs)

    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            function(*static)
    torch.cuda.current_stream().wait_stream(side)

    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph, stream=side):
        function(*static)

    with torch.no_grad():
        for tensor, before in zip(state, saved, strict=True):
            tensor.copy_(before)
    generator.set_state(random)

    def replay(images: Tensor, labels: Tensor) -> None:
        static[0].copy_(images)
        static[1].copy_(labels)
        graph.replay()

    return replay
