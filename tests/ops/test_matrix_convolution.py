"""The matrix-product convolution against the library's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from recodec.networks.convolution import SameConv2d
from recodec.ops.convolution import use_matrix_products


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (2, 1), (2, 2), (5, 3)])
def test_matrix_product_convolution_is_the_convolution(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = SameConv2d(3, 5, kernel, stride).double()
    results = []
    for products in (False, True):
        x = torch.randn(2, 3, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        x.requires_grad_()
        layer.zero_grad()
        with use_matrix_products(products):
            y = layer(x)
        assert ("MatrixConvolution" in str(y.grad_fn.next_functions)) == products
        (y * torch.arange(y.numel(), dtype=torch.float64).view_as(y).sin()).sum().backward()
        assert layer.bias is not None
        results.append((y, x.grad, layer.weight.grad, layer.bias.grad))
    for expected, value in zip(*results, strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-11)


def test_the_choice_ends_with_its_block_and_stays_in_its_thread() -> None:
    layer, x = SameConv2d(3, 5, 3), torch.randn(1, 3, 4, 4)

    def by_products() -> bool:
        return "MatrixConvolution" in str(layer(x).grad_fn.next_functions)

    with use_matrix_products(True):
        with use_matrix_products(False):
            assert not by_products()
        assert by_products()
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(by_products).result()
    assert not by_products()
