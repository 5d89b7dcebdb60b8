"""The codecs that are compared, behind one interface.

Names and settings are those of the project's Kodak anchors, so that numbers can be put side by side.
"""

from __future__ import annotations

import hashlib
import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from PIL import Image, features

import recodec
from recodec.codec import Codec
from recodec.eval.curve import decode_pixels, progressive_pixels
from recodec.eval.jpeg import encode_jpeg
from recodec.eval.metrics import Pixels

# What the names of our models begin with in results.
RECODEC = "recodec-"


@dataclass(frozen=True, slots=True)
class Coded:
    """A picture through a codec at one setting: the whole file, H×W×3 uint8 pixels, wall-clock seconds."""

    setting: float
    file: bytes
    pixels: Pixels
    encode_s: float
    decode_s: float


class ImageCodec(ABC):
    """A codec with a ladder of settings, from small files to large ones."""

    name: str
    description: str
    ladder: Sequence[float]

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the implementation; results are kept only as long as it stays the same."""

    @abstractmethod
    def unavailable(self) -> str | None:
        """Why it cannot be used here, with what to do about it; None if it can."""

    @abstractmethod
    def encode(self, original: Pixels, setting: float) -> bytes:
        """H×W×3 uint8 to a whole file."""

    @abstractmethod
    def decode(self, file: bytes) -> Pixels:
        """A file to H×W×3 uint8."""

    def climb(self, original: Pixels, settings: Sequence[float]) -> Iterator[Coded]:
        """Code the picture at some settings of the ladder."""
        for setting in settings:
            start = time.perf_counter()
            file = self.encode(original, setting)
            middle = time.perf_counter()
            pixels = self.decode(file)
            yield Coded(setting, file, pixels, middle - start, time.perf_counter() - middle)

    def fingerprint(self) -> str:
        """What a cached result depends on beside picture and setting, as 16 hexadecimal digits."""
        text = f"{self.name}\n{self.description}\n{self.version}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class OfPillow(ImageCodec):
    """A format of Pillow, by its name there and that of the library under it."""

    format: str
    feature: str

    @property
    def version(self) -> str:
        """Pillow and the library under it."""
        return f"Pillow {version('pillow')}, {features.version(self.feature)}"

    def unavailable(self) -> str | None:
        """Pillow may have been built without the library."""
        return None if features.check(self.feature) else f"this build of Pillow has no {self.format}"


class OfImagecodecs(ImageCodec):
    """A codec of imagecodecs."""

    @property
    def version(self) -> str:
        """The wheel's; it fixes those of libraries."""
        return f"imagecodecs {version('imagecodecs')}"

    def unavailable(self) -> str | None:
        """It is an extra."""
        try:
            version("imagecodecs")
        except PackageNotFoundError:
            return "imagecodecs is not installed; install recodec with the extra eval"
        return None


@dataclass(frozen=True)
class PillowCodec(OfPillow):
    """A format that Pillow writes; ``options`` turns a setting into arguments of ``Image.save``."""

    name: str
    description: str
    ladder: Sequence[float]
    format: str
    feature: str
    options: Callable[[float], Mapping[str, Any]]

    def encode(self, original: Pixels, setting: float) -> bytes:
        """Without metadata."""
        buffer = io.BytesIO()
        Image.fromarray(original).save(buffer, self.format, **self.options(setting))
        return buffer.getvalue()

    def decode(self, file: bytes) -> Pixels:
        """Through Pillow, as a viewer would."""
        with Image.open(io.BytesIO(file)) as image:
            return np.asarray(image.convert("RGB"))


class Jpeg(PillowCodec):
    """The JPEG of every other comparison here."""

    @property
    def version(self) -> str:
        """Pillow, and libjpeg-turbo rather than the interface of libjpeg that it offers."""
        return f"Pillow {version('pillow')}, {features.version('libjpeg_turbo') or features.version('jpg')}"

    def encode(self, original: Pixels, setting: float) -> bytes:
        """See :func:`recodec.eval.jpeg.encode_jpeg`."""
        return encode_jpeg(Image.fromarray(original), int(setting))


class JpegXl(OfImagecodecs):
    """JPEG XL through imagecodecs. The plugin for Pillow is GPL and no part of this package."""

    name = "jxl-e7"
    description = "libjxl VarDCT, effort 7, distance"
    ladder: Sequence[float] = (25, 22, 17, 13, 10, 7.5, 5.5, 4, 2.8, 2, 1.4, 1, 0.85, 0.7)

    def encode(self, original: Pixels, setting: float) -> bytes:
        """At a Butteraugli distance."""
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(original, distance=setting, effort=7, numthreads=1))

    def decode(self, file: bytes) -> Pixels:
        """With one thread, like the encoder."""
        import imagecodecs

        return np.asarray(imagecodecs.jpegxl_decode(file, numthreads=1))


class RecodecModel(ImageCodec):
    """One of our models. The settings are numbers of chunks, and one encode makes them all."""

    def __init__(self, codec: Codec, iterations: int | None = None):
        self.codec = codec
        self.name = RECODEC + codec.id
        self.description = f"model {codec.id} ({codec.hash.hex()}), every prefix of one file"
        self.ladder = tuple(range(1, (iterations or codec.iterations) + 1))

    @property
    def version(self) -> str:
        """Of this package; where and in which type the network runs changes pixels a little."""
        return f"recodec {recodec.__version__}, {self.codec.device.type} {self.codec.dtype}"

    def unavailable(self) -> str | None:
        """A model that was loaded can be used."""
        return None

    def encode(self, original: Pixels, setting: float) -> bytes:
        """A file of ``setting`` chunks."""
        data: bytes = self.codec.encode(original, iterations=int(setting))
        return data

    def decode(self, file: bytes) -> Pixels:
        """All chunks of a file."""
        return decode_pixels(self.codec, file)

    def climb(self, original: Pixels, settings: Sequence[float]) -> Iterator[Coded]:
        """See :func:`climb_prefixes`."""
        return climb_prefixes(self.codec, original, [int(chunks) for chunks in settings])


def climb_prefixes(codec: Codec, original: Pixels, counts: Sequence[int]) -> Iterator[Coded]:
    """Encode once, and code the picture with the first so many chunks; the settings are their numbers.

    The time of the one encode stands at every prefix; the time to decode a prefix is that of going through its chunks
    and showing a picture after each.
    """
    start = time.perf_counter()
    whole = codec.encode(original, iterations=max(counts))
    encode_s = time.perf_counter() - start
    decode_s = 0.0
    pictures = progressive_pixels(codec, whole)
    for chunks in range(1, max(counts) + 1):
        start = time.perf_counter()
        pixels = next(pictures)
        decode_s += time.perf_counter() - start
        if chunks in counts:
            file = recodec.truncate(whole, iterations=chunks)
            yield Coded(chunks, file, pixels, encode_s, decode_s)


CLASSIC: tuple[ImageCodec, ...] = (
    Jpeg(
        "jpeg420",
        "libjpeg-turbo, 4:2:0, baseline, optimize=True, quality",
        (1, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93),
        "JPEG",
        "jpg",
        lambda quality: {"quality": int(quality)},
    ),
    PillowCodec(
        "jpeg2000",
        # Without mct=1 Pillow writes the three planes as they are, which costs 4 dB at 1 bpp.
        "OpenJPEG, JP2 file, irreversible 9/7 + ICT, one tile, one layer, target bpp",
        (0.1, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25),
        "JPEG2000",
        "jpg_2000",
        lambda bpp: {
            "quality_mode": "rates",
            "quality_layers": [24 / bpp],
            "irreversible": True,
            "mct": 1,
        },
    ),
    PillowCodec(
        "webp",
        "libwebp lossy, method 6, quality",
        (0, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93),
        "WEBP",
        "webp",
        lambda quality: {"quality": int(quality), "method": 6},
    ),
    PillowCodec(
        "avif420",
        "libavif + libaom, 4:2:0, speed 6, default tuning (tune=iq), quality",
        (5, 10, 15, 20, 30, 40, 50, 60, 65, 70, 75, 80, 85, 88, 91),
        "AVIF",
        "avif",
        lambda quality: {"quality": int(quality), "subsampling": "4:2:0", "speed": 6, "max_threads": 1},
    ),
    JpegXl(),
)
