"""Evaluating under another operation changes the operation and nothing else."""

import pytest
import torch
from narrow import specification
from safetensors.torch import save_file
from torch import nn

from spatialdep.architectures import build_network
from spatialdep.errors import UserError
from spatialdep.evaluation.networks import evaluated_network, is_random
from spatialdep.spatial_ops.shuffle import Shuffle


def trained(run, path):
    """Write the weights of a network of ``run`` whose BatchNorms have seen something."""
    network = build_network(
        run.architecture, classes=10, image_size=32, operation=run.operation, last_k=run.last_k,
        units=run.units or None, width=run.width, **dict(run.options),
    )  # fmt: skip
    with torch.no_grad():
        network.train()(torch.randn(8, 3, 32, 32))
    save_file(network.state_dict(), path)
    return network.eval()


def without_shuffles(network):
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, Shuffle):
                setattr(module, name, nn.Identity())
    return network


def answers(network):
    with torch.inference_mode():
        return network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("vgg16", ()), ("vgg16", (("downsampling", "pooled"),)), ("resnet50", ())],
)
def test_shuffled_network_without_its_shuffles(architecture, options, tmp_path):
    run = specification("spatial_shuffle", architecture=architecture, last_k=4, options=options)
    network = trained(run, tmp_path / "w")
    plain = specification(architecture=architecture)
    seen = evaluated_network(run, plain, 10, tmp_path / "w")
    assert not any(isinstance(module, Shuffle) for module in seen.modules())
    assert torch.equal(answers(seen), answers(without_shuffles(network)))


def test_baseline_under_a_shuffle_keeps_its_poolings(tmp_path):
    run = specification()
    network = trained(run, tmp_path / "w")
    other = specification("spatial_shuffle", last_k=4)
    seen = evaluated_network(run, other, 10, tmp_path / "w")
    assert sum(isinstance(module, Shuffle) for module in seen.modules()) == 4
    assert sum(isinstance(module, nn.MaxPool2d) for module in seen.modules()) == 5
    assert torch.equal(answers(without_shuffles(seen)), answers(network))


def test_one_shuffle_for_another(tmp_path):
    run = specification("spatial_shuffle", units=("conv41", "conv42"))
    trained(run, tmp_path / "w")
    other = specification("patch_shuffle", units=("conv41", "conv42"), options=(("patch", 2),))
    seen = evaluated_network(run, other, 10, tmp_path / "w")
    shuffles = [type(module).__name__ for module in seen.modules() if isinstance(module, Shuffle)]
    assert shuffles == ["PatchShuffle"] * 2


@pytest.mark.parametrize(
    ("run", "evaluated"),
    [
        (specification("gap_fc", last_k=4), specification()),
        (specification(), specification("gap_fc", last_k=4)),
        (specification("conv1x1", last_k=4), specification()),
    ],
)
def test_operations_with_other_weights_are_refused(run, evaluated, tmp_path):
    trained(run, tmp_path / "w")
    with pytest.raises(UserError, match="has other weights than the plain network"):
        evaluated_network(run, evaluated, 10, tmp_path / "w")


def test_other_units_are_refused(tmp_path):
    run = specification("spatial_shuffle", last_k=4)
    trained(run, tmp_path / "w")
    with pytest.raises(UserError, match="choose the same units"):
        evaluated_network(run, specification("joint_shuffle", last_k=7), 10, tmp_path / "w")


@pytest.mark.parametrize("content", [b"", b"not weights at all", None])
def test_damaged_weights_are_refused_in_a_sentence(content, tmp_path):
    path = tmp_path / "w"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="train the run again"):
        evaluated_network(specification(), specification(), 10, path)


def test_weights_of_another_network_are_refused(tmp_path):
    trained(specification(width=1 / 8), tmp_path / "w")
    with pytest.raises(UserError, match="does not fit"):
        evaluated_network(specification(), specification(), 10, tmp_path / "w")


@pytest.mark.parametrize(
    ("operation", "random"), [("none", False), ("spatial_shuffle", True), ("fixed_shuffle", False)]
)
def test_what_is_random_is_declared(operation, random):
    assert is_random(specification(operation, last_k=0 if operation == "none" else 4)) == random
