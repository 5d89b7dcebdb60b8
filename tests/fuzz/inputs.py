"""What the surfaces are fed with: damaged files of ours, pictures of other formats, weights."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageCms, PngImagePlugin

from recodec.container.attachments import encode_alpha
from recodec.container.core import ALPHA, attached_chunk, end_chunk
from tests.plane_files import PlaneCoder, PlaneFields, code_chunk, write_header
from tests.strip_files import lossless_files
from tests.zoo.learned_files import learned_files

from ..mutations import delete, flip_bits, insert, mutate, set_bytes, truncate

GOLDEN = Path(__file__).parents[1] / "golden"
CORPUS = Path(__file__).parent / "corpus"

_SMALL = (
    "grey",
    "pixel",
    "metadata",
    "opaque",
    "la",
    "rgba",
    "ternary",
    "network",
    "lossless-16-bit",
    "lossless-drawn",
)
_PNG_SIGNATURE = 8
# Those that make sense in formats that are not ours.
_BYTE_MUTATIONS = (flip_bits, set_bytes, truncate, insert, delete)

T = TypeVar("T")


def draw(rng: Generator, choices: Sequence[T]) -> T:
    """One of ``choices`` as it is, which numpy would make an element of an array."""
    return choices[int(rng.integers(len(choices)))]


class Seeds:
    """Sound inputs of every kind. ``corpus`` is a folder with more files of ours."""

    def __init__(self, corpus: Path | None = None):
        # The large ones only take time, and take it again from every mutation.
        self.sound = [(GOLDEN / "good" / f"{name}.rcd").read_bytes() for name in _SMALL]
        self.sound += lossless_files("tiny")
        self.sound += [path.read_bytes() for path in sorted(CORPUS.glob("zoo-*.rcd"))]
        self.sound += learned_files("cnn-ae")
        folders = [GOLDEN / "good", GOLDEN / "bad", CORPUS, *([corpus] if corpus else [])]
        self.files = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.rcd"))]
        self.pictures = _pictures()
        self.alpha = _alpha_channels()
        self.weights = [(GOLDEN / "tiny.safetensors").read_bytes()]


def a_file(rng: Generator, seeds: Seeds) -> bytes:
    # What is broken already seldom gets deep by being broken further.
    file = draw(rng, seeds.sound if rng.random() < 0.8 else seeds.files)
    # Surfaces draw odd arguments too, which a sound file has to meet.
    if rng.random() < 0.1:
        return file
    return mutate(rng, file, draw(rng, seeds.files), repaired=rng.random() < 0.7)


def a_file_with_alpha(rng: Generator, seeds: Seeds) -> bytes:
    """A sound file but for the PNG datastream of its alpha channel, whose checksum is right."""
    png = draw(rng, seeds.alpha)
    if rng.random() < 0.9:
        png = _damaged(rng, png)
    header = PlaneFields()
    header.alpha, header.model = 1, "tiny"
    # The size that the PNG claims, so that its rows are looked at; a stride that makes it one code.
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    if 1 <= width <= 255 and 1 <= height <= 255:
        header.width, header.height, header.stride = width, height, max(width, height)
    else:
        header.width = header.height = 8
    header.depth = 1
    coded, crc = PlaneCoder(1, 1, 1).encode(np.ones((1, 1, 1), np.int8))
    return write_header(header) + attached_chunk(ALPHA, png) + code_chunk(coded, crc) + end_chunk(1)


def a_picture(rng: Generator, seeds: Seeds) -> bytes:
    return _damaged(rng, draw(rng, seeds.pictures))


def some_bytes(rng: Generator, seeds: Seeds) -> bytes:
    return rng.bytes(int(rng.integers(8, 400)))


def some_weights(rng: Generator, seeds: Seeds) -> bytes:
    """Weights whose head, which holds the configuration, is damaged more often than their numbers."""
    data = bytearray(draw(rng, seeds.weights))
    head = bytearray(data[: 8 + int.from_bytes(data[:8], "little")])
    part = head if rng.random() < 0.8 else data
    draw(rng, _BYTE_MUTATIONS)(rng, part, b"")
    return bytes(part if part is data else part + data[len(head) :])


def _damaged(rng: Generator, picture: bytes) -> bytes:
    data = bytearray(picture)
    for _ in range(int(rng.integers(1, 4))):
        if data:
            mutation = draw(rng, _BYTE_MUTATIONS)
            # The first bytes hold what decides how the others are read.
            end = len(data) if rng.random() < 0.5 else min(len(data), 100)
            part = data[:end]
            mutation(rng, part, b"")
            data[:end] = part
    if data.startswith(b"\x89PNG") and rng.random() < 0.8:
        _repair_png(data)
    return bytes(data)


def _repair_png(data: bytearray) -> None:
    at = _PNG_SIGNATURE
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4)
        at = end + 4


@cache
def _alpha_channels() -> list[bytes]:
    """Small ones for which a writer takes different filters."""
    y, x = np.mgrid[0:9, 0:13]
    noise = np.random.default_rng(3).integers(0, 256, (9, 13))
    channels = (
        np.full((1, 1), 7),
        np.full((9, 13), 255),
        x * 19,
        y * 28,
        9 * (x + y),
        noise,
        noise % 3 + x * 9,
    )
    return [encode_alpha(channel.astype(np.uint8)) for channel in channels]


@cache
def _pictures() -> list[bytes]:
    """Tiny pictures of every mode and format that people have, with and without metadata."""
    y, x = np.mgrid[0:9, 0:13]
    colour = Image.fromarray(np.stack([x * 19, y * 28, x * y * 2], axis=2).astype(np.uint8))
    grey = colour.convert("L")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "seed"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    metadata = {"exif": exif, "icc_profile": profile}
    palette = colour.quantize(7)
    alpha = colour.convert("RGBA")
    alpha.putalpha(grey)
    deep = Image.fromarray((x * y * 600).astype(np.uint16))
    bilevel = grey.convert("1")
    frames = {"save_all": True, "append_images": [grey]}
    made = [
        *(
            _saved(image, "PNG")
            for image in (colour, grey, palette, alpha, grey.convert("LA"), deep, bilevel)
        ),
        _saved(colour, "PNG", **metadata),
        _saved(palette, "PNG", transparency=2),
        _saved(colour, "PNG", transparency=(19, 28, 2)),
        _saved(deep, "PNG", transparency=600),
        _saved(grey, "PNG", **frames),
        *(_saved(image, "JPEG", quality=60) for image in (colour, grey, colour.convert("CMYK"))),
        _saved(colour, "JPEG", quality=60, progressive=True, xmp=b"<x/>", **metadata),
        _saved(colour.convert("CMYK"), "JPEG", icc_profile=profile),
        _saved(colour, "MPO", **frames),
        _saved(colour, "WEBP", quality=50),
        _saved(alpha, "WEBP", lossless=True, xmp=b"<x/>", **metadata),
        *(_saved(palette, "GIF", **options) for options in ({}, {"transparency": 1}, frames)),
        *(_saved(image, "TIFF") for image in (colour, alpha, deep, bilevel, grey.convert("F"), palette)),
        _saved(colour, "TIFF", compression="tiff_lzw", **metadata),
        *(_saved(image, "BMP") for image in (colour, palette)),
        *(_saved(image, "PPM") for image in (colour, deep)),
        _saved(colour, "PNG", pnginfo=_texts(exif.tobytes())),
        *(_saved(image, "ICO", sizes=[(13, 9), (6, 4)]) for image in (colour, palette, alpha)),
        *(_saved(image, "DDS") for image in (colour, alpha)),
        _saved(colour, "JPEG2000"),
    ]
    return made


def _texts(exif: bytes) -> PngImagePlugin.PngInfo:
    """Metadata as ImageMagick writes them."""
    texts = PngImagePlugin.PngInfo()
    for name, content in (
        ("APP1", exif),
        ("xmp", b"<x tiff:Orientation='6'/>"),
        ("iptc", b"\x1c\2\x78\0\1a"),
    ):
        texts.add_text(f"Raw profile type {name}", f"\n{name}\n{len(content):8}\n{content.hex()}\n")
    return texts


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
