"""The network of a run, at the start of its training."""

import torch
from torch import nn

from spatialdep.architectures import build_network
from spatialdep.architectures.initialisation import initialise
from spatialdep.plugins import declarations
from spatialdep.specification.run import RunSpecification
from spatialdep.specification.settings import ARCHITECTURES, plugin_of
from spatialdep.training.random_streams import stream_seed


def initial_network(run: RunSpecification, classes: int) -> nn.Module:
    """Build the network of ``run`` on the CPU with the initial weights of its seed.

    Each layer of the study's networks draws its weights from a stream of its own. So it starts from
    the same weights in every network that has a layer of its name and shape, whatever is done to
    the others: operations are compared from the same start. Networks of torchvision keep the
    weights that their constructors give them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(run.seed, "init"))
        network = build_network(
            run.architecture,
            classes=classes,
            image_size=run.image_size,
            operation=run.operation,
            last_k=run.last_k,
            units=run.units or None,
            width=run.width,
            **dict(run.options),
        )
        declared = declarations(ARCHITECTURES)[plugin_of(run.architecture)]
        if run.architecture in declared["architectures"]:
            _draw_layer_by_layer(network, run.seed)
    return network


def _draw_layer_by_layer(network: nn.Module, seed: int) -> None:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            torch.manual_seed(stream_seed(seed, "init", name))
            module.reset_parameters()
            initialise(module)
