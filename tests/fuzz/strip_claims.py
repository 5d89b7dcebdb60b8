"""Headers that claim things of strips: in files of strips alone, and in those where strips follow a lossy picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle, islice

from numpy.random import Generator

from recodec import _core
from recodec.container.core import ALPHA_IN_STRIPS, CODES, EXACT, STRIP, attached_chunk, end_chunk
from recodec.container.reader import Reader
from recodec.families.lossless.fields import EFFORTS, StripFields, least_rows
from tests.strip_files import LOSSLESS_FAMILY, repair_strips

from .inputs import draw

# In the place where other claims have their entropy coder.
STRIPS = "strips"
# Strips take some microseconds a sample, sound or not.
MOST_EXPONENT = 12


@dataclass(frozen=True)
class StripClaim:
    """What a header says of strips, and the sound file whose coded bytes follow it."""

    model: str
    entropy: str
    exponent: int
    coded_exponent: int
    sound: bytes
    width: int
    height: int
    channels: int
    alpha: bool
    fields: StripFields

    def __str__(self) -> str:
        f = self.fields
        strips = f"strips of {f.strip_rows} rows, {f.channels} channels, {f.depth} bits, effort {f.effort}"
        return f"{self.model}: {self.width} x {self.height}, {strips}"

    def file(self) -> bytes:
        """The claim with as many strips as it has room for, their checksums right for what they are decoded to."""
        reader = Reader(self.sound)
        header = reader.header()
        chunks = list(reader.chunks())
        data = bytearray()
        if header.family == LOSSLESS_FAMILY:
            header.width, header.height, header.channels = self.width, self.height, self.channels
            header.bit_depth, header.alpha = self.fields.depth, ALPHA_IN_STRIPS * self.alpha
            header.fields = self.fields.to_bytes()
            codes, kind = 0, CODES
        else:
            data += attached_chunk(EXACT, self.fields.to_bytes())
            plane_chunks = [chunk.payload for chunk in chunks if chunk.type == CODES]
            data += b"".join(_core.write_chunk(CODES, payload) for payload in plane_chunks)
            codes, kind = len(plane_chunks), STRIP
        strips = [chunk.payload for chunk in chunks if chunk.type == kind]
        count = self.fields.strips(self.height)
        data += b"".join(_core.write_chunk(kind, payload) for payload in islice(cycle(strips), count))
        whole = bytearray(_core.write_header(header)) + data + end_chunk(codes or count)
        repair_strips(whole)
        return bytes(whole)


def strip_claim(rng: Generator, model: str, exponent: int, coded_exponent: int, sound: bytes) -> StripClaim:
    """Of 2^exponent pixels, as many as the sound file has, with up to three fields changed."""
    header, _ = _core.read_header(sound)
    alone = header.family == LOSSLESS_FAMILY
    width, height = header.width, header.height
    if alone:
        wide = draw(rng, (0, exponent, exponent // 2, int(rng.integers(exponent + 1))))
        width, height = 1 << wide, 1 << exponent - wide
    made = StripClaim(
        model, STRIPS, exponent, coded_exponent, sound, width, height, header.channels, False,
        StripFields(height, 1, header.channels),
    )  # fmt: skip
    for change in rng.choice(4, int(rng.integers(4)), replace=False):
        made = _changed(rng, made, int(change), alone)
    return made


def _changed(rng: Generator, made: StripClaim, kind: int, alone: bool) -> StripClaim:
    fields, least = made.fields, least_rows(made.width, made.height)
    if kind == 0:
        rows = draw(rng, (least, 2 * least, -(-made.height // 2), made.height))
        return replace(made, fields=replace(fields, strip_rows=min(rows, made.height)))
    if kind == 1:
        return replace(made, fields=replace(fields, effort=int(rng.integers(len(EFFORTS)))))
    if kind == 2:
        return replace(made, fields=replace(fields, depth=16))
    if not alone:
        # Of an alpha channel that the file has not.
        return replace(made, fields=replace(fields, channels=fields.channels + 1))
    channels, alpha = draw(rng, (1, 3)), bool(rng.integers(2))
    return replace(made, channels=channels, alpha=alpha, fields=replace(fields, channels=channels + alpha))
