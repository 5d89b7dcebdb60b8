"""Pictures that no camera takes, to measure models and lossless coders on.

    python bench/drawn_pictures.py FOLDER

writes them as PNG to FOLDER/small and FOLDER/large, for example for `recodec eval --lossless FOLDER/large`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recodec.eval.curve import load_rgb

Pixels = NDArray[np.uint8]
_SIDE = 256
_WORDS = (
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "while",
    "every",
    "prefix",
    "is",
    "a",
    "picture",
)
COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (120, 130, 125),
    "red": (255, 0, 0),
    "orange": (255, 128, 0),
    "yellow": (255, 255, 0),
    "green": (0, 255, 0),
    "screen green": (0, 177, 64),
    "cyan": (0, 255, 255),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
    "pink": (255, 20, 147),
}


def small_pictures() -> dict[str, Pixels]:
    """By name, uint8 (256, 256, 3): flat colours and what models find hard."""
    y, x = np.mgrid[:_SIDE, :_SIDE]
    made = {name: np.full((_SIDE, _SIDE, 3), colour, np.uint8) for name, colour in COLOURS.items()}
    made["gradient"] = _grey(x)
    made["checkerboard 1"] = _grey((x + y) % 2 * 255)
    made["checkerboard 2"] = _grey((x // 2 + y // 2) % 2 * 255)
    page = Image.new("RGB", (_SIDE, _SIDE), "white")
    for line in range(16):
        ImageDraw.Draw(page).text(
            (4, 4 + 15 * line), "A page of text in a small size, line by line", fill="black"
        )
    made["text"] = np.asarray(page)
    chart = Image.new("RGB", (_SIDE, _SIDE), "white")
    draw = ImageDraw.Draw(chart)
    for n, colour in enumerate(("red", "green", "blue", "orange", "purple")):
        draw.rectangle((20 + 45 * n, 200 - 30 * n, 50 + 45 * n, 230), fill=colour)
        draw.line((0, 10 + 40 * n, 255, 250 - 40 * n), fill=colour)
    made["chart"] = np.asarray(chart)
    studio = _photograph()[100:356, 300:556].copy()
    studio[:60], studio[:, :100] = COLOURS["screen green"], COLOURS["screen green"]
    made["green screen"] = studio
    return made


def large_pictures() -> dict[str, Pixels]:
    """By name, uint8 (H, W, 3) of 0.1 to 0.5 megapixels: what screens and printers make."""
    rng = np.random.default_rng(3)
    makers: dict[str, Callable[[np.random.Generator], Image.Image]] = {
        "page": lambda rng: _page(rng, (600, 500), 14, (0, 0, 0), (255, 255, 255)),
        "page, dark": lambda rng: _page(rng, (600, 500), 18, (180, 220, 120), (30, 30, 36)),
        "screenshot": _screenshot,
        "chart of 16 colours": _chart,
        "photograph of 64 colours": lambda _: Image.fromarray(_photograph()).convert(
            "P", palette=Image.Palette.ADAPTIVE, colors=64
        ),
        "photograph of 1 bit": lambda _: Image.fromarray(_photograph()).convert("1"),
        "noise": lambda rng: Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)),
    }
    return {name: np.asarray(make(rng).convert("RGB")) for name, make in makers.items()}


def _grey(values: NDArray[np.int64]) -> Pixels:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


def _photograph() -> Pixels:
    return load_rgb(Path(str(files("recodec") / "demo" / "photo.png")))


def _text(
    image: Image.Image,
    rng: np.random.Generator,
    at: tuple[int, int],
    words: int,
    size: int,
    fill: tuple[int, ...],
) -> None:
    text = " ".join(rng.choice(_WORDS, words))
    ImageDraw.Draw(image).text(at, text, fill=fill, font=ImageFont.load_default(size=size))


def _page(
    rng: np.random.Generator, shape: tuple[int, int], size: int, fill: tuple[int, ...], paper: tuple[int, ...]
) -> Image.Image:
    image = Image.new("RGB", shape, paper)
    for y in range(8, shape[1] - size, size + 4):
        _text(image, rng, (10, y), 12, size, fill)
    return image


def _screenshot(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (800, 600), (236, 240, 243))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 800, 36), fill=(48, 60, 90))
    _text(image, rng, (12, 8), 6, 16, (240, 240, 240))
    draw.rectangle((0, 36, 200, 600), fill=(250, 250, 250))
    for i in range(18):
        _text(image, rng, (12, 50 + 30 * i), 2, 13, (30, 30, 30))
        draw.line((0, 74 + 30 * i, 200, 74 + 30 * i), fill=(220, 220, 220))
    image.paste(_page(rng, (560, 300), 12, (0, 0, 0), (255, 255, 255)), (220, 60))
    for x in range(220, 790, 95):
        button = tuple(int(value) for value in rng.integers(60, 230, 3))
        draw.rounded_rectangle((x, 380, x + 85, 410), 6, fill=button)
        _text(image, rng, (x + 12, 386), 1, 13, (255, 255, 255))
    draw.ellipse((240, 430, 380, 570), fill=(200, 80, 60), outline=(0, 0, 0))
    for x in range(420, 780, 9):
        draw.line((x, 560, x, 560 - int(rng.integers(10, 120))), fill=(30, 120, 60), width=4)
    return image


def _chart(rng: np.random.Generator) -> Image.Image:
    image = Image.new("P", (640, 480), 0)
    image.putpalette(rng.integers(0, 256, 48).tolist())
    draw = ImageDraw.Draw(image)
    for i in range(16):
        draw.rectangle((i * 40, 480 - int(rng.integers(20, 460)), i * 40 + 30, 480), fill=i)
    for _ in range(200):
        draw.line(tuple(int(value) for value in rng.integers(0, 640, 4)), fill=int(rng.integers(16)))
    return image


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the pictures."""
    for name, pictures in (("small", small_pictures()), ("large", large_pictures())):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for title, picture in pictures.items():
            Image.fromarray(picture).save(folder / name / f"{title.replace(',', '').replace(' ', '-')}.png")


if __name__ == "__main__":
    main()
