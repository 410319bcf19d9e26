"""Every architecture × size × operation × k builds, and ends in logits."""

from itertools import product

import pytest
import torch
from networks import OPERATIONS, STUDIED, without_data
from torch import nn

from spatialdep.architectures import build_network, unit_names
from spatialdep.spatial_ops.surgery import find_convolutions
from spatialdep.specification.settings import unit_input_size

SIZES = [32, 64, 224]


def options(architecture: str, operation: str, size: int, last_k: int) -> dict[str, int]:
    """Make patches as large as all modified units allow."""
    if operation != "patch_shuffle":
        return {}
    units = unit_names(architecture)[-last_k:]
    return {"patch": min(unit_input_size(architecture, unit, size) for unit in units)}


# Real, tiny networks, at a few k; the next test has all of them.
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("architecture", ["vgg16", "resnet50"])
def test_logits(architecture, operation):
    every = len(unit_names(architecture))
    for last_k in (1, every // 2, every):
        network = build_network(
            architecture,
            classes=7,
            image_size=32,
            operation=operation,
            last_k=last_k,
            width=1 / 64,
            **options(architecture, operation, 32, last_k),
        )
        assert network(torch.randn(2, 3, 32, 32)).shape == (2, 7)


def same_channels(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    """What BatchNorm does to shapes: nothing."""
    assert x.shape[1] == norm.num_features
    return x


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("architecture", STUDIED)
def test_logits_at_every_k_and_size(architecture, size, operation, monkeypatch):
    # Without data these two would take most of the time, and say nothing about shapes.
    monkeypatch.setattr(torch.Tensor, "normal_", lambda tensor, *args, **options: tensor)
    monkeypatch.setattr(nn.BatchNorm2d, "forward", same_channels)
    monkeypatch.setattr(nn.BatchNorm1d, "forward", same_channels)
    images = torch.empty(2, 3, size, size, device="meta")
    for last_k in range(1, len(unit_names(architecture)) + 1):
        network = without_data(
            architecture,
            image_size=size,
            operation=operation,
            last_k=last_k,
            **options(architecture, operation, size, last_k),
        )
        assert network(images).shape == (2, 100)


def unit_shapes(network: nn.Sequential, size: int) -> dict[str, tuple[torch.Size, torch.Size]]:
    shapes = {}
    maps = torch.empty(2, 3, size, size, device="meta")
    for name, unit in network.units.named_children():
        output = unit(maps)
        shapes[name] = (maps.shape, output.shape)
        maps = output
    return shapes


# The deep one at one size only, since the others show the sizes.
WITH_SIZES = [*product(("vgg16", "resnet50"), SIZES), ("resnet152", SIZES[0])]


@pytest.mark.parametrize(("architecture", "size"), WITH_SIZES)
def test_a_modified_unit_fits_where_the_plain_one_was(architecture, size):
    # If each unit keeps its shapes when all are modified, any choice of units fits together.
    plain = unit_shapes(without_data(architecture, image_size=size), size)
    every = len(unit_names(architecture))
    for operation in set(OPERATIONS) - {"gap_fc", "truncated"}:
        network = without_data(
            architecture,
            image_size=size,
            operation=operation,
            last_k=every,
            **options(architecture, operation, size, every),
        )
        assert unit_shapes(network, size) == plain


@pytest.mark.parametrize(("architecture", "size"), WITH_SIZES)
def test_gap_fc_has_one_position_from_its_first_unit_on(architecture, size):
    plain = unit_shapes(without_data(architecture, image_size=size), size)
    every = len(plain)
    network = without_data(architecture, image_size=size, operation="gap_fc", last_k=every)
    shapes = unit_shapes(network, size)
    assert shapes.pop("entry")[1] == (2, 3, 1, 1)
    assert shapes == {
        unit: tuple(torch.Size((*shape[:2], 1, 1)) for shape in both)
        for unit, both in plain.items()
    }


@pytest.mark.parametrize("size", [32, 64, 96, 128, 224, 256])
@pytest.mark.parametrize("architecture", STUDIED)
def test_declared_input_sizes_are_the_real_ones(architecture, size):
    sites = find_convolutions(without_data(architecture, image_size=size), (1, 3, size, size))
    declared = {
        unit: unit_input_size(architecture, unit, size) for unit in unit_names(architecture)
    }
    seen = {site.name.split(".")[1]: site.input_shape[1:] for site in sites.values()}
    assert seen == {unit: (side, side) for unit, side in declared.items()}


def test_protocols_sizes_of_vgg16():
    sizes = [
        unit_input_size("vgg16", unit, 32) for unit in ("conv33", "conv41", "conv43", "conv51")
    ]
    assert sizes == [8, 4, 4, 2]


@pytest.mark.parametrize("operation", ["spatial_shuffle", "conv1x1"])
@pytest.mark.parametrize("architecture", ["vgg16", "resnet50"])
def test_single_units(architecture, operation):
    plain = build_network(architecture, classes=7, image_size=32, width=1 / 64)
    for unit in unit_names(architecture):
        network = build_network(
            architecture, classes=7, image_size=32, operation=operation, units=[unit], width=1 / 64
        )
        assert network(torch.randn(2, 3, 32, 32)).shape == (2, 7)
        changed = {
            name
            for name, ours in network.units.named_children()
            if str(ours) != str(plain.units.get_submodule(name))
        }
        assert changed == {unit}
