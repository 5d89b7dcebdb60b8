"""A network with its 1×1 convolution folded away decodes as before."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recodec.networks.pixel.config import LayerConfig, LayerKind
from recodec.networks.pixel.folding import BiasMaps, fold_pointwise
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.recurrent import RecurrentCodec
from tests.networks.small import small_config


@torch.no_grad()
@pytest.mark.parametrize("first_kernel", [2, 3])
@pytest.mark.parametrize("cell", ["lstm", "gru", "residual-gru", "associative-lstm"])
def test_folding_changes_nothing_but_rounding(cell: LayerKind, first_kernel: int) -> None:
    torch.manual_seed(3)
    network = RecurrentCodec(paper_config(cell, width=1 / 8, first_kernel=first_kernel)).double()
    for parameter in network.parameters():
        parameter.uniform_(-0.1, 0.1)
    folded = fold_pointwise(network)
    assert isinstance(folded.decoder.layers[0], BiasMaps)
    width = folded.decoder.layers[1].input.weight.shape[1]
    assert width == 16 * (network.config.depth // 16 + 1)
    state = other = None
    for _ in range(3):
        codes = torch.randn(2, network.config.depth, 3, 4, dtype=torch.float64).sign()
        state, other = network.decode_step(codes, state), folded.decode_step(codes, other)
        torch.testing.assert_close(other.reconstruction, state.reconstruction, rtol=0, atol=1e-12)
    assert sum(map(torch.numel, folded.parameters())) < sum(map(torch.numel, network.parameters()))


def test_a_network_with_nothing_to_fold_is_left_alone() -> None:
    network = RecurrentCodec(small_config("dct8"))
    assert fold_pointwise(network) is network
    # What grows is no neighbour: its output is not linear in one position.
    config = replace(
        small_config(),
        decoder=(LayerConfig("conv", 16, 1, resample=2), LayerConfig("lstm", 8, 3, 1, resample=2)),
    )
    grown = RecurrentCodec(config)
    assert fold_pointwise(grown) is grown
