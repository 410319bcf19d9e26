"""Initial weights of the study's networks."""

from torch import nn


def initialise(network: nn.Module) -> None:
    """Draw the weights before each BatchNorm from Kaiming's normal distribution, fan-out.

    These are all convolutions, and the linear layers without bias that ``gap_fc`` makes of them.
    Heads have no BatchNorm to set their scale right and keep torch's own initialisation: with
    Kaiming's, VGG-16's three layers start at logits so large that training at a learning rate of
    0.1 does not recover; with torchvision's normal(0, 0.01), narrow networks pass on next to
    nothing and stand still for the first epochs.

    Source: He et al. 2015, arXiv 1502.01852; the authors' public code for the fan-out.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) or (isinstance(module, nn.Linear) and module.bias is None):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
