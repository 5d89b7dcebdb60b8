"""Convolution with TensorFlow's SAME sizes, and projections that know which iteration it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recodec.ops.convolution import same_convolution
from recodec.ops.projection import projection


class SameConv2d(nn.Conv2d):
    """Convolution whose output is ⌈size/stride⌉ for every kernel size, even ones included.

    An even kernel pads one more on the bottom and right, as TensorFlow's SAME padding does; the
    paper's 2×2 kernel needs it.
    """

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: int = 1, bias: bool = True):
        super().__init__(width_in, width_out, kernel, stride, padding=(kernel - 1) // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width_in, H, W) to (N, width_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return same_convolution(x, self.weight, self.bias, self.stride[0])


def lay_weights_in_nhwc(network: nn.Module) -> None:
    """Let input channels of convolutions lie side by side in memory, as kernels and channels_last maps want them."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


class Projection(SameConv2d):
    """1×1 convolution around the codes, with weights of its own in every iteration if there are ``iterations``.

    They all begin alike. What an iteration can say is a plane of signs along fixed directions of feature
    space; weights of its own let each iteration choose other directions, at no cost but their storage.
    """

    def __init__(self, width_in: int, width_out: int, iterations: int | None = None, bias: bool = True):
        super().__init__(width_in, width_out, 1, bias=bias)
        self.own = iterations is not None
        if iterations is not None:
            for name, parameter in list(self.named_parameters()):
                stacked = parameter.detach().expand(iterations, *parameter.shape).clone()
                setattr(self, name, nn.Parameter(stacked))

    def at(self, iteration: int) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of an iteration, counted from 0; later ones share the last."""
        if not self.own:
            return self.weight, self.bias
        iteration = min(iteration, self.weight.shape[0] - 1)
        return self.weight[iteration], None if self.bias is None else self.bias[iteration]

    def forward(self, x: Tensor, iteration: int, factor: int = 1) -> Tensor:  # type: ignore[override]
        """Map (N, width_in, H, W) to (N, width_out, H, W), and that by depth-to-space to ``factor`` times the size."""
        return projection(x, *self.at(iteration), factor)
