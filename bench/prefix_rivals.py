"""Progressive JPEG, JPEG 2000 and JPEG XL: one file of a picture, and what its first bytes show."""

from __future__ import annotations

import re
import struct
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import libjxl
from recodec.errors import PackageError
from recodec.eval.codecs import ImageCodec, JpegXl, PillowCodec
from recodec.eval.metrics import Pixels

_JPEG_SOS, _JPEG_EOI = b"\xff\xda", b"\xff\xd9"
# In entropy-coded bytes 255 is followed by 0 where it is no marker, and restarts do not end them.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_J2K_SOT, _J2K_SOD, _J2K_EOC = b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_J2K_COD, _J2K_PLT = b"\xff\x52", b"\xff\x58"
_J2K_SOT_BYTES = 12


class Progressive(ImageCodec):
    """A codec whose files begin with smaller ones; they are made with the last setting of the ladder."""

    @abstractmethod
    def shown(self, file: bytes, most_bytes: int) -> tuple[int, Pixels] | None:
        """Bytes and pixels of the picture in the first bytes of a file; None if that is none yet."""


@dataclass(frozen=True)
class ProgressivePillow(PillowCodec, Progressive):
    """A format that Pillow reads and writes; ``cut`` makes a whole file of the first bytes of one."""

    cut: Callable[[bytes, int], bytes | None]

    def shown(self, file: bytes, most_bytes: int) -> tuple[int, Pixels] | None:
        """Decoded as a file of its own."""
        prefix = self.cut(file, most_bytes)
        return None if prefix is None else (len(prefix), self.decode(prefix))


class ProgressiveJpegXl(JpegXl, Progressive):
    """What ``cjxl -p`` sets. Lower resolutions of DC make files larger and show nothing earlier with libjxl 0.11."""

    name = "jxl-progressive"
    description = "libjxl VarDCT, effort 7, qprogressive_ac, distance 1"
    ladder = (1.0,)

    def unavailable(self) -> str | None:
        """It takes more than imagecodecs offers."""
        try:
            libjxl.library()
        except PackageError as error:
            return str(error)
        return None

    def encode(self, original: Pixels, setting: float) -> bytes:
        """At a Butteraugli distance."""
        settings = {libjxl.EFFORT: 7, libjxl.QPROGRESSIVE_AC: 1, libjxl.RESPONSIVE: 1}
        return libjxl.encode(original, setting, settings)

    def shown(self, file: bytes, most_bytes: int) -> tuple[int, Pixels] | None:
        """As a viewer would that draws while a file arrives."""
        prefix = file[:most_bytes]
        pixels = libjxl.decode_beginning(prefix)
        return None if pixels is None else (len(prefix), pixels)


def cut_scans(file: bytes, most_bytes: int) -> bytes | None:
    """A JPEG that ends early, in a scan or after it; None before the first scan has shown every block.

    With a marker at its end libjpeg decodes all that is there. Tables without a scan would be an error.
    """
    if len(file) <= most_bytes:
        return file
    room = most_bytes - len(_JPEG_EOI)
    ends = [end for start, end in _scans(file) if start < room]
    if not ends or ends[0] > room:
        return None
    return file[: min(ends[-1], room)] + _JPEG_EOI


def _scans(file: bytes) -> Iterator[tuple[int, int]]:
    """Where the entropy-coded bytes of each scan begin and end."""
    at = 2
    while (marker := file[at : at + 2]) != _JPEG_EOI:
        at += 2 + int.from_bytes(file[at + 2 : at + 4])
        if marker == _JPEG_SOS:
            start = at
            found = _JPEG_MARKER.search(file, start)
            assert found, "Pillow ends its files"
            at = found.start()
            yield start, at


def cut_layers(file: bytes, most_bytes: int) -> bytes | None:
    """The JPEG 2000 code stream that the whole layers in so many bytes are; None if not even one is whole.

    OpenJPEG takes none that ends early, so the headers say that there are no more. Takes one tile, progression by
    layers, and lengths of packets (PLT), which the result is without.
    """
    at, cod, sot = 2, 0, 0
    lengths: list[int] = []
    while (marker := file[at : at + 2]) != _J2K_SOD:
        end = at + 2 + int.from_bytes(file[at + 2 : at + 4])
        if marker == _J2K_COD:
            cod = at
        elif marker == _J2K_SOT:
            sot = at
        elif marker == _J2K_PLT:
            lengths += _packet_lengths(file[at + 5 : end])
        at = end
    (layers,) = struct.unpack_from(">H", file, cod + 6)
    ends = np.cumsum(lengths).reshape(layers, -1)[:, -1]
    headers = sot + _J2K_SOT_BYTES + len(_J2K_SOD)
    kept = int(np.searchsorted(ends, most_bytes - headers - len(_J2K_EOC), side="right"))
    if not kept:
        return None
    packets = file[at + 2 : at + 2 + int(ends[kept - 1])]
    start = bytearray(file[: sot + _J2K_SOT_BYTES])
    struct.pack_into(">H", start, cod + 6, kept)
    struct.pack_into(">I", start, sot + 6, _J2K_SOT_BYTES + len(_J2K_SOD) + len(packets))
    return bytes(start) + _J2K_SOD + packets + _J2K_EOC


def _packet_lengths(coded: bytes) -> Iterator[int]:
    """Seven bits a byte, the first ones first; all bytes but the last of a number are 128 or more."""
    length = 0
    for byte in coded:
        length = length << 7 | byte & 127
        if byte < 128:
            yield length
            length = 0


RIVALS: tuple[Progressive, ...] = (
    ProgressivePillow(
        "jpeg420-progressive",
        "libjpeg-turbo, 4:2:0, progressive, optimised tables, quality 88",
        (88,),
        "JPEG",
        "libjpeg_turbo",
        lambda quality: {
            "quality": int(quality),
            "subsampling": "4:2:0",
            "progressive": True,
            "optimize": True,
        },
        cut_scans,
    ),
    ProgressivePillow(
        "jpeg2000-layers",
        # A layer ends just below every rate that is asked for, and the others between: where layers ended elsewhere,
        # what is whole would fall short of the rate by up to a layer.
        "OpenJPEG, code stream, irreversible 9/7 + ICT, one tile, LRCP, 27 layers up to 2.8 bpp, four an octave",
        (0.99 * 2**1.5,),
        "JPEG2000",
        "jpg_2000",
        lambda bpp: {
            "quality_mode": "rates",
            "quality_layers": [24 / (bpp * 2 ** (-step / 4)) for step in reversed(range(27))],
            "irreversible": True,
            "mct": 1,
            "progression": "LRCP",
            "no_jp2": True,
            "plt": True,
        },
        cut_layers,
    ),
    ProgressiveJpegXl(),
)
