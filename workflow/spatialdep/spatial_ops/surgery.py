"""Modifies single convolutions inside a network that somebody else built."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from spatialdep.spatial_ops.operation import Operation


@dataclass(frozen=True)
class ConvolutionSite:
    """A convolution inside a network and the maps it sees, ``(C, H, W)`` each."""

    name: str
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]


def find_convolutions(
    network: nn.Module, shape: tuple[int, int, int, int]
) -> dict[str, ConvolutionSite]:
    """Find the convolutions that look beyond one position, in the order in which they are applied.

    Parameters
    ----------
    network
        It is run once, in testing mode and without data, which costs next to nothing.
    shape
        Of the images, ``(N, C, H, W)``.

    Returns
    -------
    dict
        Each convolution with a kernel larger than 1×1, by its module name.
    """
    sites: dict[str, ConvolutionSite] = {}

    def watch(name: str, convolution: nn.Module) -> Any:
        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            sites[name] = ConvolutionSite(name, _chw(inputs[0]), _chw(output))

        return convolution.register_forward_hook(note)

    hooks = [
        watch(name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1
    ]
    training = network.training
    try:
        tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        state = {name: tensor.to("meta") for name, tensor in tensors.items()}
        with torch.no_grad():
            functional_call(network.eval(), state, torch.empty(shape, device="meta"))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return sites


def modify_convolutions(
    network: nn.Module, sites: Iterable[ConvolutionSite], operation: Operation
) -> list[nn.Module]:
    """Modify the convolutions at ``sites`` in place, and return those modules that are new.

    What rearranges a convolution's input becomes its child ``before``, called by a hook: the names
    of the network's parameters stay, and copies of the network have copies of it.

    Raises
    ------
    ValueError
        If the operation has no meaning at a site.
    """
    new: list[nn.Module] = []
    for site in sites:
        convolution = network.get_submodule(site.name)
        if not isinstance(convolution, nn.Conv2d):
            raise ValueError(f"{site.name} is a {type(convolution).__name__}, not a convolution")
        layer = operation.layer(convolution)
        if layer is not convolution:
            _check_replacement(site, convolution, layer)
            network.set_submodule(site.name, layer)
            new.append(layer)
        before = operation.before(*site.input_shape)
        if before is not None:
            layer.add_module("before", before)
            layer.register_forward_pre_hook(_apply_before)
    return new


def _check_replacement(
    site: ConvolutionSite, convolution: nn.Conv2d, replacement: nn.Module
) -> None:
    if convolution.groups == convolution.in_channels > 1:
        raise ValueError(
            f"{site.name} is a depthwise convolution: without its neighbours each channel would "
            "only be scaled, which the normalisation after it undoes"
        )
    maps = torch.empty(1, *site.input_shape, device="meta")
    output = deepcopy(replacement).to("meta")(maps)
    if _chw(output) != site.output_shape:
        raise ValueError(
            f"{site.name} turns maps of {site.input_shape} into {site.output_shape}, its "
            f"replacement into {_chw(output)}, so the layers after it would not fit"
        )


def _apply_before(convolution: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    rearranged: Tensor = convolution.get_submodule("before")(inputs[0])
    return rearranged


def _chw(maps: Tensor) -> tuple[int, int, int]:
    _, channels, height, width = maps.shape
    return channels, height, width
