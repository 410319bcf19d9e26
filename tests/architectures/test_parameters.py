"""The counts of the protocol, at full width and 100 classes, and what may be loaded into what."""

import pytest
import torch
from networks import build, needed_options, without_data

from spatialdep.plugins import declarations
from spatialdep.spatial_ops.state import load_weights


def parameters(architecture: str, operation: str = "none", last_k: int = 0, size: int = 32) -> int:
    network = without_data(
        architecture,
        operation=operation,
        last_k=last_k,
        image_size=size,
        **needed_options(operation),
    )
    return sum(parameter.numel() for parameter in network.parameters())


KEEPING = [
    name
    for name, declared in declarations("spatial_ops.operations").items()
    if declared["keeps_parameters"] and name != "none"
]


@pytest.mark.parametrize("operation", KEEPING)
def test_every_shuffle_has_the_parameters_of_the_baseline(operation):
    assert (
        parameters("vgg16", operation, 7 if operation == "patch_shuffle" else 13, 64) == 34_011_172
    )
    assert parameters("resnet50", operation, 17) == 23_705_252


@pytest.mark.parametrize("operation", ["gap_fc", "conv1x1"])
@pytest.mark.parametrize(
    ("architecture", "last_k", "count"),
    [("vgg16", 4, 25_622_564), ("vgg16", 7, 21_952_548), ("resnet50", 3, 17_413_796)],
)
@pytest.mark.parametrize("size", [32, 224])
def test_replaced_convolutions(operation, architecture, last_k, count, size):
    # Only the ImageNet stem has more parameters: 7·7 instead of 3·3 positions, 3 × 64 channels.
    stem = 3 * 64 * (49 - 9) if architecture == "resnet50" and size == 224 else 0
    assert parameters(architecture, operation, last_k, size) == count + stem


def test_baselines():
    assert parameters("vgg16") == parameters("vgg16", size=224) == 34_011_172
    assert parameters("resnet50") == 23_705_252


@pytest.mark.parametrize("architecture", ["resnet50", "resnet152"])
def test_at_224_pixels_resnets_are_torchvisions(architecture):
    torchvision = without_data(f"torchvision/{architecture}", image_size=224)
    expected = sum(parameter.numel() for parameter in torchvision.parameters())
    assert parameters(architecture, size=224) == expected


@pytest.mark.parametrize("architecture", ["vgg16", "resnet50", "torchvision/resnet18"])
@pytest.mark.parametrize("operation", KEEPING)
def test_weights_go_from_a_shuffled_network_to_the_plain_one_and_back(architecture, operation):
    size = {"image_size": 64, "width": 1 if "/" in architecture else 0.125}
    plain = build(architecture, **size)
    shuffled = build(
        architecture, operation=operation, last_k=3, seed=1, **size, **needed_options(operation)
    )
    load_weights(shuffled, plain.state_dict())
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(shuffled.parameters(), plain.parameters(), strict=True)
    )
    load_weights(plain, shuffled.state_dict())


@pytest.mark.parametrize("operation", ["gap_fc", "conv1x1", "truncated"])
def test_weights_of_another_network_are_refused(operation):
    plain = build()
    with pytest.raises((ValueError, RuntimeError)):
        load_weights(build(operation=operation, last_k=3), plain.state_dict())


def test_narrow_networks_scale_channels():
    plain, narrow = without_data("vgg16"), without_data("vgg16", width=0.25)
    for ours, full in zip(narrow.parameters(), plain.parameters(), strict=True):
        assert ours.shape[0] in {full.shape[0] // 4, full.shape[0]}
    assert narrow.units.conv53.conv.out_channels == 128
    assert narrow.head[0].out_features == 1024
    assert without_data("resnet50", width=0.25).head.in_features == 512
