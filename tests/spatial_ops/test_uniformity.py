"""All orders are equally likely, and draws know nothing of each other (chi-square, fixed seeds)."""

from collections import Counter
from math import factorial

import pytest
import torch
from scipy.stats import chisquare
from shuffles import SHUFFLES, numbered, seeded
from torch import Tensor

from spatialdep.spatial_ops import functional
from spatialdep.spatial_ops.random_stream import random_keys

DRAWS = 24_000


def assert_uniform(samples: Tensor, outcomes: int) -> None:
    """Check that the rows of ``samples`` take each of ``outcomes`` values equally often."""
    counts = Counter(map(tuple, samples.tolist()))
    assert len(counts) == outcomes
    assert chisquare(list(counts.values())).pvalue > 1e-3


# Maps on which an operation has four things to order, and where in the outcome they are seen.
SMALL = {
    "spatial_shuffle": ((1, 2, 2), slice(None)),
    "patch_shuffle": ((1, 2, 2), slice(None)),
    "joint_shuffle": ((1, 2, 2), slice(None)),
    "channel_shuffle": ((4, 1, 1), slice(None)),
    "channel_permutation": ((4, 1, 1), slice(None)),
    "full_shuffle": ((2, 1, 2), slice(None)),
    "row_shuffle": ((1, 4, 2), slice(0, None, 2)),
    "column_shuffle": ((1, 2, 4), slice(0, 4)),
}


@pytest.mark.parametrize("name", SHUFFLES)
def test_every_order_is_equally_likely(name):
    shape, seen = SMALL[name]
    y = SHUFFLES[name](numbered(DRAWS, *shape), generator=seeded(), per_image=True)
    assert_uniform(y.flatten(1)[:, seen], factorial(4))


def test_channels_positions_and_patches_draw_independently():
    # Two things ordered by each of two draws: four outcomes together, or two if draws are coupled.
    for name, shape in {
        "spatial_shuffle": (2, 1, 2),
        "channel_shuffle": (2, 1, 2),
        "patch_shuffle": (1, 2, 4),
    }.items():
        y = SHUFFLES[name](numbered(DRAWS, *shape), generator=seeded(), per_image=True)
        outcomes = 24**2 if name == "patch_shuffle" else 4
        assert_uniform(y.flatten(1), outcomes)


def test_the_channels_of_one_draw_are_uniform_too():
    x = torch.arange(4.0).view(1, 1, 2, 2).expand(1, DRAWS, 2, 2)
    assert_uniform(functional.spatial_shuffle(x, generator=seeded())[0].flatten(1), factorial(4))


def test_successive_calls_are_independent():
    generator = seeded()
    x = numbered(1, 1, 1, 2)
    calls = [functional.spatial_shuffle(x, generator=generator).flatten() for _ in range(4_000)]
    assert_uniform(torch.stack(calls).view(-1, 4), 4)


def test_keys_use_all_their_bits():
    keys = random_keys((4096,), torch.device("cpu"), seeded())
    ones = (keys.unsqueeze(-1) >> torch.arange(63) & 1).sum(0)
    assert keys.min() >= 0
    # Five standard deviations of a fair coin, for each of the 63 bits.
    assert (ones - 2048).abs().max() < 5 * 32
