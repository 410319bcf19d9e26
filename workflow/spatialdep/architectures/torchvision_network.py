"""Any classification network of torchvision, modified at its convolutions.

This goes beyond the paper. The units are all convolutions with a kernel larger than 1×1, depthwise
ones and stems included, under torchvision's module names and in the order of their application.
Poolings and shortcuts stay as they are.
"""

from difflib import get_close_matches

import torch
import torchvision
from torch import nn

from spatialdep.architectures.initialisation import initialise
from spatialdep.errors import UserError
from spatialdep.spatial_ops.operation import Operation
from spatialdep.spatial_ops.surgery import (
    ConvolutionSite,
    find_convolutions,
    modify_convolutions,
)
from spatialdep.specification.settings import Setting, check_divides, pick_units

DECLARATION = {
    "architectures": {},
    "prefix": "torchvision/",
    "options": {},
}

# A size that every network of torchvision accepts, to find the order of its convolutions.
USUAL_IMAGE_SIZE = 224

# The outputs of auxiliary heads have no place in the study's training.
_ARGUMENTS = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


def build(setting: Setting, operation: Operation, *, classes: int, width: float = 1.0) -> nn.Module:
    """Build a network of torchvision, untrained, and modify it.

    Parameters
    ----------
    setting
        From :func:`spatialdep.specification.settings.check_setting`.
    operation
        How the units of ``setting`` are modified.
    classes
        Number of outputs.
    width
        1; ``check_setting`` accepts nothing else.

    Returns
    -------
    nn.Module
        From images ``(N, 3, S, S)`` to logits ``(N, classes)``.

    Raises
    ------
    UserError
        If there is no such network or unit, if the network does not accept images of this size, or
        if the operation has no meaning at one of the units.
    """
    network = _network(setting.architecture, classes)
    sites = _sites(setting.architecture, network, setting.image_size)
    chosen = pick_units(setting.architecture, list(sites), setting.last_k, setting.units)
    for unit in chosen:
        check_divides(setting, unit, *sites[unit].input_shape[1:])
    try:
        modified = modify_convolutions(network, [sites[unit] for unit in chosen], operation)
    except ValueError as error:
        raise UserError(
            f"{setting.operation} cannot modify {setting.architecture}: {error}; "
            "choose other units."
        ) from error
    for replacement in modified:
        initialise(replacement)
    return network


def unit_names(architecture: str) -> tuple[str, ...]:
    """Return the names of the convolutions that can be modified, in the order of application."""
    # Asking for names must not move the generator from which a network is drawn later.
    with torch.random.fork_rng(devices=[]):
        network = _network(architecture, 1)
    return tuple(_sites(architecture, network, USUAL_IMAGE_SIZE))


def _network(architecture: str, classes: int) -> nn.Module:
    name = architecture.removeprefix("torchvision/")
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        close = get_close_matches(name, known) or ["resnet18", "mobilenet_v2", "densenet121"]
        raise UserError(
            f"torchvision has no classification network {name!r}: choose {', '.join(close)} or "
            "another of torchvision.models."
        )
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=classes, **_ARGUMENTS.get(name, {})
    )
    return network


def _sites(architecture: str, network: nn.Module, image_size: int) -> dict[str, ConvolutionSite]:
    try:
        return find_convolutions(network, (1, 3, image_size, image_size))
    # What torchvision's networks and torch's layers raise for maps that are too small or uneven.
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{architecture} does not accept images of {image_size} pixels ({reason}): "
            f"choose another size, such as {USUAL_IMAGE_SIZE}."
        ) from error
