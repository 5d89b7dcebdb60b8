"""Configurations: their texts, and what is refused."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch

from recodec.errors import WeightsError
from recodec.networks.pixel.config import (
    LayerConfig,
    NetworkConfig,
)
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.stack import Stack
from tests.networks.small import small_config, zoned_network


def test_configuration_survives_its_texts() -> None:
    zoned = zoned_network("masking", encoder=False).config
    assert (zoned.encoder, zoned.stride, zoned.feedback_layer) == ((), 16, 1)
    for config in (paper_config("gru", "additive"), small_config("dct8", gains=True), zoned):
        assert NetworkConfig.from_texts(config.to_texts()) == config


def test_encoder_settings_stay_out_of_the_decoder_text() -> None:
    one, other = small_config(gain_slope=0.1), small_config(gain_slope=0.3)
    assert one.to_texts()["decoder"] == other.to_texts()["decoder"]
    assert one.to_texts()["encoder"] != other.to_texts()["encoder"]
    zoned = small_config(dead_zone=True)
    assert zoned.to_texts()["decoder"] == small_config().to_texts()["decoder"]
    assert "dead_zone" in zoned.to_texts()["encoder"]


def test_what_came_later_stays_out_of_the_texts_of_older_models() -> None:
    texts = small_config().to_texts()
    for name in ("dead_zone", "embedding", "feedback", "own_projections", "copies"):
        assert name not in texts["encoder"] + texts["decoder"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": 0}, "depth is 0"),
        ({"iterations": 256}, "iterations is 256"),
        ({"priming": -1}, "priming is -1"),
        ({"diffusion": 17}, "diffusion is 17"),
        ({"gain_input": "image"}, "gain_input is 'image'"),
        ({"encoder": ({"kind": "rnn", "width": 8},)}, "kind is 'rnn'"),
        ({"encoder": ({"kind": "associative-lstm", "width": 9},)}, "width of an associative-lstm is 9"),
        ({"encoder": ({"kind": "gru", "width": 8, "copies": 2},)}, "copies is 2"),
        ({"decoder": (LayerConfig("conv", 8, 1, resample=2),)}, "grows by 2"),
        ({"decoder": (LayerConfig("conv", 7, 1, resample=4),)}, "multiple of 16"),
        ({"colour": 1}, "colour"),
        ({"dead_zone": 1}, "dead_zone is 1; it must be true or false"),
        ({"embedding": -1}, "embedding is -1"),
        ({"embedding": True}, "embedding is True"),
        ({"feedback": 0.5}, "feedback is 0.5"),
        ({"feedback": 4}, "feedback is 4; .* needs shortcut = true"),
        ({"feedback": 4, "shortcut": True}, 'feedback is 4; .* "additive" or "masking"'),
        ({"feedback": 4, "shortcut": True, "reconstruction": "additive"}, "no decoder layer starts on the"),
        ({"reconstruction": "masking"}, 'it needs front_end = "dct8"'),
        ({"encoder": ()}, "encoder has no layers; only with shortcut = true"),
    ],
)
def test_impossible_configurations_are_refused(change: dict[str, object], words: str) -> None:
    data = {**asdict(small_config()), **change}
    for side in ("encoder", "decoder"):
        data[side] = [layer if isinstance(layer, dict) else asdict(layer) for layer in data[side]]
    with pytest.raises(WeightsError, match=words):
        NetworkConfig.from_dict(data)


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_a_configuration_without_a_side_is_refused(side: str) -> None:
    data = asdict(small_config(shortcut=True))
    del data[side]
    with pytest.raises(WeightsError, match=f"network lacks '{side}'"):
        NetworkConfig.from_dict(data)


def test_a_stack_that_multiplies_bfloat16_carries_and_returns_float32() -> None:
    torch.manual_seed(0)
    stack = Stack(4, (LayerConfig("lstm", 8), LayerConfig("gru", 8)), grow=False)
    x = torch.randn(1, 4, 6, 5)
    plain, _ = stack(x, stack(x, None)[1])
    stack.compute_under(torch.bfloat16)
    y, states = stack(x, stack(x, None)[1])
    assert y.dtype == torch.float32
    assert all(part.dtype == torch.float32 for state in states for part in state)
    assert not torch.equal(y, plain)
    torch.testing.assert_close(y, plain, rtol=0, atol=0.02)
    stack.compute_under(None)
    assert torch.equal(stack(x, stack(x, None)[1])[0], plain)
