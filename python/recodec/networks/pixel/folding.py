"""Convolutions that need not be computed: a 1×1 convolution and the one after it are one convolution.

The paper's decoder begins with 1×1, 32 to 512 features; folded into the cell behind it, that cell sees 48 features
instead of 512. Exact but for rounding, borders included: the bias becomes weights on a map of ones, which is
padded with zeros like the rest.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from recodec.networks.cells import CellState, FeedForward
from recodec.networks.convolution import SameConv2d
from recodec.networks.pixel.stack import Stack

if TYPE_CHECKING:
    from recodec.networks.pixel.recurrent import RecurrentCodec

Codec = TypeVar("Codec", bound="RecurrentCodec")

# Kernels read rows of so many channels in whole words; with 33, one number at a time.
_CHANNELS = 16


class BiasMaps(nn.Module):
    """Stands where a 1×1 convolution was: (N, width, H, W) to the same and maps of ones, 16·n maps together."""

    def __init__(self, width: int):
        super().__init__()
        self.ones = _CHANNELS - width % _CHANNELS

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration; there is no state."""
        return functional.pad(x, (0, 0, 0, 0, 0, self.ones), value=1.0), None


@torch.no_grad()
def fold_pointwise(network: Codec) -> Codec:
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
        folded = BiasMaps(first.in_channels)
        for name, conv in list(cell.named_children()):
            # What sees the cell's input, and not its state.
            if isinstance(conv, SameConv2d) and name in ("input", "input_path"):
                setattr(cell, name, _product(first, conv, folded.ones))
        layers[index] = folded
    return network


def _foldable(layers: Stack, index: int) -> bool:
    layer = layers[index]
    alone = index + 1 < len(layers) and layers.factors[index] == 1 and layers.side_layer != index + 1
    pointwise = isinstance(layer, FeedForward) and layer.kernel_size == layer.stride == (1, 1)
    # Else the cell would have more to do than both.
    widens = isinstance(layer, FeedForward) and layer.in_channels < layer.out_channels
    return alone and pointwise and widens and not isinstance(layers[index + 1], FeedForward)


def _product(first: SameConv2d, conv: SameConv2d, ones: int) -> SameConv2d:
    """``conv`` after ``first``, as a convolution of the input of ``first`` and so many maps of ones."""
    inner = first.weight[:, :, 0, 0]
    # The first of these maps is for the bias, the others are there to be read.
    biases = inner.new_zeros(len(inner), ones)
    if first.bias is not None:
        biases[:, 0] = first.bias
    mixed = torch.einsum("omyx,mi->oiyx", conv.weight, torch.cat([inner, biases], dim=1))
    folded = SameConv2d(
        first.in_channels + ones,
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
