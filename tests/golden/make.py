"""Makes golden files that do not exist yet; files that exist are never changed.

    python tests/golden/make.py

Good files are kept with the picture they decode to; ``expected.json`` holds a digest of their codes, and
for every bad file the error it must raise.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

from PIL import Image

FOLDER = Path(__file__).parent
os.environ["RECODEC_WEIGHTS"] = str(FOLDER)

import recodec
from recodec import _core
from recodec.bitstream import CODES, Reader
from recodec.entropy import PlaneDecoder


def codes_digest(data: bytes) -> str:
    """SHA-256 over all code planes of a file, as (iteration, depth, rows, columns) int8."""
    reader = Reader(data)
    planes = PlaneDecoder(reader.header(), 1 << 22)
    digest = hashlib.sha256()
    for chunk in reader.chunks():
        if chunk.type == CODES:
            digest.update(planes.decode(chunk).tobytes())
    return digest.hexdigest()


def _photo(box: tuple[int, int, int, int]) -> Image.Image:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as image:
        return image.convert("RGB").crop(box)


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
        "unknown-chunk": full[:cut]
        + _core.write_chunk(99, b"from the future")
        + full[cut:]
        + b"and after the end",
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

    fields = _core.Header()
    fields.width = fields.height = 20_000
    fields.depth, fields.model, fields.model_hash = 16, "tiny", bytes.fromhex(info.model_hash)
    huge = _core.write_header(fields) + full[start:]
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


def main() -> None:
    """Write what is missing."""
    expected_path = FOLDER / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {"good": {}, "bad": {}}
    (FOLDER / "good").mkdir(exist_ok=True)
    (FOLDER / "bad").mkdir(exist_ok=True)
    good = good_files()
    for name, data in good.items():
        if name not in expected["good"]:
            (FOLDER / "good" / f"{name}.rcd").write_bytes(data)
            recodec.decode(data).save(FOLDER / "good" / f"{name}.png")
            expected["good"][name] = {
                "codes": codes_digest(data),
                "iterations": recodec.info(data).iterations,
            }
    for name, (error, data) in bad_files(good["colour"]).items():
        if name not in expected["bad"]:
            (FOLDER / "bad" / f"{name}.rcd").write_bytes(data)
            expected["bad"][name] = error
    expected_path.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
