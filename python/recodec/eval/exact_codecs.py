"""The codecs that lose nothing, behind the interface of those that do, each with one setting."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image

import recodec
from recodec.errors import RecodecError
from recodec.eval.codecs import RECODEC, Coded, ImageCodec, OfImagecodecs, OfPillow
from recodec.eval.metrics import Pixels
from recodec.lossless_mode import Effort


class ExactCodec(ImageCodec):
    """A codec whose pictures must be the originals; H×W×C uint8 with 1 channel or 3."""

    ladder: Sequence[float] = (0,)

    def climb(self, original: Pixels, settings: Sequence[float]) -> Iterator[Coded]:
        """Raises :class:`RecodecError` for a picture that does not come back, before its size counts."""
        for coded in super().climb(original, settings):
            # Formats without grey give it back as RGB.
            known = original if coded.pixels.ndim == 3 else original[:, :, 0]
            if coded.pixels.shape[:2] != original.shape[:2] or (coded.pixels != known).any():
                raise RecodecError(f"{self.name} does not give the picture back: a file of it is no result")
            yield coded


@dataclass(frozen=True)
class ExactRecodec(ExactCodec):
    """Ours."""

    effort: Effort

    @property
    def name(self) -> str:  # type: ignore[override]
        """With the effort."""
        return f"{RECODEC}{self.effort}"

    @property
    def description(self) -> str:  # type: ignore[override]
        """What makes it."""
        return f"recodec, lossless=True, effort={self.effort!r}"

    @property
    def version(self) -> str:
        """Of this package."""
        return f"recodec {recodec.__version__}"

    def unavailable(self) -> str | None:
        """It is here."""
        return None

    def encode(self, original: Pixels, setting: float) -> bytes:
        """With the threads that torch has."""
        data: bytes = recodec.encode(original, lossless=True, effort=self.effort)
        return data

    def decode(self, file: bytes) -> Pixels:
        """Likewise."""
        return cast(Pixels, recodec.decode(file, like="numpy"))


@dataclass(frozen=True)
class ExactPillow(ExactCodec, OfPillow):
    """A format that Pillow writes without loss; ``colour`` are options of ``Image.save`` for RGB alone."""

    name: str
    description: str
    format: str
    feature: str
    options: dict[str, Any]
    colour: dict[str, Any]

    def encode(self, original: Pixels, setting: float) -> bytes:
        """Without metadata."""
        grey, buffer = original.shape[2] == 1, io.BytesIO()
        image = Image.fromarray(original[:, :, 0] if grey else original)
        image.save(buffer, self.format, **self.options, **({} if grey else self.colour))
        return buffer.getvalue()

    def decode(self, file: bytes) -> Pixels:
        """Through Pillow, as a viewer would."""
        with Image.open(io.BytesIO(file)) as image:
            return np.asarray(image)


@dataclass(frozen=True)
class ExactImagecodecs(ExactCodec, OfImagecodecs):
    """A codec of imagecodecs: what its functions are called by, and options of the first."""

    name: str
    description: str
    function: str
    options: dict[str, Any]

    def encode(self, original: Pixels, setting: float) -> bytes:
        """With one thread."""
        import imagecodecs

        encode = getattr(imagecodecs, f"{self.function}_encode")
        samples = original[:, :, 0] if original.shape[2] == 1 else original
        # Room for what grows: CharLS gets no more than a picture takes, and noise takes more.
        room = bytearray(2 * original.nbytes + 1024)
        return bytes(encode(samples, **self.options, out=room))

    def decode(self, file: bytes) -> Pixels:
        """Likewise."""
        import imagecodecs

        return np.asarray(getattr(imagecodecs, f"{self.function}_decode")(file))


EXACT: tuple[ExactCodec, ...] = (
    ExactRecodec("fast"),
    ExactRecodec("default"),
    ExactRecodec("best"),
    ExactPillow("png", "zlib, optimize=True", "PNG", "zlib", {"optimize": True}, {}),
    ExactPillow(
        "webp",
        "libwebp lossless, method 6, quality 100",
        "WEBP",
        "webp",
        {"lossless": True, "method": 6, "quality": 100},
        {},
    ),
    ExactPillow(
        "jpeg2000",
        "OpenJPEG, JP2 file, reversible 5/3 + RCT, one tile",
        "JPEG2000",
        "jpg_2000",
        {"irreversible": False},
        {"mct": 1},
    ),
    ExactImagecodecs(
        "jxl-e7",
        "libjxl modular, effort 7",
        "jpegxl",
        {"lossless": True, "effort": 7, "numthreads": 1},
    ),
    ExactImagecodecs(
        "jxl-e9",
        "libjxl modular, effort 9",
        "jpegxl",
        {"lossless": True, "effort": 9, "numthreads": 1},
    ),
    ExactImagecodecs("jpeg-ls", "CharLS, planes as they are", "jpegls", {}),
)
