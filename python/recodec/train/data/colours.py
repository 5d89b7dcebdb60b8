"""Photographs in other light: brightness, contrast, saturation and hue of a crop changed at random."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# How many changed crops are as colourful as flowers, LED lights or a green screen, and how many grey.
_STRONG, _GREY = 0.2, 0.04
_HUES = 180.0
_MOST = math.log(4 / 3)
_BRIGHTEST = 215.0

# BT.601 without offsets: turning or stretching the last two leaves the first, the luma, alone.
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_TO_RGB = np.linalg.inv(_TO_YCC)


def jittered(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same picture in other colours: (H, W, 3) uint8 to a new array of the same shape.

    Most changes are as between cameras and hours of the day: brightness by a third at most, hue by some
    degrees. A fifth get any hue and up to 2.8 times their saturation, a few none at all. Values beyond
    0..255 are cut off, as in a camera.
    """
    image = Image.fromarray(pixels)
    # One matrix in Pillow: several passes, or a BLAS that starts threads, would cost more than the crop.
    luma = float(_TO_YCC[0] @ np.array(image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))))
    colour = _colour_change(rng)
    # Mist and snow would become white paper.
    brightness = min(_factor(rng), max(1, _BRIGHTEST / max(luma, 1)))
    contrast = _factor(rng)
    # Around its own mean, so that a dark crop of high contrast does not become black.
    offset = (brightness - brightness * contrast) * luma
    matrix = np.column_stack([brightness * contrast * colour, np.full(3, offset)])
    return np.asarray(image.convert("RGB", tuple(matrix.ravel().tolist())))


def _colour_change(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) matrix on RGB values: hue, saturation and a tint of the light."""
    kind = rng.random()
    if kind < _STRONG:
        hue, saturation = rng.uniform(-_HUES, _HUES), rng.uniform(1.3, 2.8)
    elif kind < _STRONG + _GREY:
        hue, saturation = 0.0, 0.0
    else:
        hue, saturation = 7 * rng.standard_normal(), rng.uniform(0.5, 1.5)
    angle = math.radians(hue)
    cosine, sine = saturation * math.cos(angle), saturation * math.sin(angle)
    turned = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    tint = np.exp(0.04 * rng.standard_normal(3)) if saturation else np.ones(3)
    return np.asarray(tint[:, None] * (_TO_RGB @ turned @ _TO_YCC))


def _factor(rng: np.random.Generator) -> float:
    """About 1, from 3/4 to 4/3."""
    return math.exp(min(max(rng.normal(0, 0.12), -_MOST), _MOST))
