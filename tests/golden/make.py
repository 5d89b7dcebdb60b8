"""Makes golden files that do not exist yet; files that exist are never changed.

    python tests/golden/make.py

Good files are kept with the picture they decode to; ``expected.json`` holds a digest of their codes, or of the samples
of those that lose nothing, and for every bad file the error it must raise. Pillow has no pictures of three channels of
16 bits: of such files there are samples alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).parent
os.environ["RECODEC_WEIGHTS"] = str(FOLDER)

import recodec
from recodec import _core
from recodec.codec import Codec
from recodec.container.core import ALPHA, CODES, attached_chunk, end_chunk
from recodec.families.recurrent.family import read_planes
from recodec.families.recurrent.planes import NETWORK, CoderPart
from recodec.families.registry import engine_of
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.runtime.tiling import TileGrid
from recodec.weights import load_model, save_model

# This file is also run as a script.
sys.path.insert(0, str(FOLDER.parents[1]))
from tests.latent_models import SMALL, latent_network
from tests.plane_files import PlaneFields, code_chunk, read_chunk, read_header, write_header
from tests.stand_in import stand_in_coder, stand_in_tables
from tests.strip_files import chunks_from, small_strips


def coder_part(data: bytes) -> CoderPart | None:
    """What the entropy coder of a file takes from its model."""
    header, _ = _core.read_header(data)
    return load_model(header.model).coder_part(_core.read_plane_header(header))


def codes_digest(data: bytes) -> str:
    """SHA-256 over all code planes of a file, as (codes, rows, columns) int8 each."""
    planes = read_planes(data, coder_part(data))
    return hashlib.sha256(b"".join(plane.tobytes() for plane in planes)).hexdigest()


def samples_digest(data: bytes) -> str:
    """SHA-256 over all samples of a file, (rows, columns, channels), least significant byte first."""
    samples = recodec.decode(data, like="numpy")
    return hashlib.sha256(samples.astype(samples.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _photo(box: tuple[int, int, int, int]) -> Image.Image:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as image:
        return image.convert("RGB").crop(box)


def _with_alpha(image: Image.Image, mode: str) -> Image.Image:
    """``image`` with a soft disc that is opaque, and some noise in its alpha channel."""
    y, x = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    noise = np.random.default_rng(8).normal(0, 3, x.shape)
    alpha = (400 * (1 - np.hypot(x, y)) + noise).clip(0, 255).astype(np.uint8)
    image = image.convert(mode)
    image.putalpha(Image.fromarray(alpha))
    return image


def _in_tiles(image: Image.Image, rows: int, columns: int, halo: int) -> bytes:
    def plan(height: int, width: int, *_: object) -> TileGrid:
        return TileGrid(height, width, rows, columns, halo)

    with mock.patch("recodec.families.recurrent.encoder.plan_tiles", plan):
        return recodec.encode(image, iterations=3, model="tiny")


# Such that four in five codes of every iteration are 0.
_DEAD_ZONES = (1.18, 1.46, 1.99, 2.42, 2.71, 3.88, 4.75, 5.58)


def _with_dead_zones(image: Image.Image) -> bytes:
    """A file of mostly zeros, by the model as one with a dead zone, which its decoder knows nothing of."""
    model = load_model("tiny")
    network = RecurrentCodec(replace(model.network.config, dead_zone=True))
    zones = torch.tensor(_DEAD_ZONES)
    network.load_state_dict(model.network.state_dict() | {"binarizer.dead_zone": zones})
    return Codec(engine_of(replace(model, network=network.eval()))).encode(image, iterations=6)


def make_network_model(path: Path) -> None:
    """A model of a few random weights with an entropy network, the one that stands in where no model is."""
    torch.manual_seed(20)
    config = NetworkConfig(
        depth=8,
        iterations=4,
        reconstruction="additive",
        front_end="pixels",
        encoder=(LayerConfig("conv", 4, kernel=1, resample=2), LayerConfig("lstm", 4, kernel=1, resample=2)),
        decoder=(LayerConfig("lstm", 8, kernel=1, resample=2), LayerConfig("conv", 8, kernel=3, resample=2)),
        dead_zone=True,
    )
    network = RecurrentCodec(config)
    # So that codes and pixels differ from place to place, and not only from the middle.
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()
    network.decoder.output.weight.data *= 2
    pixels = torch.from_numpy(np.array(_photo((200, 80, 328, 208)))).permute(2, 0, 1)[None] / 255 - 0.5
    network.fit_dead_zones(pixels, (0.4, 0.2))
    tables = {name: torch.from_numpy(table.copy()) for name, table in stand_in_tables(config.depth).items()}
    for name, table in tables.items():
        tables[name] = table if name.endswith("_bias") or name == "groups" else table.to(torch.int8)
    save_model(path, network, {"made by": "tests/golden/make.py"}, tables)


def make_latent_model(path: Path) -> None:
    """A small model of embedded planes, with an entropy model of which no weight is 0."""
    network = latent_network(21, replace(SMALL, channels=20, chunks=6))
    entropy = EmbeddedEntropyModel(network.planes, 16, 8)
    with torch.no_grad():
        for parameter in entropy.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    save_model(path, network, {"made by": "tests/golden/make.py"}, entropy.tables())


def good_files() -> dict[str, bytes]:
    """A file for every feature of the format."""
    colour = _photo((360, 90, 481, 176))
    exif = Image.Exif()
    exif[0x010E] = "a golden file"
    buffer = io.BytesIO()
    colour.crop((0, 0, 40, 30)).save(buffer, "png", exif=exif, icc_profile=b"not really a profile" * 3)
    full = recodec.encode(colour, iterations=8, model="tiny")
    info = recodec.info(full)
    cut = info.prefix_bytes(2)
    return {
        "colour": full,
        "colour-truncated": recodec.truncate(full, iterations=3),
        "colour-cut": full[: info.prefix_bytes(5) + 4],
        "grey": recodec.encode(colour.convert("L").crop((3, 5, 60, 38)), iterations=6, model="tiny"),
        "pixel": recodec.encode(colour.crop((50, 50, 51, 51)), iterations=2, model="tiny"),
        "metadata": recodec.encode(Image.open(buffer), iterations=3, model="tiny"),
        "la": recodec.encode(_with_alpha(colour.crop((3, 5, 60, 38)), "LA"), iterations=4, model="tiny"),
        "rgba": recodec.encode(
            _with_alpha(colour.crop((50, 40, 97, 71)), "RGBA"), iterations=4, model="tiny"
        ),
        "opaque": recodec.encode(colour.crop((0, 0, 33, 18)).convert("RGBA"), iterations=2, model="tiny"),
        # A halo narrower than the network reaches: other tiles would give another picture.
        "tiles": _in_tiles(colour, rows=2, columns=3, halo=0),
        "ternary": _with_dead_zones(colour.crop((30, 20, 93, 73))),
        "network": recodec.encode(colour.crop((20, 10, 63, 44)), iterations=4, model="tiny-network"),
        "latent": recodec.encode(colour, model="tiny-latent", iterations=6),
        "latent-adaptive": recodec.encode(
            _with_alpha(colour.crop((3, 5, 60, 38)), "RGBA"),
            model="tiny-latent",
            iterations=4,
            entropy="adaptive",
        ),
        "latent-pixel": recodec.encode(colour.crop((50, 50, 51, 51)), model="tiny-latent", iterations=6),
        # "latent" and "latent-pixel" were made when version 2 of the entropy network was written.
        "latent-learning": recodec.encode(colour, model="tiny-latent", iterations=6),
        "short-header": recodec.encode(
            colour.convert("L").crop((60, 40, 80, 52)), model="latent-1", iterations=9
        ),
        "unknown-chunk": full[:cut]
        + _core.write_chunk(99, b"from the future")
        + full[cut:]
        + b"and after the end",
    }


def _deep(box: tuple[int, int, int, int]) -> np.ndarray[Any, Any]:
    """Of 16 bits, with noise in the lowest."""
    samples = np.asarray(_photo(box)).astype(np.int64) * 257
    noise = np.random.default_rng(16).integers(-100, 100, samples.shape)
    return (samples + noise).clip(0, 65535).astype(np.uint16)


def _drawn() -> Image.Image:
    image = Image.new("RGB", (60, 22), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    for row in range(2):
        draw.text((3 + 6 * row, 10 * row), "golden", fill=(20, 30, 90), font=ImageFont.load_default(size=11))
    return image


def good_lossless_files() -> dict[str, bytes]:
    """A file without loss for every effort, and for all that strips know.

    Strips of colours have more than 256, or they would all have palettes.
    """
    colour = _photo((360, 90, 481, 176))

    def encoded(image: Any, rows: int, effort: str = "default", **options: Any) -> bytes:
        with small_strips(rows, 1):
            return recodec.encode(image, lossless=True, effort=effort, **options)

    grey = np.ascontiguousarray(_deep((360, 90, 380, 105))[..., 1])
    return {
        "lossless-fast": encoded(_photo((480, 200, 510, 224)), 30 * 12, "fast"),
        "lossless-grey": encoded(colour.convert("L").crop((30, 20, 58, 40)), 28 * 10),
        "lossless-best": encoded(_with_alpha(colour.crop((50, 40, 70, 58)), "RGBA"), 20 * 18, "best"),
        "lossless-16-bit": encoded(Image.fromarray(grey), 20 * 15, "best"),
        "lossless-16-bit-colour": encoded(_deep((400, 90, 418, 106)), 18 * 16),
        "lossless-short-header": encoded(_photo((500, 210, 508, 214)), 8 * 4),
        "lossless-drawn": encoded(_drawn(), 60 * 22),
        "lossless-preview": encoded(_photo((480, 160, 510, 182)), 30 * 12, "fast", model="tiny", preview=2.0),
    }


def bad_lossless_files(fast: bytes, drawn: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, from files of two strips of planes and one with a palette."""
    _, start = _core.read_header(fast)
    first, second, _ = chunks_from(fast, start)

    def claim(edit: bytes) -> bytes:
        """With a first strip of other coded bytes."""
        payload = fast[first.payload : first.payload + 4] + edit
        return fast[:start] + _core.write_chunk(CODES, payload) + fast[first.next :]

    huge = _core.read_header(fast)[0]
    huge.width = huge.height = 20_000
    huge.fields = bytes(huge.fields[:1]) + _core.write_varint(20_000) + bytes(huge.fields[-2:])
    draft = _core.read_header(fast)[0]
    draft.fields = b"\0" + bytes(draft.fields[1:])
    _, behind = _core.read_header(drawn)
    (palette, _) = chunks_from(drawn, behind)
    coded = fast[first.payload + 4 : first.next]
    assert (coded[0], drawn[palette.payload + 4]) == (0, 1)
    damaged = bytearray(fast)
    damaged[second.payload + 40] ^= 0x10
    return {
        "lossless-damaged": ("ChecksumError", bytes(damaged)),
        "lossless-of-a-draft": ("UnsupportedError", _core.write_header(draft) + fast[start:]),
        "lossless-huge": ("LimitError", _core.write_header(huge) + fast[start:]),
        # Of bytes that are not there.
        "lossless-planes-too-long": ("FormatError", claim(b"\0\xff\xff\x03" + coded[1:])),
        "lossless-palette-too-long": ("FormatError", claim(drawn[palette.payload + 4 : palette.next][:9])),
    }


def bad_files(full: bytes) -> dict[str, tuple[str, bytes]]:
    """Name to the error that must be raised and the bytes that raise it."""
    info = recodec.info(full)
    start = info.header_bytes

    def flipped(at: int, bit: int = 0x01) -> bytes:
        return full[:at] + bytes([full[at] ^ bit]) + full[at + 1 :]

    def header(change: Any, body_only: bool = True) -> bytes:
        body = bytearray(full[: start - 4])
        change(body)
        return bytes(body) + _core.crc32c(bytes(body)).to_bytes(4, "little") + full[start:]

    def set_byte(at: int, value: int) -> Any:
        return lambda body: body.__setitem__(at, value)

    fields = PlaneFields()
    fields.width = fields.height = 20_000
    fields.depth, fields.model, fields.model_hash = 16, "tiny", bytes.fromhex(info.model_hash)
    huge = write_header(fields) + full[start:]
    first, second = info.prefix_bytes(1), info.prefix_bytes(2)
    return {
        "empty": ("TruncatedError", b""),
        "foreign": ("FormatError", b"\x89PNG\r\n\x1a\n" + full),
        "cut-in-header": ("TruncatedError", full[: start - 1]),
        "cut-in-first-chunk": ("TruncatedError", full[: first - 1]),
        "newer-version": ("UnsupportedError", flipped(4, 0x02)),
        "header-damaged": ("ChecksumError", flipped(8)),
        "reserved-flag": ("UnsupportedError", header(set_byte(6, 0x01))),
        "channels-2": ("UnsupportedError", header(set_byte(9, 0x72))),
        "model-path": ("FormatError", header(lambda body: body.__setitem__(slice(13, 17), b"../t"))),
        "other-model": ("WeightsError", header(lambda body: body.__setitem__(17, body[17] ^ 1))),
        "huge": ("LimitError", huge),
        "codes-damaged": ("ChecksumError", flipped(second - 5, 0x40)),
        "checksum-damaged": ("ChecksumError", flipped(first + 3)),
        "chunks-swapped": (
            "ChecksumError",
            full[:start] + full[first:second] + full[start:first] + full[second:],
        ),
        "chunk-lost": ("FormatError", full[: info.prefix_bytes(7)] + full[info.prefix_bytes(8) :]),
        "chunk-too-short": ("FormatError", full[:start] + bytes([CODES, 3, 1, 2, 3]) + full[start:]),
        "length-overlong": ("FormatError", full[:start] + bytes([CODES, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1])),
    }


def _png(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", **options)
    return buffer.getvalue()


def bad_alpha_files(rgba: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, from a file with an alpha channel before its first codes."""
    info = recodec.info(rgba)
    start, first = info.header_bytes, info.prefix_bytes(1) - info.chunk_bytes[0]
    header, alpha, codes = rgba[:start], rgba[start:first], rgba[first:]
    size = (info.width, info.height)
    found = read_chunk(alpha, 0)
    assert found is not None
    png = alpha[found.payload + 4 :]

    def with_png(content: bytes) -> bytes:
        return header + attached_chunk(ALPHA, content) + codes

    def with_data(compressed: bytes) -> bytes:
        """The same picture with other compressed data, all checksums right."""
        chunk = b"IDAT" + compressed
        idat = len(compressed).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        return with_png(png[:33] + idat + png[-12:])

    filler = zlib.compress(bytes((info.width + 1) * (info.height - 1)))
    return {
        "alpha-missing": ("FormatError", header + codes),
        "alpha-after-codes": (
            "FormatError",
            header + codes[: info.chunk_bytes[0]] + alpha + codes[info.chunk_bytes[0] :],
        ),
        "alpha-twice": ("FormatError", header + alpha + alpha + codes),
        "alpha-damaged": (
            "ChecksumError",
            header + alpha[:-20] + bytes([alpha[-20] ^ 1]) + alpha[-19:] + codes,
        ),
        "alpha-other-size": ("FormatError", with_png(_png(Image.new("L", (info.width + 1, info.height))))),
        "alpha-huge": ("FormatError", with_png(png[:16] + b"\x10\0\0\0\x10\0\0\0" + png[24:])),
        "alpha-16-bit": ("FormatError", with_png(_png(Image.new("I;16", size)))),
        "alpha-colour": ("FormatError", with_png(_png(Image.new("RGB", size)))),
        "alpha-text": ("FormatError", with_png(_png(Image.new("L", size), dpi=(72, 72)))),
        "alpha-cut": ("FormatError", with_png(png[:-30])),
        "alpha-too-few-rows": ("FormatError", with_data(filler)),
        "alpha-not-deflated": ("FormatError", with_data(b"not a deflate stream")),
        "alpha-no-png": ("FormatError", with_png(b"")),
        "alpha-method-2": ("UnsupportedError", _patched_header(header, 10, 0x20) + alpha + codes),
    }


def _patched_header(header: bytes, at: int, value: int) -> bytes:
    body = header[:at] + bytes([value]) + header[at + 1 : -4]
    return body + _core.crc32c(body).to_bytes(4, "little")


def bad_tile_files(grey: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, from a file of one tile."""
    start = recodec.info(grey).header_bytes
    columns, rows, halo = start - 7, start - 6, start - 5
    return {
        f"tiles-{name}": ("FormatError", _patched_header(grey[:start], at, value) + grey[start:])
        for name, at, value in (
            ("no-columns", columns, 0),
            ("too-many-columns", columns, 5),
            ("too-many-rows", rows, 4),
            ("halo-overlong", halo, 0x80),
        )
    }


def bad_entropy_files(grey: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, with the version of the entropy coder that was withdrawn."""
    start = recodec.info(grey).header_bytes
    header = _patched_header(grey[:start], start - 8, 2)
    return {"entropy-version-2": ("UnsupportedError", header + grey[start:])}


def bad_network_files(full: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, with codes of an entropy network that their model does not have."""
    header, _ = read_header(full)
    coder = stand_in_coder(NETWORK, 1, header.depth, 3, 4)
    codes = np.where(np.arange(header.depth * 12) % 3, 1, -1).astype(np.int8)
    header.width, header.height, header.entropy = 4 * header.stride, 3 * header.stride, NETWORK
    data = write_header(header)
    start = len(data)
    data += code_chunk(*coder.encode(codes)) + end_chunk(1)
    return {
        "network-missing": ("WeightsError", data),
        "entropy-network-version-3": (
            "UnsupportedError",
            _patched_header(data[:start], start - 8, 3) + data[start:],
        ),
        "entropy-3": ("UnsupportedError", _patched_header(data[:start], start - 9, 3) + data[start:]),
    }


def bad_short_headers(short: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, from a file with a short header."""
    start = recodec.info(short).header_bytes
    return {
        "preset-unknown": (
            "UnsupportedError",
            _patched_header(short[:start], start - 5, 0x7F) + short[start:],
        ),
        "preset-missing": ("FormatError", _cut_header(short[:start]) + short[start:]),
    }


def _cut_header(header: bytes) -> bytes:
    """Without the last byte of its body."""
    body = header[:5] + bytes([header[5] - 1]) + header[6:-5]
    return body + _core.crc32c(body).to_bytes(4, "little")


def bad_latent_files(latent: bytes, adaptive: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`, from files of embedded planes by both kinds of coders."""
    start = recodec.info(latent).header_bytes
    first, second = recodec.info(latent).prefix_bytes(1), recodec.info(latent).prefix_bytes(2)
    header, columns, end = latent[:start], start - 7, recodec.info(adaptive).header_bytes
    return {
        "latent-in-tiles": ("FormatError", _patched_header(header, columns, 2) + latent[start:]),
        "latent-of-two-symbols": ("UnsupportedError", _patched_header(header, start - 8, 1) + latent[start:]),
        "latent-damaged": ("ChecksumError", latent[: second - 3] + b"\x55\xaa" + latent[second - 1 :]),
        "latent-without-planes": (
            "UnsupportedError",
            _patched_header(adaptive[:end], end - 8, 3) + adaptive[end:],
        ),
        "latent-chunk-lost": ("FormatError", header + latent[first:]),
    }


def bad_limit_files(full: bytes) -> dict[str, tuple[str, bytes]]:
    """Like :func:`bad_files`: what takes work out of all proportion to its picture. Those of planes are for ``verify``.

    To decode them takes the model, which has another stride or depth.
    """
    hash_ = bytes.fromhex(recodec.info(full).model_hash)

    def claim(chunks: int = 1, **fields: int) -> bytes:
        header = PlaneFields(model="tiny", model_hash=hash_, **fields)
        return write_header(header) + code_chunk(b"", 0) * chunks + end_chunk(chunks)

    picture = {"width": 512, "height": 512, "depth": 16}
    return {
        "tiles-of-one-position": (
            "LimitError",
            claim(**picture, tile_columns=32, tile_rows=32, tile_halo=22),
        ),
        "tiles-of-a-long-row": ("LimitError", claim(width=4096, height=1, depth=16, tile_columns=25)),
        "tiles-of-wide-halos": ("LimitError", claim(**picture, tile_columns=8, tile_rows=8, tile_halo=5)),
        "planes-of-a-long-column": ("FormatError", claim(width=1, height=1 << 26, stride=1, depth=3)),
        "planes-of-many-codes": ("FormatError", claim(width=64, height=64, stride=2, depth=5)),
        "planes-too-deep": ("FormatError", claim(width=64, height=64, depth=97)),
        "planes-too-many": ("FormatError", claim(25, width=64, height=64, depth=96)),
    }


def main() -> None:
    """Write what is missing."""
    for name, make in (("tiny-network", make_network_model), ("tiny-latent", make_latent_model)):
        model_path = FOLDER / f"{name}.safetensors"
        if not model_path.exists():
            make(model_path)
            model_path.with_suffix(".hash").write_text(load_model(model_path).hash.hex() + "\n")
    expected_path = FOLDER / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {"good": {}, "bad": {}}
    (FOLDER / "good").mkdir(exist_ok=True)
    (FOLDER / "bad").mkdir(exist_ok=True)
    good = good_files() | good_lossless_files()
    for name, data in good.items():
        path = FOLDER / "good" / f"{name}.rcd"
        if name in expected["good"]:
            good[name] = path.read_bytes()
        else:
            path.write_bytes(data)
            info = recodec.info(data)
            if (info.bit_depth, info.channels) != (16, 3):
                recodec.decode(data).save(FOLDER / "good" / f"{name}.png")
            digest = {"samples": samples_digest(data)} if info.lossless else {"codes": codes_digest(data)}
            expected["good"][name] = {"iterations": info.iterations, **digest}
    bad = bad_files(good["colour"]) | bad_alpha_files(good["rgba"]) | bad_tile_files(good["grey"])
    bad |= bad_entropy_files(good["grey"]) | bad_network_files(good["colour"])
    bad |= bad_latent_files(good["latent"], good["latent-adaptive"]) | bad_limit_files(good["colour"])
    bad |= bad_short_headers(good["short-header"])
    bad |= bad_lossless_files(good["lossless-fast"], good["lossless-drawn"])
    for name, (error, data) in bad.items():
        if name not in expected["bad"]:
            (FOLDER / "bad" / f"{name}.rcd").write_bytes(data)
            expected["bad"][name] = error
    expected_path.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
