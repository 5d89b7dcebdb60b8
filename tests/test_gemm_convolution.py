"""The matrix-product convolution against the library's."""

from __future__ import annotations

import pytest
import torch

from recodec.networks.convolution import SameConv2d
from recodec.train.gemm_convolution import use_gemm_convolutions


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (2, 1), (2, 2), (5, 3)])
def test_matrix_product_convolution_is_the_convolution(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    reference = torch.nn.Sequential(SameConv2d(3, 5, kernel, stride)).double()
    fast = torch.nn.Sequential(SameConv2d(3, 5, kernel, stride)).double()
    fast.load_state_dict(reference.state_dict())
    use_gemm_convolutions(fast)
    results = []
    for network in (reference, fast):
        x = torch.randn(2, 3, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        x.requires_grad_()
        y = network(x)
        (y * torch.arange(y.numel(), dtype=torch.float64).view_as(y).sin()).sum().backward()
        results.append((y, x.grad, network[0].weight.grad, network[0].bias.grad))
    for expected, value in zip(*results, strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-11)
