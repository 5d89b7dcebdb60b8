"""Convolutions that need not be computed: a 1×1 convolution and the one after it are one convolution.

The paper's decoder begins with 1×1, 32 to 512 features; folded into the cell behind it, that cell sees 33 features
instead of 512. Exact but for rounding, borders included: the bias becomes weights on a map of ones, which is
padded with zeros like the rest.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from recodec.networks.cells import CellState, FeedForward
from recodec.networks.convolution import SameConv2d
from recodec.networks.recurrent import RecurrentCodec
from recodec.networks.stack import Stack


class Folded(nn.Module):
    """Stands where a 1×1 convolution was: (N, width, H, W) to the same and a map of ones."""

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration; there is no state."""
        return torch.cat([x, torch.ones_like(x[:, :1])], dim=1), None


@torch.no_grad()
def fold_pointwise(network: RecurrentCodec) -> RecurrentCodec:
    """The same codec with 1×1 layers in front of cells folded into them; itself, if it has none.

    For inference: the weights of both layers are mixed.
    """
    if not any(_foldable(network.decoder.layers, index) for index in range(len(network.decoder.layers))):
        return network
    network = copy.deepcopy(network)
    layers = network.decoder.layers
    for index in range(len(layers)):
        if not _foldable(layers, index):
            continue
        first, cell = layers[index], layers[index + 1]
        assert isinstance(first, FeedForward)
        for name, conv in list(cell.named_children()):
            # What sees the cell's input, and not its state.
            if isinstance(conv, SameConv2d) and name in ("input", "input_path"):
                setattr(cell, name, _product(first, conv))
        layers[index] = Folded()
    return network


def _foldable(layers: Stack, index: int) -> bool:
    layer = layers[index]
    alone = index + 1 < len(layers) and layers.factors[index] == 1 and layers.side_layer != index + 1
    pointwise = isinstance(layer, FeedForward) and layer.kernel_size == layer.stride == (1, 1)
    return alone and pointwise and not isinstance(layers[index + 1], FeedForward)


def _product(first: SameConv2d, conv: SameConv2d) -> SameConv2d:
    """``conv`` after ``first``, as a convolution of the input of ``first`` and ones."""
    inner = first.weight[:, :, 0, 0]
    bias = inner.new_zeros(len(inner)) if first.bias is None else first.bias
    mixed = torch.einsum("omyx,mi->oiyx", conv.weight, torch.cat([inner, bias[:, None]], dim=1))
    folded = SameConv2d(
        first.in_channels + 1,
        conv.out_channels,
        conv.kernel_size[0],
        conv.stride[0],
        bias=conv.bias is not None,
    ).to(mixed)
    folded.weight.copy_(mixed)
    if conv.bias is not None:
        assert folded.bias is not None
        folded.bias.copy_(conv.bias)
    return folded
