"""Encoders and decoders in half precision stay close to those in float32, prefix by prefix."""

from __future__ import annotations

import math
from importlib.resources import files

import numpy as np
import pytest
import torch
from PIL import Image

import recodec

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
half_types = pytest.mark.parametrize("dtype", ["bfloat16", "float16"])


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A part of the example picture, neither flat nor dark."""
    with Image.open(str(files("recodec") / "demo" / "photo.png")) as image:
        return image.convert("RGB").crop((300, 180, 428, 276))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(float) - b).mean()
    return 10 * math.log10(255**2 / error) if error else math.inf


# Measured: 0.006 dB and one level; 0.005 dB and one level.
@pytest.mark.parametrize(("model", "decibels", "levels"), [("rnn-1", 0.02, 1), ("latent-4", 0.01, 1)])
@half_types
@pytest.mark.parametrize("writer", ["float32", "half"])
def test_pictures_are_those_of_float32(
    photo: Image.Image, dtype: str, writer: str, model: str, decibels: float, levels: int
) -> None:
    original = np.asarray(photo)
    half = recodec.load(model, device=DEVICE, dtype=dtype)
    single = recodec.load(model)
    data = (half if writer == "half" else single).encode(original, iterations=single.iterations)
    assert recodec.info(data).details.arithmetic == (dtype if writer == "half" else "float32")
    pairs = zip(half.progressive(data, like="numpy"), single.progressive(data, like="numpy"), strict=True)
    for found, expected in pairs:
        assert abs(psnr(original, found) - psnr(original, expected)) <= decibels
        assert np.abs(found.astype(int) - expected).max() <= levels
    # In one go; on a GPU, its library may take another way to the same product.
    whole = half.decode(data, like="numpy").astype(int)
    assert np.abs(whole - found).max() <= (DEVICE == "cuda")


@half_types
def test_what_is_decoded_stays_in_float32(dtype: str) -> None:
    codec = recodec.load("rnn-1", dtype=dtype)
    network = codec.model.network
    assert network.working_type == getattr(torch, dtype)
    with torch.no_grad():
        state = network.decode_step(
            torch.zeros(1, network.config.depth, 2, 3, dtype=network.working_type), None
        )
        shown = network.synthesise(state)
    assert state.reconstruction.dtype == state.gain.dtype == shown.dtype == torch.float32
    assert {part.dtype for layer in state.layers if layer for part in layer} == {network.working_type}
