"""Builds the network that is evaluated and gives it a run's weights."""

from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from spatialdep import plugins
from spatialdep.architectures import build_network
from spatialdep.errors import UserError
from spatialdep.plugins import declarations
from spatialdep.spatial_ops.state import load_weights
from spatialdep.specification.run import RunSpecification
from spatialdep.specification.settings import (
    ARCHITECTURES,
    OPERATIONS,
    Setting,
    check_setting,
    plugin_of,
)


def evaluated_network(
    run: RunSpecification, evaluated: RunSpecification, classes: int, weights: Path
) -> nn.Module:
    """Build the network that ``evaluated`` describes, with the weights of ``run``, in test mode.

    A cross-evaluation changes the operation and nothing else: where the run was trained with
    strides in place of poolings it keeps them, and its poolings likewise.

    Parameters
    ----------
    run
        What was trained.
    evaluated
        ``run`` itself, or ``run`` with another operation or other units.
    classes
        Number of outputs.
    weights
        A safetensors file of ``run``.

    Raises
    ------
    UserError
        If the weights are damaged, or are not those of such a network.
    """
    if evaluated == run:
        network = _trained_network(run, classes)
    else:
        network = _cross_network(run, evaluated, classes)
    try:
        load_weights(network, load_file(weights))
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{weights} does not fit {evaluated.operation_id} in {evaluated.units_id} of "
            f"{run.network_id} ({error}): train the run again."
        ) from error
    return network.eval()


def is_random(specification: RunSpecification) -> bool:
    """Whether the network draws anew in every forward pass, testing included."""
    return bool(declarations(OPERATIONS)[specification.operation]["random"])


def draws_per_image(specification: RunSpecification) -> bool:
    """Whether the network draws for each image instead of once a batch."""
    return bool(dict(specification.options).get("per_image", False))


def _trained_network(run: RunSpecification, classes: int) -> nn.Module:
    return build_network(
        run.architecture,
        classes=classes,
        image_size=run.image_size,
        operation=run.operation,
        last_k=run.last_k,
        units=run.units or None,
        width=run.width,
        **dict(run.options),
    )


def _cross_network(run: RunSpecification, evaluated: RunSpecification, classes: int) -> nn.Module:
    for operation in (run.operation, evaluated.operation):
        if not declarations(OPERATIONS)[operation]["keeps_parameters"]:
            raise UserError(
                f"a network trained with {run.operation} cannot be evaluated under "
                f"{evaluated.operation}, since {operation} has other weights than the plain "
                "network: take it out of evaluate_under, or evaluate under a shuffle or none."
            )
    body, other = _setting(run), _setting(evaluated)
    if run.is_baseline:
        # The plain network pools, so the weights are looked at in a body that pools.
        options = dict(other.architecture_options)
        if "downsampling" in options:
            options["downsampling"] = "pooled"
        body = replace(other, architecture_options=options)
    elif not evaluated.is_baseline and body.units != other.units:
        raise UserError(
            f"{run.id} cannot be evaluated with {evaluated.units_id} modified, since it was "
            f"trained with {run.units_id}: choose the same units."
        )
    operation_plugin = plugins.load(OPERATIONS, evaluated.operation)
    build = plugins.load(ARCHITECTURES, plugin_of(run.architecture)).build
    network: nn.Module = build(
        body,
        operation_plugin.operation(**other.operation_options),
        classes=classes,
        width=run.width,
    )
    return network


def _setting(specification: RunSpecification) -> Setting:
    return check_setting(
        specification.architecture,
        specification.operation,
        image_size=specification.image_size,
        last_k=specification.last_k,
        units=specification.units or None,
        options=dict(specification.options),
        width=specification.width,
    )
