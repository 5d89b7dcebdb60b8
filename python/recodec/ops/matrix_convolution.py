"""SAME convolution as one matrix product, for training on a CPU.

Training crops are tiny at 1/16 of their size. There, gathering the taps and calling the BLAS once is
1.2 to 1.5 times as fast, forward and backward together, as the library's convolution.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class _MatrixConvolution(torch.autograd.Function):
    """(N, C, H, W), (C_out, C, k, k) and a stride to (N, C_out, ⌈H/stride⌉, ⌈W/stride⌉)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        n, channels, height, width = x.shape
        kernel = weight.shape[2]
        before, after = (kernel - 1) // 2, kernel // 2
        nhwc = x.permute(0, 2, 3, 1)
        out_height, out_width = (height - 1) // stride + 1, (width - 1) // stride + 1
        if kernel == stride == 1:
            taps = nhwc.reshape(-1, channels)
        else:
            padded = F.pad(nhwc, (0, 0, before, after, before, after)).contiguous()
            s = padded.stride()
            size = (n, out_height, out_width, kernel, kernel, channels)
            taps = padded.as_strided(size, (s[0], s[1] * stride, s[2] * stride, s[1], s[2], s[3]))
            taps = taps.reshape(n * out_height * out_width, -1)
        # A view when the weights are channels_last, as the trainer keeps them.
        matrix = weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)
        ctx.save_for_backward(taps, matrix)
        ctx.geometry = (x.shape, kernel, stride, before, out_height, out_width)
        return (taps @ matrix.t()).view(n, out_height, out_width, -1).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, None]:
        taps, matrix = ctx.saved_tensors
        (n, channels, height, width), kernel, stride, before, out_height, out_width = ctx.geometry
        grad = grads[0].permute(0, 2, 3, 1).reshape(taps.shape[0], -1)
        grad_weight = (grad.t() @ taps).view(-1, kernel, kernel, channels).permute(0, 3, 1, 2)
        if not ctx.needs_input_grad[0]:
            return None, grad_weight, None
        grad_taps = (grad @ matrix).view(n, out_height, out_width, kernel, kernel, channels)
        if kernel == stride == 1:
            return grad_taps.view(n, height, width, channels).permute(0, 3, 1, 2), grad_weight, None
        padded = grad_taps.new_zeros(n, height + kernel - 1, width + kernel - 1, channels)
        for dy in range(kernel):
            rows = slice(dy, dy + stride * (out_height - 1) + 1, stride)
            for dx in range(kernel):
                columns = slice(dx, dx + stride * (out_width - 1) + 1, stride)
                padded[:, rows, columns] += grad_taps[:, :, :, dy, dx]
        grad_x = padded[:, before : before + height, before : before + width]
        return grad_x.permute(0, 3, 1, 2), grad_weight, None


def matrix_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Same result as :func:`~recodec.ops.convolution.same_convolution` by the library, for any kernel size."""
    y: Tensor = _MatrixConvolution.apply(x, weight, stride)  # type: ignore[no-untyped-call]
    return y if bias is None else y + bias[:, None, None]
