"""All shuffles of a network can draw from a stream of their own."""

import copy

import torch
from shuffles import numbered, seeded
from torch import nn

from spatialdep.spatial_ops.modules import FixedShuffle, JointShuffle, SpatialShuffle
from spatialdep.spatial_ops.random_stream import set_generator


def network() -> nn.Sequential:
    return nn.Sequential(SpatialShuffle(), nn.Sequential(JointShuffle()), SpatialShuffle())


def test_draws_do_not_depend_on_other_random_numbers():
    x, shuffled = numbered(2, 3, 4, 4), network()
    set_generator(shuffled, seeded())
    y = shuffled(x)
    set_generator(shuffled, seeded())
    torch.randn(100)
    assert torch.equal(shuffled(x), y)
    assert not torch.equal(shuffled(x), y)


def test_draws_leave_the_default_generator_alone():
    shuffled = network()
    set_generator(shuffled, seeded())
    state = torch.get_rng_state()
    shuffled(numbered(2, 3, 4, 4))
    assert torch.equal(torch.get_rng_state(), state)


def test_layers_share_one_stream_and_differ():
    one = nn.Sequential(SpatialShuffle())
    two = nn.Sequential(SpatialShuffle())
    whole = nn.Sequential(one, two)
    set_generator(whole, seeded())
    x = numbered(1, 3, 4, 4)
    assert not torch.equal(one(x), two(x))


def test_state_of_the_generator_resumes_the_stream():
    x, shuffled, generator = numbered(1, 3, 4, 4), network(), seeded()
    set_generator(shuffled, generator)
    shuffled(x)
    state = generator.get_state()
    y = shuffled(x)
    generator.set_state(state)
    assert torch.equal(shuffled(x), y)


def test_none_gives_back_the_default_generator():
    x, shuffled = numbered(1, 3, 4, 4), network()
    set_generator(shuffled, seeded())
    set_generator(shuffled, None)
    torch.manual_seed(0)
    y = shuffled(x)
    torch.manual_seed(0)
    assert torch.equal(shuffled(x), y)


def test_a_copied_network_draws_from_the_same_stream():
    x, shuffled, generator = numbered(1, 3, 4, 4), network(), seeded()
    set_generator(shuffled, generator)
    twin = copy.deepcopy(shuffled)
    y = shuffled(x)
    generator.manual_seed(0)
    assert torch.equal(twin(x), y)


def test_a_fixed_shuffle_is_no_part_of_it():
    fixed = FixedShuffle(3, 4, 4)
    before = fixed(numbered(1, 3, 4, 4))
    set_generator(fixed, seeded())
    assert torch.equal(fixed(numbered(1, 3, 4, 4)), before)
