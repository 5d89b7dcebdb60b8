"""PNG and TIFF of colours of 16 bits are kept without loss, though Pillow reads 8 of them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import recodec
from recodec.errors import ImageError
from tests.cli.running import run
from tests.io.images import deep_png

PAETH, DEFLATE, NONE = 4, 8, 1


def samples(channels: int) -> NDArray[np.uint16]:
    return np.random.default_rng(channels).integers(0, 65536, (21, 34, channels), np.uint16)


def paeth_png(image: NDArray[np.uint16]) -> bytes:
    """With rows that are predicted, as writers make them."""
    height, _, channels = image.shape
    step = 2 * channels
    rows = image.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    padded = np.pad(rows, ((1, 0), (step, 0)))
    a, b, c = padded[1:, :-step], padded[:-1, step:], padded[:-1, :-step]
    p = a + b - c
    near = [abs(p - a), abs(p - b), abs(p - c)]
    predicted = np.where((near[0] <= near[1]) & (near[0] <= near[2]), a, np.where(near[1] <= near[2], b, c))
    coded = ((rows - predicted) % 256).astype(np.uint8)
    content = zlib.compress(np.pad(coded, ((0, 0), (1, 0)), constant_values=PAETH).tobytes())
    plain = deep_png(image)
    start, end = plain.index(b"IDAT") - 4, plain.index(b"IEND") - 4
    chunk = b"IDAT" + content
    return (
        plain[:start]
        + struct.pack(">I", len(content))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + plain[end:]
    )


def tiff(image: NDArray[np.uint16], order: str, compression: int, *further: tuple[int, int]) -> bytes:
    """A file of one strip, with further tags."""
    height, width, channels = image.shape
    content = image.astype(f"{order}u2").tobytes()
    if compression == DEFLATE:
        content = zlib.compress(content)
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    start = 8 + 2 + 12 * (10 + len(further)) + 4
    tags = {
        256: width,
        257: height,
        258: start,
        259: compression,
        262: 2,
        273: start + len(bits),
        277: channels,
    }
    tags |= {278: height, 279: len(content), 284: 1, **dict(further)}
    # Numbers of four bytes but those of bits, which stand elsewhere.
    entries = [
        struct.pack(f"{order}HHII", tag, 3 if tag == 258 else 4, channels if tag == 258 else 1, value)
        for tag, value in sorted(tags.items())
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(entries) + bytes(4) + bits + content


def kept(source: Any) -> NDArray[Any]:
    return recodec.decode(recodec.encode(source, lossless=True, effort="fast"), like="numpy")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("make", [deep_png, paeth_png])
def test_png(channels: int, make: Any) -> None:
    image = samples(channels)
    np.testing.assert_array_equal(kept(io.BytesIO(make(image))), image)
    np.testing.assert_array_equal(kept(Image.open(io.BytesIO(make(image)))), image)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
@pytest.mark.parametrize(("channels", "further"), [(3, ()), (4, ((338, 2),))])
def test_tiff(order: str, compression: int, channels: int, further: tuple[tuple[int, int], ...]) -> None:
    image = samples(channels)
    np.testing.assert_array_equal(kept(io.BytesIO(tiff(image, order, compression, *further))), image)


def test_an_orientation_turns_both_bytes() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = kept(
        io.BytesIO(deep_png(image := samples(3), (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    )
    np.testing.assert_array_equal(turned, np.rot90(image, -1))


def test_a_transparent_colour_becomes_alpha() -> None:
    image = samples(3)
    found = kept(io.BytesIO(deep_png(image, (b"tRNS", image[5, 7].astype(">u2").tobytes()))))
    np.testing.assert_array_equal(found[..., :3], image)
    assert (found[..., 3] == 0).sum() == 1
    assert found[5, 7, 3] == 0


def test_the_callers_image_loads_as_it_would(tmp_path: Path) -> None:
    (path := tmp_path / "scan.png").write_bytes(deep_png(image := samples(3)))
    with Image.open(path) as opened:
        first, second = kept(opened), np.asarray(opened)
    np.testing.assert_array_equal(first, image)
    np.testing.assert_array_equal(second, image >> 8)


def test_what_is_loaded_has_lost_them() -> None:
    loaded = Image.open(io.BytesIO(deep_png(samples(3))))
    loaded.load()
    for image in (loaded, io.BytesIO(deep_png(samples(2)))):
        with pytest.raises(ImageError, match="16 bits per sample"):
            recodec.encode(image, lossless=True)


def test_command_and_preview(tmp_path: Path, tiny_model: str) -> None:
    (tmp_path / "scan.png").write_bytes(deep_png(image := samples(3)))
    for options in ([], ["--preview", "0.5", "--model", tiny_model]):
        run("encode", tmp_path / "scan.png", tmp_path / "scan.rcd", "--lossless", *options)
        np.testing.assert_array_equal(recodec.decode(tmp_path / "scan.rcd", like="numpy"), image)
