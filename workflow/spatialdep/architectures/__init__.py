"""The networks of the study, plain or with modified units."""

from collections.abc import Sequence

from torch import nn

from spatialdep import plugins
from spatialdep.errors import UserError
from spatialdep.specification import settings
from spatialdep.specification.run import Option

__all__ = ["build_network", "unit_names"]


def build_network(
    architecture: str,
    *,
    classes: int,
    image_size: int,
    operation: str = "none",
    last_k: int = 0,
    units: Sequence[str] | None = None,
    width: float = 1.0,
    **options: Option,
) -> nn.Module:
    """Build a network in which the last k units, or the given ones, are modified by an operation.

    Parameters
    ----------
    architecture
        ``"vgg16"``, ``"resnet50"``, ``"resnet152"``, or ``"torchvision/<name>"`` for any
        classification network of torchvision.
    classes
        Number of outputs.
    image_size
        Height and width of the images in pixels. Below 128 the networks have CIFAR's stem, from
        there on ImageNet's.
    operation
        What is done to the modified units: a file of ``spatial_ops/operations``.
    last_k
        How many of the last units are modified; with 0 the plain network is built.
    units
        Instead of ``last_k``: the modified units by name, see :func:`unit_names`.
    width
        Factor on the number of channels.
    **options
        Switches of the operation (``per_image``, ``patch``) and, where the operation heeds them, of
        the architecture (``downsampling``, ``shuffle_shortcut``).

    Returns
    -------
    nn.Module
        From images ``(N, 3, image_size, image_size)`` to logits ``(N, classes)``. Modified units
        are modified in training and in testing. Initial weights, and the permutations of
        ``fixed_shuffle``, are drawn from the default generator.

    Raises
    ------
    UserError
        If the setting makes no sense; the sentence says why.
    """
    setting = settings.check_setting(
        architecture,
        operation,
        image_size=image_size,
        last_k=last_k,
        units=units,
        options=options,
        width=width,
    )
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise UserError(f"classes is {classes!r}: it must be a whole number from 1 on.")
    modify = plugins.load(settings.OPERATIONS, setting.operation)
    build = plugins.load(settings.ARCHITECTURES, settings.plugin_of(architecture)).build
    network: nn.Module = build(
        setting, modify.operation(**setting.operation_options), classes=classes, width=width
    )
    return network


def unit_names(architecture: str) -> tuple[str, ...]:
    """Return the names of the units of ``architecture``, in the order in which they are applied.

    Raises
    ------
    UserError
        If there is no such architecture.
    """
    plugin = plugins.load(settings.ARCHITECTURES, settings.plugin_of(architecture))
    names: tuple[str, ...] = plugin.unit_names(architecture)
    return names
