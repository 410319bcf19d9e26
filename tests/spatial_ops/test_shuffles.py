"""Each shuffle permutes what it may permute, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shuffles import SHUFFLES, numbered, seeded
from torch import Tensor, nn

from spatialdep.spatial_ops import functional, modules


def _ordered(x: Tensor, dim: int, keys: Tensor) -> Tensor:
    return x.gather(dim, keys.argsort(dim).expand_as(x))


# Brings maps whose values differ into the one order that the operation cannot tell from theirs.
SORTED: dict[str, Callable[[Tensor], Tensor]] = {
    "spatial_shuffle": lambda x: x.flatten(2).sort(2).values,
    "patch_shuffle": lambda x: (
        nn.functional.unfold(x.float(), 2, stride=2).unflatten(1, (-1, 4)).sort(2).values
    ),
    "joint_shuffle": lambda x: _ordered(x.flatten(2), 2, x.flatten(2)[:, :1]),
    "channel_shuffle": lambda x: x.sort(1).values,
    "channel_permutation": lambda x: _ordered(x, 1, x[:, :, :1, :1]),
    "full_shuffle": lambda x: x.flatten(1).sort(1).values,
    "row_shuffle": lambda x: _ordered(x, 2, x[:, :1, :, :1]),
    "column_shuffle": lambda x: _ordered(x, 3, x[:, :1, :1]),
}


@given(
    name=st.sampled_from(sorted(SHUFFLES)),
    shape=st.tuples(*[st.integers(1, 5)] * 2, *[st.integers(1, 4).map(lambda half: 2 * half)] * 2),
    per_image=st.booleans(),
    channels_last=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_permutes_only_what_it_may(*, name, shape, per_image, channels_last, dtype, seed):
    # bfloat16 holds whole numbers up to 256; beyond, values would coincide.
    assume(dtype != torch.bfloat16 or shape[1] * shape[2] * shape[3] <= 256)
    x = numbered(*shape).to(dtype)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    y = SHUFFLES[name](x, generator=seeded(seed), per_image=per_image)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert torch.equal(SORTED[name](y), SORTED[name](x))
    assert per_image or torch.equal(y, y[:1].expand_as(y)), "the same for all images of a batch"


def test_moves_something_in_eval_mode_and_differently_at_every_call(shuffle_name):
    camel = "".join(word.capitalize() for word in shuffle_name.split("_"))
    kind = getattr(modules, camel)
    module = (kind(2) if shuffle_name == "patch_shuffle" else kind()).eval()
    x = numbered(2, 8, 8, 8)
    torch.manual_seed(0)
    first, second = module(x), module(x)
    assert not torch.equal(first, x)
    assert not torch.equal(first, second)


def test_one_seed_is_one_permutation_in_either_memory_format(shuffle):
    x = numbered(2, 6, 4, 4)
    last = x.contiguous(memory_format=torch.channels_last)
    plain = shuffle(x, generator=seeded())
    assert torch.equal(shuffle(last, generator=seeded()), plain)
    assert plain.is_contiguous()
    assert shuffle(last).is_contiguous(memory_format=torch.channels_last)


def test_takes_maps_that_are_not_contiguous(shuffle):
    x = numbered(2, 6, 8, 8)[:, ::2, 1:5, 2:6]
    assert torch.equal(shuffle(x, generator=seeded()), shuffle(x.contiguous(), generator=seeded()))


def test_default_generator_is_the_devices(shuffle):
    x = numbered(2, 6, 4, 4)
    torch.manual_seed(3)
    y = shuffle(x)
    torch.manual_seed(3)
    assert torch.equal(shuffle(x), y)
    assert not torch.equal(shuffle(x), y)


def test_per_image_draws_for_each_image(shuffle):
    y = shuffle(numbered(4, 8, 8, 8), generator=seeded(), per_image=True)
    assert len({tuple(image.flatten().tolist()) for image in y}) == 4


@pytest.mark.parametrize("name", ["spatial_shuffle", "patch_shuffle"])
def test_channels_draw_independently_but_joint_shuffle_together(name):
    same = torch.arange(64.0).view(1, 1, 8, 8).expand(1, 16, 8, 8)
    y = SHUFFLES[name](same, generator=seeded())[0]
    assert len({tuple(channel.flatten().tolist()) for channel in y}) == 16
    joint = functional.joint_shuffle(same, generator=seeded())[0]
    assert torch.equal(joint, joint[:1].expand_as(joint))


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_gradient_is_that_of_the_explicit_gather(shuffle, per_image, channels_last):
    shape = (3, 4, 4, 6)
    source = shuffle(numbered(*shape), generator=seeded(), per_image=per_image).flatten(1).long()
    format_ = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(shape, generator=seeded(1)).contiguous(memory_format=format_).requires_grad_()
    weight = torch.randn(shape, generator=seeded(2))
    y = shuffle(x, generator=seeded(), per_image=per_image)
    explicit = x.flatten(1).gather(1, source).view(shape)
    assert torch.equal(y, explicit)
    (ours,) = torch.autograd.grad((weight * y).sum(), x)
    (theirs,) = torch.autograd.grad((weight * explicit).sum(), x)
    assert torch.equal(ours, theirs)


def test_second_derivatives(shuffle):
    x = torch.randn(2, 2, 2, 4, dtype=torch.float64, generator=seeded(1)).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: shuffle(x, generator=seeded()).pow(3), x)


def test_gradients_under_vmap_and_grad(shuffle):
    networks = torch.randn(3, 2, 4, 4, 4, generator=seeded())
    gradient = torch.func.grad(lambda x: shuffle(x).square().sum())
    torch.manual_seed(0)
    gradients = torch.vmap(gradient, randomness="different")(networks)
    assert torch.equal(gradients, 2 * networks)


def test_nothing_to_permute_is_the_identity():
    one_position, one_channel = torch.randn(2, 8, 1, 1), torch.randn(2, 1, 4, 4)
    for name in ("spatial_shuffle", "joint_shuffle", "row_shuffle", "column_shuffle"):
        assert torch.equal(SHUFFLES[name](one_position), one_position)
    for name in ("channel_shuffle", "channel_permutation"):
        assert torch.equal(SHUFFLES[name](one_channel), one_channel)
    assert torch.equal(functional.patch_shuffle(one_channel, patch=1), one_channel)


def test_a_patch_as_large_as_the_map_is_a_spatial_shuffle():
    x = numbered(2, 3, 4, 4)
    y = functional.patch_shuffle(x, patch=4, generator=seeded())
    assert torch.equal(SORTED["spatial_shuffle"](y), SORTED["spatial_shuffle"](x))
    assert torch.equal(y, functional.spatial_shuffle(x, generator=seeded()))


def test_refuses_what_it_cannot_shuffle(shuffle):
    with pytest.raises(ValueError, match=r"expected maps of shape \(N, C, H, W\), got \(8, 8\)"):
        shuffle(torch.zeros(8, 8))


def test_refuses_a_patch_that_does_not_fit():
    with pytest.raises(ValueError, match="patch=3 does not divide maps of 4×6"):
        functional.patch_shuffle(torch.zeros(1, 1, 4, 6), patch=3)


def test_autocast_and_empty_batches(shuffle):
    with torch.autocast("cpu", torch.bfloat16):
        assert shuffle(torch.randn(2, 4, 4, 4).bfloat16()).dtype == torch.bfloat16
    assert shuffle(torch.randn(0, 4, 4, 4)).shape == (0, 4, 4, 4)


def test_shapes_without_data(shuffle):
    x = torch.empty(128, 512, 4, 4, device="meta")
    assert shuffle(x).shape == x.shape


def test_fixed_shuffle_stays_and_is_saved():
    torch.manual_seed(0)
    fixed, other = modules.FixedShuffle(3, 4, 4), modules.FixedShuffle(3, 4, 4)
    x = numbered(2, 3, 4, 4)
    y = fixed(x)
    assert torch.equal(fixed(x), y)
    assert torch.equal(fixed.eval()(x), y)
    assert not torch.equal(other(x), y)
    assert torch.equal(SORTED["spatial_shuffle"](y), SORTED["spatial_shuffle"](x))
    other.load_state_dict(fixed.state_dict())
    assert torch.equal(other(x), y)
    with pytest.raises(ValueError, match="were announced"):
        fixed(numbered(2, 3, 4, 6))
