"""A unit of convolution, BatchNorm, pooling and ReLU."""

import pytest
import torch
from torch import Tensor, nn

from spatialdep.architectures.conv_unit import conv_unit
from spatialdep.spatial_ops.operation import Operation


def gradients(unit: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the output, and the gradients of the input and of each parameter."""
    images = images.clone().requires_grad_()
    output = unit(images)
    output.square().sum().backward()
    return [output, images.grad, *(parameter.grad for parameter in unit.parameters())]


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, stride=2, padding=1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_before_the_activation_changes_no_bit(pool, dtype):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, 16, 16, generator=generator).to(dtype)
    convolution = nn.Conv2d(3, 16, 3, padding=1, bias=False)
    unit = conv_unit(Operation(), convolution, 16, pool).to(dtype)
    usual = nn.Sequential(convolution, nn.BatchNorm2d(16), nn.ReLU(), pool).to(dtype)
    found = gradients(unit, images)
    usual.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(found, gradients(usual, images), strict=True))
