"""Pictures that no camera takes: flat areas, gradients, text and line art in any colour.

A codec that has only seen photographs cannot say a saturated colour, a sharp edge on a flat ground or a
ramp without bands. Each picture is a function of a generator and a size alone.
"""

from __future__ import annotations

import functools
import math
import string
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

_SMALLEST_TEXT, _LARGEST_TEXT = 7, 40
# Frequent letters more often, so that words have the ascenders and round forms that real ones have.
_LETTERS = "eeeeetttaaaooiiinnsshhrrdlu" + string.ascii_lowercase
_SIGNS = string.digits + string.punctuation


def synthetic_picture(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A drawn picture, (size, size, 3) uint8; flat areas, gradients, text and line art are equally likely.

    Letters are those of the installed Pillow's default font. Raises ``ValueError`` if ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"size is {size}; it must be at least 1")
    draw = (_flat, _gradient, _text, _line_art)[int(rng.integers(4))]
    return np.asarray(draw(size, rng))


def _colour(rng: np.random.Generator) -> Colour:
    """Any colour; the corners and edges of the cube, greys, and pale or dark shades more often than others."""
    kind = rng.random()
    if kind < 0.4:
        values = rng.integers(0, 256, 3)
    elif kind < 0.65:
        third = (0, 255, int(rng.integers(256)))[int(rng.integers(3))]
        values = rng.permutation(np.array([0, 255, third]))
    elif kind < 0.85:
        # A third of them black or white.
        values = np.full(3, rng.integers(-64, 320).clip(0, 255))
    else:
        end = 255 * rng.integers(2)
        values = (end + (rng.integers(0, 256, 3) - end) * rng.uniform(0.1, 0.5)).astype(np.int64)
    red, green, blue = values.tolist()
    return red, green, blue


def _pair(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Two colours that can be told apart, every other time dark on light or light on dark."""
    if rng.random() < 0.4:
        dark, light = int(rng.integers(0, 80)), int(rng.integers(190, 276).clip(0, 255))
        ends = (dark,) * 3, (light,) * 3
        return ends if rng.random() < 0.4 else ends[::-1]
    while True:
        one, other = _colour(rng), _colour(rng)
        if max(abs(a - b) for a, b in zip(one, other, strict=True)) > 50:
            return one, other


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(max(low, high))))


def _flat(size: int, rng: np.random.Generator) -> Image.Image:
    """One colour, a few rectangles or stripes."""
    image = Image.new("RGB", (size, size), _colour(rng))
    kind = rng.random()
    if kind < 0.35:
        return image
    draw = ImageDraw.Draw(image)
    if kind < 0.75:
        for _ in range(rng.integers(1, 9)):
            left, right = sorted(rng.integers(-size // 4, size * 5 // 4 + 1, 2).tolist())
            top, bottom = sorted(rng.integers(-size // 4, size * 5 // 4 + 1, 2).tolist())
            draw.rectangle((left, top, right, bottom), _colour(rng))
        return image
    colours = [_colour(rng) for _ in range(rng.integers(2, 9))]
    width = _log_uniform(rng, 2, size / 2)
    for number in range(math.ceil(size / width)):
        left = round(number * width)
        draw.rectangle((left, 0, round(left + width), size), colours[number % len(colours)])
    return image.transpose(Image.Transpose.ROTATE_90) if rng.random() < 0.5 else image


def _gradient(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """From one colour to another along a line, around a point or between four corners; some dithered."""
    down, right = np.mgrid[0:size, 0:size].astype(np.float32) / size
    start, end, below, beside = (np.array(_colour(rng), np.float32) for _ in range(4))
    # Skies and walls change by some levels only, which is where bands show.
    if rng.random() < 0.3:
        end = start + (end - start) * np.float32(_log_uniform(rng, 0.02, 0.3))
    if rng.random() < 0.2:
        upper = start + right[..., None] * (end - start)
        lower = below + right[..., None] * (beside - below)
        values = upper + down[..., None] * (lower - upper)
    else:
        values = start + _ramp(down, right, rng)[..., None] * (end - start)
    if rng.random() < 0.4:
        values = values + rng.random(values.shape, np.float32) * 2 - 1
    return np.asarray(np.clip(values, 0, 255) + 0.5).astype(np.uint8)


def _ramp(
    down: NDArray[np.float32], right: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """0 to 1 along a line or away from a point, shorter or longer than the picture."""
    if rng.random() < 0.6:
        angle, reach = rng.uniform(0, 2 * math.pi), _log_uniform(rng, 0.5, 3)
        along = (right - 0.5) * math.cos(angle) + (down - 0.5) * math.sin(angle)
        share = 0.5 + along / reach
    else:
        across, along = rng.uniform(-0.3, 1.3, 2).tolist()
        share = np.hypot(right - across, down - along) / _log_uniform(rng, 0.3, 1.5)
    ramp: NDArray[np.float32] = np.clip(share, 0, 1)
    return ramp * ramp * (3 - 2 * ramp) if rng.random() < 0.3 else ramp


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _word(rng: np.random.Generator) -> str:
    kind = rng.random()
    letters = _SIGNS if kind > 0.85 else _LETTERS
    word = "".join(letters[index] for index in rng.integers(len(letters), size=rng.integers(1, 11)))
    return word.title() if kind < 0.15 else word.upper() if kind < 0.25 else word


def _text(size: int, rng: np.random.Generator) -> Image.Image:
    """A cutting of a page or a screen: lines of words, or one or two large ones."""
    paper, ink = _pair(rng)
    image = (
        Image.fromarray(_gradient(size, rng))
        if rng.random() < 0.15
        else Image.new("RGB", (size, size), paper)
    )
    draw = ImageDraw.Draw(image)
    height = round(_log_uniform(rng, _SMALLEST_TEXT, min(_LARGEST_TEXT, size / 3)))
    spacing = height * rng.uniform(1.05, 1.8)
    # As in a terminal, where the kind of a line has its colour.
    inks = [ink, *(_pair(rng)[1] for _ in range(3))] if rng.random() < 0.25 else [ink]
    left, top = rng.uniform(-3, 1.5) * height, -rng.random() * spacing
    last = size if rng.random() < 0.7 else size * rng.uniform(0.2, 1)
    # A word takes about three times its height.
    words = max(1, math.ceil((size - left) / (3 * height)))
    while top < last:
        line = " ".join(
            _word(rng) for _ in range(rng.integers(1, words + 1) if rng.random() < 0.2 else words)
        )
        draw.text((left, top), line, inks[int(rng.integers(len(inks)))], _font(height))
        top += spacing
    return image


def _line_art(size: int, rng: np.random.Generator) -> Image.Image:
    kind = rng.random()
    if kind < 0.3:
        return _pattern(size, rng)
    # Half of the world's line art is smoothed; Pillow only draws steps.
    finer = int(rng.integers(1, 3))
    if kind < 0.55:
        return _chart(size, finer, rng)
    return _strokes(size, finer, rng)


def _pattern(size: int, rng: np.random.Generator) -> Image.Image:
    """Checkerboards, grids and hatchings with periods from one pixel on, over all or a part."""
    paper, ink = _pair(rng)
    down, right = np.mgrid[0:size, 0:size] + rng.integers(0, 32, 2)[:, None, None]
    period = round(_log_uniform(rng, 1, min(16, size)))
    match int(rng.integers(3)):
        case 0:
            inked = (down // period + right // period) % 2 == 0
        case 1:
            inked = (down % (period + 1) == 0) | (right % (period + 1) == 0)
        case _:
            slope = rng.choice([-1, 0, 1, 2])
            inked = (down + slope * right) % (2 * period) < period
    image = Image.new("RGB", (size, size), paper)
    mask = Image.fromarray(inked.astype(np.uint8) * 255)
    if rng.random() < 0.4:
        left, top = rng.integers(0, size // 2 + 1, 2).tolist()
        window = Image.new("L", (size, size))
        window.paste(mask.crop((left, top, size, size)), (left, top))
        mask = window
    image.paste(ink, (0, 0), mask)
    return image


def _strokes(size: int, finer: int, rng: np.random.Generator) -> Image.Image:
    """Lines, curves, polygons and ellipses, outlined or filled."""
    paper, ink = _pair(rng)
    side = size * finer
    image = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 13)):
        width = finer * round(_log_uniform(rng, 1, 5))
        colour = ink if rng.random() < 0.6 else _colour(rng)
        points: list[Point] = [(x, y) for x, y in rng.uniform(-0.2, 1.2, (4, 2)) * side]
        match int(rng.integers(5)):
            case 0:
                draw.line(points[:2], colour, width)
            case 1:
                draw.line(_curve(points), colour, width)
            case 2 if rng.random() < 0.5:
                draw.polygon(points[: rng.integers(3, 5)], colour)
            case 2:
                draw.line([*points, points[0]], colour, width)
            case 3:
                draw.ellipse(_box(points), colour if rng.random() < 0.4 else None, colour, width)
            case _:
                start, end = rng.uniform(0, 360, 2)
                draw.arc(_box(points), start, end, colour, width)
    return image.reduce(finer)


def _curve(points: list[Point]) -> list[Point]:
    """Points along a cubic Bézier curve."""
    share = np.linspace(0, 1, 24)[:, None]
    weights = np.hstack(
        [math.comb(3, k) * share**k * (1 - share) ** (3 - k) for k in range(4)],
    )
    return [(x, y) for x, y in weights @ np.array(points)]


def _box(points: list[Point]) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = points[:2]
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _chart(size: int, finer: int, rng: np.random.Generator) -> Image.Image:
    """Bars, curves or slices with axes, lines of a grid and small labels."""
    paper, ink = _pair(rng)
    side = size * finer
    image = Image.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(image)
    low, high = side * rng.uniform(0, 0.25), side * rng.uniform(0.8, 1)
    colours = [_colour(rng) for _ in range(rng.integers(1, 6))]
    count = int(rng.integers(3, 13))
    heights = rng.random(count)
    places = np.linspace(low, high, count + 1)
    kind = int(rng.integers(3))
    if kind < 2:
        faint = tuple((3 * a + b) // 4 for a, b in zip(paper, ink, strict=True))
        for height in np.linspace(side - high, side - low, int(rng.integers(3, 8))):
            draw.line((low, height, high, height), faint, finer)
            label = str(rng.integers(1000))
            draw.text((0, height), label, ink, _font(_SMALLEST_TEXT * finer + finer), "lm")
    if kind == 0:
        for number, height in enumerate(heights):
            top = side - low - height * (high - low)
            right = places[number] + 0.7 * (places[1] - places[0])
            draw.rectangle((places[number], top, right, side - low), colours[number % len(colours)])
    elif kind == 1:
        for colour in colours:
            walk = rng.standard_normal(count + 1).cumsum()
            levels = side - low - (walk - walk.min()) / max(np.ptp(walk), 1) * (high - low)
            draw.line(list(zip(places.tolist(), levels.tolist(), strict=True)), colour, 2 * finer)
    else:
        ends = np.concatenate([[0], heights.cumsum() / heights.sum()]) * 360
        for number in range(count):
            slice_colour = _colour(rng)
            draw.pieslice((low, low, high, high), ends[number], ends[number + 1], slice_colour, ink, finer)
    if kind < 2:
        draw.line((low, side - high, low, side - low, high, side - low), ink, finer)
    return image.reduce(finer)
