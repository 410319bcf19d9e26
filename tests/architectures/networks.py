"""What the tests of the networks have in common."""

import torch
from torch import nn

from spatialdep.architectures import build_network
from spatialdep.plugins import declarations

STUDIED = ("vgg16", "resnet50", "resnet152")
OPERATIONS = [name for name in declarations("spatial_ops.operations") if name != "none"]


def needed_options(operation: str) -> dict[str, int]:
    return {"patch": 2} if operation == "patch_shuffle" else {}


def build(architecture: str = "vgg16", *, seed: int = 0, **setting: object) -> nn.Module:
    """Build a small network in testing mode that passes on what it sees, as a trained one does."""
    torch.manual_seed(seed)
    setting = {"classes": 10, "image_size": 32, "width": 0.125, **setting}
    network = build_network(architecture, **setting)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = 1.0
    # One batch sets the running statistics; with the initial ones signals fade from layer to layer.
    network.train()(torch.randn(8, 3, setting["image_size"], setting["image_size"]))
    return network.eval()


def without_data(architecture: str, **setting: object) -> nn.Module:
    """Build a network that has shapes only."""
    with torch.device("meta"):
        return build_network(architecture, **{"classes": 100, "image_size": 32, **setting})
