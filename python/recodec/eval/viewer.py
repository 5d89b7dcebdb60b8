"""What the page's viewer shows: a picture after each chunk, beside JPEG in as many bytes."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from recodec.codec import Codec
from recodec.eval.curve import load_rgb, measure, score
from recodec.eval.jpeg import JpegLadder
from recodec.eval.metrics import Pixels

# A page must stay small enough to be opened; larger pictures are shown in part, never scaled.
MAX_WIDTH, MAX_HEIGHT = 1024, 768
# Of the WebP that carries decoded pixels: its own error is far below that of what it shows.
CARRIER_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Frame:
    """A data URI and the score of the whole picture."""

    uri: str
    score: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frames:
    """One picture of the viewer. ``jpegs`` has None where no JPEG is as small as the prefix."""

    name: str
    model: str
    width: int
    height: int
    cropped: bool
    original: str
    chunks: list[Frame]
    jpegs: list[Frame | None]

    def to_json(self) -> str:
        """For the page and the cache."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Frames:
        """What :meth:`to_json` wrote."""
        fields = json.loads(text)
        for name in ("chunks", "jpegs"):
            fields[name] = [frame and Frame(**frame) for frame in fields[name]]
        return cls(**fields)


def make_frames(name: str, codec: Codec, original: Pixels, iterations: int) -> Frames:
    """Encode with ``iterations`` chunks, and find the best JPEG of at most the bytes of each prefix."""
    middle = crop(original)
    cropped = middle.shape != original.shape
    ladder = JpegLadder(Image.fromarray(original))
    chunks: list[Frame] = []
    jpegs: list[Frame | None] = []
    for step in measure(codec, original, iterations):
        chunks.append(Frame(_webp(crop(step.pixels)), asdict(step.score)))
        file = ladder.largest_within(step.score.bytes)
        jpegs.append(_jpeg_frame(original, file, cropped=cropped) if file else None)
    height, width = middle.shape[:2]
    return Frames(
        name,
        codec.id,
        width,
        height,
        cropped,
        _webp(middle, lossless=True),
        chunks,
        jpegs,
    )


def crop(pixels: Pixels) -> Pixels:
    """The middle, at most 1024×768."""
    height, width = pixels.shape[:2]
    h, w = min(height, MAX_HEIGHT), min(width, MAX_WIDTH)
    top, left = (height - h) // 2, (width - w) // 2
    return pixels[top : top + h, left : left + w]


def _jpeg_frame(original: Pixels, file: bytes, *, cropped: bool) -> Frame:
    decoded = load_rgb(io.BytesIO(file))
    uri = _webp(crop(decoded)) if cropped else _data_uri("jpeg", file)
    return Frame(uri, asdict(score(original, decoded, len(file))))


def _webp(pixels: Pixels, *, lossless: bool = False) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=CARRIER_QUALITY, lossless=lossless, method=4)
    return _data_uri("webp", buffer.getvalue())


def _data_uri(kind: str, file: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
