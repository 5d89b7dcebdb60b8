"""Chunks of strips, taken apart, damaged and made sound again."""

from __future__ import annotations

from unittest import mock

import numpy as np

import recodec
from recodec import _core
from recodec.container.core import CODES, EXACT, STRIP
from recodec.errors import FormatError
from recodec.families.lossless import engine
from recodec.families.lossless.fields import StripFields

LOSSLESS_FAMILY = 2


def small_strips(rows: int, width: int) -> mock._patch[int]:
    """While it is entered, files get strips of so many rows."""
    return mock.patch.object(engine, "_STRIP_PIXELS", rows * width)


def lossless_files(model: str) -> list[bytes]:
    """Small sound files without loss, with a preview by the model and without, of several strips each."""
    y, x = np.mgrid[0:20, 0:13]
    colour = np.stack([x * 19, y * 12, x * y], axis=2).astype(np.uint8)
    made = []
    deep = np.dstack([colour[:, :, :1], colour[:, :, 2:]]).astype(np.uint16) * 250
    for image in (colour, colour[:, :, :1], np.dstack([colour, colour[:, :, 2]]), deep):
        with small_strips(7, image.shape[1]):
            made.append(recodec.encode(image, lossless=True))
            made.append(recodec.encode(image, model=model, lossless=True, preview=2))
    return made


def chunks_from(data: bytes | bytearray, at: int) -> list[_core.Chunk]:
    """Whole chunks, up to the first that is none."""
    found = []
    try:
        while (chunk := _core.read_chunk_head(data, at)) is not None and chunk.next <= len(data):
            found.append(chunk)
            at = chunk.next
    except _core.CoreError:
        pass
    return found


def repair_strips(data: bytearray, max_samples: int = 1 << 16) -> None:
    """Make the checksums of strips right for what they stand for, wherever that can be told."""
    try:
        header, end = _core.read_header(data)
        chunks = chunks_from(data, end)
        kind, claimed = (CODES, bytes(header.fields)) if header.family == LOSSLESS_FAMILY else (STRIP, b"")
        for chunk in chunks:
            if kind == STRIP and chunk.type == EXACT:
                claimed = bytes(data[chunk.payload + 4 : chunk.next])
        fields = StripFields.read(claimed, header)
    except (_core.CoreError, FormatError):
        return
    if header.width * header.height * fields.channels > max_samples:
        return
    strips = (chunk for chunk in chunks if chunk.type == kind and chunk.size >= 4)
    for number, chunk in zip(range(fields.strips(header.height)), strips, strict=False):
        rows = min(fields.strip_rows, header.height - number * fields.strip_rows)
        coded = bytes(data[chunk.payload + 4 : chunk.next])
        try:
            samples = _core.decode_strip(
                coded, rows, header.width, fields.channels, fields.depth, fields.effort
            )
        except _core.CoreError:
            continue
        little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
        covered = bytes([kind, number]) + coded + little.tobytes()
        data[chunk.payload : chunk.payload + 4] = _core.crc32c(covered).to_bytes(4, "little")


_VALUES = {
    "strip_rows": (0, 1, 2, 7, 20, 21, 255, 1 << 31),
    "effort": (0, 1, 2, 3, 255),
    "channels": (0, 1, 2, 3, 4, 15),
    "depth": (1, 8, 16),
}


def edit_strips(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    """Give the fields of strips values at which limits lie, in the first chunk or, in their own family, the header."""
    try:
        header, end = _core.read_header(data)
    except _core.CoreError:
        return
    values = {name: int(rng.choice(choices)) for name, choices in _VALUES.items()}
    kept = {name: rng.random() < 0.6 for name in _VALUES}
    try:
        chunks = chunks_from(data, end)
        own = header.family == LOSSLESS_FAMILY
        place = next((chunk for chunk in chunks if chunk.type == EXACT), None)
        content = (
            bytes(header.fields) if own or place is None else bytes(data[place.payload + 4 : place.next])
        )
        now = StripFields.read(content, header)
    except FormatError:
        now = StripFields(7, 1, header.channels)
    fields = StripFields(**{n: getattr(now, n) if kept[n] else v for n, v in values.items()}).to_bytes()
    if own:
        header.fields = fields
        data[:end] = _core.write_header(header)
        return
    made = _core.write_chunk(EXACT, _core.crc32c(bytes([EXACT]) + fields).to_bytes(4, "little") + fields)
    start, stop = (end, end) if place is None else (_start_of(chunks, place, end), place.next)
    data[start:stop] = made


def _start_of(chunks: list[_core.Chunk], wanted: _core.Chunk, end: int) -> int:
    starts = [end, *(chunk.next for chunk in chunks)]
    return starts[chunks.index(wanted)]
