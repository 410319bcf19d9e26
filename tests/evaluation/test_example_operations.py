"""Pictures of operations show what the operations do."""

import pytest
import torch

from spatialdep.errors import UserError
from spatialdep.evaluation.example_operations import apply_operation, position_map


def values(x):
    return x.flatten().sort().values


def test_every_position_of_the_map_has_its_own_colour():
    colours = position_map(8)[0].flatten(1).T
    assert len({tuple(colour.tolist()) for colour in colours}) == 64
    assert colours.min() >= 0
    assert colours.max() <= 1


def test_none_changes_nothing():
    x = position_map(8)
    assert torch.equal(apply_operation("none", {}, x), x)


@pytest.mark.parametrize("name", ["spatial_shuffle", "fixed_shuffle", "row_shuffle"])
def test_shuffles_keep_each_channels_values_and_repeat(name):
    x = position_map(8)
    y = apply_operation(name, {}, x)
    assert not torch.equal(y, x)
    assert all(torch.equal(values(y[0, c]), values(x[0, c])) for c in range(3))
    assert torch.equal(y, apply_operation(name, {}, x))


def test_options_count():
    x = position_map(8)
    y = apply_operation("patch_shuffle", {"patch": 4}, x)
    corner, other = y[0, 0, :4, :4], x[0, 0, :4, :4]
    assert torch.equal(values(corner), values(other))


def test_average_pooling_is_shown_at_every_position():
    x = position_map(8)
    y = apply_operation("gap_fc", {}, x)
    assert y.shape == x.shape
    assert torch.allclose(y, x.mean((2, 3), keepdim=True).expand_as(x))


def test_operations_that_change_layers_cannot_be_shown():
    with pytest.raises(UserError, match="nothing to show"):
        apply_operation("conv1x1", {}, position_map(8))
