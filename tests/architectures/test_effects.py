"""Spatial information is gone where it is claimed to be gone, and only there."""

import pytest
import torch
from networks import build
from scipy.stats import ks_2samp
from torch import Tensor, nn

from spatialdep.architectures import unit_names
from spatialdep.spatial_ops.functional import joint_shuffle, spatial_shuffle
from spatialdep.spatial_ops.modules import SpatialShuffle


def split(network: nn.Sequential, unit: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Cut a network before ``unit`` and what may have been put in front of it."""
    names = list(dict(network.units.named_children()))
    at = names.index("entry") if "entry" in names else names.index(unit)
    children = list(network.units.children())
    rest = [child for name, child in network.named_children() if name != "units"]
    return nn.Sequential(*children[:at]), nn.Sequential(*children[at:], *rest)


def images(count: int = 4, size: int = 32) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("architecture", "last_k"), [("vgg16", 1), ("vgg16", 7), ("vgg16", 13), ("resnet50", 5)]
)
def test_gap_fc_does_not_see_positions(architecture, last_k):
    network = build(architecture, operation="gap_fc", last_k=last_k, image_size=64)
    before, after = split(network, unit_names(architecture)[-last_k])
    maps = before(images(size=64))
    expected = after(maps)
    for moved in (spatial_shuffle(maps, per_image=True), joint_shuffle(maps)):
        torch.testing.assert_close(after(moved), expected, rtol=1e-3, atol=1e-5)
    # The control: what comes after is not blind altogether.
    assert not torch.allclose(after(maps.roll(1, dims=1)), expected, rtol=1e-2)


@pytest.mark.parametrize("architecture", ["vgg16", "resnet50"])
@pytest.mark.parametrize("size", [32, 128])
def test_conv1x1_on_all_units_sees_single_positions(architecture, size):
    network = build(
        architecture, operation="conv1x1", last_k=len(unit_names(architecture)), image_size=size
    )
    step = 32 if architecture == "vgg16" or size == 128 else 8
    x = images(size=2 * size)
    features = network.units(x)
    side = features.shape[-1]
    order = torch.randperm(side * side, generator=torch.Generator().manual_seed(1))
    # Only these pixels are looked at: permute them as the features are to be permuted.
    moved = torch.randn_like(x)
    seen = x[:, :, ::step, ::step]
    assert seen.shape[-1] == side
    moved[:, :, ::step, ::step] = seen.flatten(2)[:, :, order].view_as(seen)
    expected = features.flatten(2)[:, :, order].view_as(features)
    torch.testing.assert_close(network.units(moved), expected)
    assert not torch.allclose(features, expected)


def test_the_plain_network_sees_positions():
    network = build()
    x = images()
    assert not torch.allclose(network(joint_shuffle(x)), network(x), rtol=1e-2)


@pytest.mark.parametrize("architecture", ["vgg16", "resnet50"])
def test_all_units_shuffled_cannot_tell_permuted_pixels(architecture):
    every = len(unit_names(architecture))
    # A steep image: where its pixels are is all there is to see in it.
    x = torch.linspace(-2, 2, 3 * 32 * 32).view(1, 3, 32, 32)
    torch.manual_seed(0)
    permuted = spatial_shuffle(x)

    def difference(last_k: int) -> float:
        network = build(
            architecture,
            operation="spatial_shuffle",
            last_k=last_k,
            per_image=True,
            width=0.0625,
            classes=16,
        )
        with torch.no_grad():
            plain, other = (network(image.expand(300, -1, -1, -1)) for image in (x, permuted))
        # Bonferroni's correction: the outputs are not independent.
        return float(len(plain[0]) * ks_2samp(plain, other).pvalue.min())

    assert difference(every) > 0.01
    # The control: with shuffles in the last unit alone, the same test tells the images apart.
    assert difference(1) < 1e-3


@pytest.mark.parametrize("architecture", ["vgg16", "resnet50", "torchvision/resnet18"])
def test_shuffled_in_testing_as_in_training(architecture):
    width = 1 if "/" in architecture else 0.125
    network = build(architecture, operation="spatial_shuffle", last_k=3, image_size=64, width=width)
    x = images(size=64)
    assert not network.training
    assert not torch.equal(network(x), network(x))


def test_shuffles_of_one_network_are_its_own():
    network = build(operation="spatial_shuffle", last_k=7)
    shuffles = [module for module in network.modules() if isinstance(module, SpatialShuffle)]
    assert len(shuffles) == len({id(module) for module in shuffles}) == 7


def test_shortcuts_are_shuffled_independently_or_left_alone():
    def shuffles(**options: bool) -> list[str]:
        network = build("resnet50", operation="spatial_shuffle", last_k=3, **options)
        return [
            name for name, module in network.named_modules() if isinstance(module, SpatialShuffle)
        ]

    branch = [f"units.conv5_{block}.branch.before" for block in (1, 2, 3)]
    shortcut = [f"units.conv5_{block}.shortcut.before" for block in (1, 2, 3)]
    assert shuffles(shuffle_shortcut=False) == branch
    assert (
        sorted(shuffles()) == sorted(shuffles(shuffle_shortcut=True)) == sorted(branch + shortcut)
    )


@pytest.mark.parametrize("size", [64, 128])
def test_downsampling_follows_the_authors(size):
    def pools_and_strides(**options: str) -> tuple[bool, tuple[int, ...]]:
        network = build(operation="spatial_shuffle", last_k=4, image_size=size, **options)
        unit = network.units.conv53
        return hasattr(unit, "pool"), unit.conv.stride

    strided, pooled = (False, (2, 2)), (True, (1, 1))
    assert pools_and_strides() == (strided if size < 128 else pooled)
    assert pools_and_strides(downsampling="strided") == strided
    assert pools_and_strides(downsampling="pooled") == pooled
    plain = build(image_size=size).units.conv53
    assert plain.pool.kernel_size == 2


def test_truncated_ends_before_the_first_modified_unit():
    network = build(operation="truncated", last_k=7)
    assert list(dict(network.units.named_children())) == list(unit_names("vgg16")[:6])
    assert network.head[0].in_features == 256 // 8


def test_one_seed_builds_one_network():
    first, second = build(seed=3), build(seed=3)
    for ours, theirs in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
