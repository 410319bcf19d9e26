"""Where the random numbers of the shuffles come from.

By default from the device's own generator, like dropout's: ``torch.manual_seed`` makes a run
reproducible on one kind of device, ``torch.compile`` sees plain operators, and CUDA graphs advance
the generator at each replay.

:func:`set_generator` gives all shuffles of a network a stream of their own, so that they draw the
same permutations whatever else (augmentation, initialisation) draws from the default generator.
``torch.compile`` cannot take a ``torch.Generator`` into a graph, so the draw is, in a graph, an
opaque operator that knows the generator by a number and draws the same numbers. It is marked as
seeded, hence never recomputed, and as unsafe for the CUDA graphs that
``torch.compile(mode="reduce-overhead")`` makes by itself, which leaves it out of them. Who captures
a ``torch.cuda.CUDAGraph`` by hand must first call ``graph.register_generator_state(generator)``, as
with any generator that is not the default one.
"""

from collections.abc import Sequence
from itertools import count
from weakref import WeakValueDictionary

import torch
from torch import Tensor, library, nn

# 63 random bits a key: among the 3.2 million elements of the largest map of the study, two equal
# keys (whose order would then not be random) are met once in two million draws.
_LARGEST_KEY = torch.iinfo(torch.int64).max


class RandomStream:
    """A generator under a number, which can be named inside a compiled graph.

    Parameters
    ----------
    generator
        A generator on the device of the tensors to be shuffled.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        # Each draw counts as a change of this tensor. Without it the compiler sees two equal calls
        # of one function, and makes one of two draws of the same shape.
        self.draws = torch.zeros((), dtype=torch.int64, device=generator.device)
        self.number = next(_NUMBERS)
        _STREAMS[self.number] = self

    def __deepcopy__(self, memo: dict[int, object]) -> "RandomStream":
        # A copied network (an average of weights, say) goes on drawing from the same stream.
        return self


_NUMBERS = count()
_STREAMS: WeakValueDictionary[int, RandomStream] = WeakValueDictionary()

RandomSource = torch.Generator | RandomStream | None


class RandomModule(nn.Module):
    """A module that draws random numbers from :attr:`generator`, by default the device's own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator: RandomSource = None


def set_generator(network: nn.Module, generator: torch.Generator | None) -> None:
    """Let all shuffles of ``network`` draw from ``generator``, or from the device's own if None.

    Call it before ``torch.compile`` traces the network; a compiled network is traced again.

    Parameters
    ----------
    network
        Any module; those inside it that draw no permutations are left alone.
    generator
        A generator on the network's device. Its ``get_state`` belongs into a checkpoint.
    """
    stream = None if generator is None else RandomStream(generator)
    for module in network.modules():
        if isinstance(module, RandomModule):
            module.generator = stream


def random_keys(shape: Sequence[int], device: torch.device, source: RandomSource) -> Tensor:
    """Draw int64 keys, uniform over 63 bits, on ``device`` and from ``source``."""
    if isinstance(source, RandomStream):
        if torch.compiler.is_compiling():
            keys: Tensor = _stream_keys(source.draws, list(shape), source.number)
            return keys
        source = source.generator
    return torch.randint(_LARGEST_KEY, tuple(shape), device=device, generator=source)


@library.custom_op(
    "spatialdep::stream_keys",
    mutates_args=("draws",),
    tags=(torch.Tag.nondeterministic_seeded, torch.Tag.cudagraph_unsafe),
)
def _stream_keys(draws: Tensor, shape: Sequence[int], stream: int) -> Tensor:
    draws.add_(1)
    generator = _STREAMS[stream].generator
    return torch.randint(_LARGEST_KEY, tuple(shape), device=draws.device, generator=generator)


@_stream_keys.register_fake
def _(draws: Tensor, shape: Sequence[int], stream: int) -> Tensor:
    return torch.empty(tuple(shape), dtype=torch.int64, device=draws.device)
