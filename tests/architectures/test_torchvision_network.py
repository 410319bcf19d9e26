"""Networks of torchvision go through the same surgery, by name."""

import copy

import pytest
import torch
from torch import nn

from spatialdep.architectures import build_network, unit_names
from spatialdep.errors import UserError
from spatialdep.spatial_ops.modules import SpatialShuffle


def modified(network: nn.Module) -> list[str]:
    return [
        name.removesuffix(".before")
        for name, module in network.named_modules()
        if isinstance(module, SpatialShuffle)
    ]


# The number of convolutions larger than 1×1, counted in the papers' tables.
@pytest.mark.parametrize(
    ("name", "units"),
    [("resnet18", 17), ("mobilenet_v2", 18), ("densenet121", 59), ("convnext_tiny", 22)],
)
def test_shuffled_in_the_last_units(name, units):
    architecture = f"torchvision/{name}"
    names = unit_names(architecture)
    assert len(names) == units
    network = build_network(
        architecture, classes=7, image_size=64, operation="spatial_shuffle", last_k=3
    )
    assert sorted(modified(network)) == sorted(names[-3:])
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_auxiliary_heads_are_left_out():
    network = build_network("torchvision/googlenet", classes=7, image_size=64)
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_single_units_and_every_operation_that_rearranges():
    for operation in ("joint_shuffle", "channel_shuffle", "fixed_shuffle", "conv1x1"):
        network = build_network(
            "torchvision/resnet18",
            classes=7,
            image_size=64,
            operation=operation,
            units=["layer2.0.conv1", "layer4.1.conv2"],
        )
        assert network(torch.randn(2, 3, 64, 64)).shape == (2, 7)
        convolution = network.layer4[1].conv2
        assert convolution.kernel_size == ((1, 1) if operation == "conv1x1" else (3, 3))
        assert network.layer4[0].conv2.kernel_size == (3, 3)
        assert hasattr(convolution, "before") == (operation != "conv1x1")


def test_the_surgery_keeps_the_plain_networks_weights():
    torch.manual_seed(0)
    plain = build_network("torchvision/resnet18", classes=7, image_size=64)
    torch.manual_seed(0)
    shuffled = build_network(
        "torchvision/resnet18", classes=7, image_size=64, operation="spatial_shuffle", last_k=17
    )
    ours, theirs = shuffled.state_dict(), plain.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_copy_has_its_own_permutations():
    network = build_network(
        "torchvision/resnet18", classes=7, image_size=64, operation="fixed_shuffle", last_k=2
    ).eval()
    twin = copy.deepcopy(network)
    x = torch.randn(2, 3, 64, 64)
    expected = network(x)
    network.layer4[1].conv2.before.fixed_permutation.copy_(torch.arange(4).expand(512, 4))
    torch.testing.assert_close(twin(x), expected)
    assert not torch.allclose(network(x), expected)


def test_asking_for_names_draws_nothing():
    state = torch.get_rng_state()
    unit_names("torchvision/resnet18")
    assert torch.equal(torch.get_rng_state(), state)


REFUSED = [
    ("resnet19", {}, "no classification network 'resnet19': choose .*resnet18"),
    ("resnet18", {"last_k": 18}, "last_k=18 is beyond the 17 units of torchvision/resnet18"),
    ("resnet18", {"units": ["layer9"]}, "torchvision/resnet18 has no unit layer9"),
    ("resnet18", {"operation": "gap_fc", "last_k": 2}, "gap_fc needs a network whose units follow"),
    ("resnet18", {"operation": "patch_shuffle", "last_k": 1, "patch": 3}, "patch=3 does not fit"),
    ("mobilenet_v2", {"operation": "conv1x1", "last_k": 1}, "depthwise convolution"),
    (
        "inception_v3",
        {"image_size": 128, "operation": "conv1x1", "units": ["Conv2d_2a_3x3.conv"]},
        "would not fit",
    ),
    ("vit_b_16", {"image_size": 64, "last_k": 1}, "does not accept images of 64 pixels"),
    ("alexnet", {"image_size": 32}, "does not accept images of 32 pixels"),
]


@pytest.mark.parametrize(("name", "setting", "sentence"), REFUSED)
def test_refused_with_a_sentence(name, setting, sentence):
    setting = {"operation": "spatial_shuffle", "image_size": 64, **setting}
    with pytest.raises(UserError, match=sentence) as refusal:
        build_network(f"torchvision/{name}", classes=7, **setting)
    assert "\n" not in str(refusal.value)
