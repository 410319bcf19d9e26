"""Named streams of random numbers: drawing more from one never moves another.

A stream's seed is a hash of the run's seed and of the stream's name, which ends in the epoch where
the numbers are new in every epoch. So a stream has no history: where a run goes on after a fault,
it draws what it would have drawn.
"""

import hashlib
from typing import Literal

import torch

Name = Literal["init", "order", "augmentation", "shuffle", "test"]
"""What draws from a stream of its own; ``test`` are the shuffles of the test images."""


def stream_seed(seed: int, name: Name, *part: int | str) -> int:
    """Return the seed of a stream, from 0 to 2⁶³ − 1.

    Parameters
    ----------
    seed
        The run's seed.
    name
        Which stream.
    part
        Which part of it, such as the epoch, the image or the layer.
    """
    text = "/".join(map(str, (seed, name, *part)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, name: Name, *part: int | str) -> torch.Generator:
    """Return a generator on the CPU at the start of a stream; the same on every machine."""
    return torch.Generator().manual_seed(stream_seed(seed, name, *part))
