"""The decoder with every operator there is outside of the cells, against the network's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recodec.networks.convolution import Projection
from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.decoder import DecoderState
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.ops.backend import Backend, use_backend
from recodec.ops.feedback import feedback
from recodec.ops.projection import projection
from recodec.ops.reconstruct import reconstruct
from tests.tolerance import assert_near, assert_same

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

both_backends = pytest.mark.parametrize("backend", ["reference", "triton"])


@pytest.fixture(autouse=True)
def exact_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells are the network's, whose convolutions may round to TF32 otherwise."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def transform_codec() -> RecurrentCodec:
    """A narrow rnn-1: everything that the operators replace, with own values in every iteration."""
    torch.manual_seed(6)
    config = NetworkConfig(
        depth=12,
        iterations=2,
        reconstruction="masking",
        front_end="dct8",
        encoder=(),
        decoder=(
            LayerConfig("residual-gru", 20, 3, 1, resample=2),
            LayerConfig("residual-gru", 12, 3, 1),
        ),
        gains=True,
        shortcut=True,
        own_projections=True,
        dead_zone=True,
        embedding=20,
        feedback=13,
    )
    network = RecurrentCodec(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        network.front_end.get_buffer("scale").uniform_(0.05, 0.3)
    return network


def own(layer: Projection, iteration: int) -> tuple[Tensor, Tensor | None]:
    index = min(iteration, layer.weight.shape[0] - 1)
    return layer.weight[index], None if layer.bias is None else layer.bias[index]


def decode_by_operators(network: RecurrentCodec, codes: Tensor, state: DecoderState | None) -> DecoderState:
    """``network.decode_step`` with every operator there is outside of the cells."""
    decoder = network.decoder
    iteration, layers, base, gain = 0, None, None, None
    if state is not None:
        iteration, layers, base, gain = state.iteration, state.layers, state.reconstruction, state.gain
    assert decoder.shortcut is not None
    assert decoder.feedback is not None
    assert decoder.embedding is not None
    assert decoder.gain is not None
    log_gain = decoder.gain.log_gain[min(iteration, 1)]
    linear = projection(codes, *own(decoder.shortcut, iteration), factor=decoder.grid_factor)
    side = feedback(linear, *own(decoder.feedback, iteration), log_gain=log_gain, gain=gain, base=base)
    x = projection(codes, *own(decoder.embedding, iteration))
    x, layers = decoder.layers(x, layers, side)
    y, next_gain = reconstruct(
        x,
        *own(decoder.output, iteration),
        linear=linear,
        log_gain=log_gain,
        gain=gain,
        base=base,
        scale=network.front_end.get_buffer("scale"),
    )
    return DecoderState(layers, y, next_gain, iteration + 1)


@both_backends
@torch.no_grad()
def test_the_decoder_of_operators_is_that_of_the_network(backend: Backend) -> None:
    network = transform_codec().to(DEVICE)
    exact = transform_codec().to(DEVICE).double()
    state = plain = reference = None
    generator = torch.Generator().manual_seed(7)
    for _ in range(3):
        codes = torch.randint(-1, 2, (2, 12, 3, 2), generator=generator).to(DEVICE, torch.float32)
        with use_backend(backend):
            state = decode_by_operators(network, codes, state)
        with use_backend("reference"):
            plain = network.decode_step(codes, plain)
        reference = exact.decode_step(codes.double(), reference)
        assert state.iteration == plain.iteration
        for name in ("reconstruction", "gain"):
            actual, expected = getattr(state, name), getattr(plain, name)
            if backend == "reference":
                assert_same(actual, expected)
            assert_near(actual, expected, getattr(reference, name), codes.dtype)


@both_backends
@torch.no_grad()
def test_the_last_layer_of_the_paper_adds_to_the_reconstruction(backend: Backend) -> None:
    torch.manual_seed(8)
    layer = Projection(5, 3).to(DEVICE)
    x, base = torch.randn(2, 5, 7, 9, device=DEVICE), torch.randn(2, 3, 7, 9, device=DEVICE)
    y, gain = reconstruct(x, layer.weight, layer.bias, base=base, backend=backend)
    assert gain is None
    torch.testing.assert_close(y, base + layer(x, 0), rtol=0, atol=1e-6)
