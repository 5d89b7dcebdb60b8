"""A second reader of files down to their chunks, written from FORMAT.md: slow, plain, no code shared with the core.

Section numbers are those of FORMAT.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from types import SimpleNamespace


class RejectedError(Exception):
    """The file is not one that FORMAT.md allows."""


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# 1 to 6: header and chunks


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if len(self.data) - self.at < size:
            raise EOFError
        self.at += size
        return self.data[self.at - size : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def varint(self) -> int:
        value = 0
        for i in range(5):
            byte = self.u8()
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                if (i > 0 and byte == 0) or value >= 1 << 32:
                    raise RejectedError("varint")
                return value
        raise RejectedError("varint")


def reject_unless(condition: bool, what: str) -> None:
    if not condition:
        raise RejectedError(what)


def read_strip_fields(data: bytes, width: int, height: int, channels: tuple[int, ...]) -> SimpleNamespace:
    """3, family 2; ``channels`` are what they may be."""
    body, f = Reader(data), SimpleNamespace()
    try:
        reject_unless(body.u8() == 1, "version of the lossless coder")
        f.rows, f.effort, samples = body.varint(), body.u8(), body.u8()
    except EOFError:
        raise RejectedError("fields of strips") from None
    most = min(255, 8 + width * height // 1024)
    reject_unless(-(-height // most) <= f.rows <= height, "strip rows")
    reject_unless(f.effort <= 2, "effort")
    f.channels, f.depth = samples & 15, (samples >> 4) + 1
    reject_unless(f.channels in channels and f.depth in (8, 16), "samples of strips")
    f.count = -(-height // f.rows)
    return f


def read_header(reader: Reader) -> SimpleNamespace:
    reject_unless(reader.take(4) == b"\x8eRCD", "magic")
    reject_unless(reader.u8() == 1, "version")
    size = reader.varint()
    reject_unless(size <= 512, "body size")
    body = Reader(reader.take(size))
    expected = crc32c(reader.data[: reader.at])
    reject_unless(reader.u32() == expected, "header CRC")
    try:
        return read_body(body)
    except EOFError:
        raise RejectedError("body") from None


# Bytes that a short header leaves out, by their number.
PRESETS = {
    1: "01 08 6C 61 74 65 6E 74 2D 31 48 50 9E B7 F6 2B E1 48 10 80 02 02 02 01 01 00",
    2: "01 08 6C 61 74 65 6E 74 2D 32 A2 DA 21 95 C5 25 C6 C2 10 80 02 02 02 01 01 00",
    3: "02 08 6C 6F 73 73 6C 65 73 73 00 00 00 00 00 00 00 00 01",
    4: "01 08 6C 61 74 65 6E 74 2D 33 72 6D 66 3E 4C 6C BD B1 10 80 02 02 04 01 01 00",
    5: "01 08 6C 61 74 65 6E 74 2D 34 10 6A E3 65 15 6A D2 25 10 80 02 02 04 01 01 00",
}


def read_body(body: Reader) -> SimpleNamespace:
    h = SimpleNamespace()
    flags = body.u8()
    reject_unless(flags & 0x0D == 0, "flags")
    h.width, h.height = body.varint(), body.varint()
    reject_unless(1 <= h.width <= 1 << 30 and 1 <= h.height <= 1 << 30, "size")
    samples, colour = body.u8(), body.u8()
    h.channels, h.bit_depth, h.colour, h.alpha = samples & 15, (samples >> 4) + 1, colour & 15, colour >> 4
    reject_unless(h.channels in (1, 3) and h.colour in (0, 1), "channels, colour")
    if flags & 2:
        number = body.varint()
        reject_unless(number in PRESETS, "preset")
        body = Reader(bytes.fromhex(PRESETS[number]) + body.data[body.at :])
    h.family = body.u8()
    reject_unless(h.family in (1, 2), "family")
    depths, alphas = ((8,), (0, 1)) if h.family == 1 else ((8, 16), (0, 2))
    reject_unless(h.bit_depth in depths and h.alpha in alphas, "samples, alpha")
    h.model = body.take(body.u8())
    reject_unless(1 <= len(h.model) <= 32, "model id")
    reject_unless(set(h.model) <= set(b"abcdefghijklmnopqrstuvwxyz0123456789-"), "model id")
    h.model_hash = body.take(8)
    if h.family == 2:
        reject_unless(h.model == b"lossless" and h.model_hash == bytes(8), "model")
        held = (h.channels + (h.alpha == 2),)
        h.strips = read_strip_fields(body.data[body.at :], h.width, h.height, held)
        reject_unless(h.strips.depth == h.bit_depth, "bit depth")
        return h
    h.stride, h.depth = body.u8(), body.varint()
    reject_unless(h.stride >= 1 and 1 <= h.depth <= 256, "stride, depth")
    h.entropy, h.entropy_version = body.u8(), body.u8()
    reject_unless(
        (h.entropy, h.entropy_version) in ((1, 1), (1, 3), (1, 4), (2, 1), (2, 2), (2, 4)), "entropy coder"
    )
    h.tile_columns, h.tile_rows, h.tile_halo = body.varint(), body.varint(), body.varint()
    reject_unless(1 <= h.tile_columns <= -(-h.width // h.stride), "tile columns")
    reject_unless(1 <= h.tile_rows <= -(-h.height // h.stride), "tile rows")
    reject_unless(h.tile_halo <= 255, "tile halo")
    try:
        h.arithmetic = body.u8()
    except EOFError:
        h.arithmetic = 0
    return h


def read_chunks(reader: Reader) -> Iterator[tuple[int, bytes]]:
    """Whole chunks; END is the last if it is there at all."""
    kind = None
    while kind != 0:
        try:
            kind = reader.u8()
            payload = reader.take(reader.varint())
        except EOFError:
            return
        yield kind, payload


# 4, EXACT and STRIP


class ExactRows:
    """Which strips follow the code chunks of a file that is not of family 2, once all chunks were taken in order."""

    def __init__(self, header: SimpleNamespace) -> None:
        self.header, self.fields = header, SimpleNamespace()
        self.kinds: list[int] = []
        self.strips: list[bytes] = []

    def take(self, kind: int, payload: bytes) -> None:
        if kind == 6:
            reject_unless(self.kinds == [], "exact chunk is not the first")
            reject_unless(len(payload) >= 4, "exact chunk")
            reject_unless(int.from_bytes(payload[:4], "little") == crc32c(b"\x06" + payload[4:]), "exact CRC")
            colours = self.header.channels
            held = (colours, colours + 1) if self.header.alpha == 1 else (colours,)
            self.fields = read_strip_fields(payload[4:], self.header.width, self.header.height, held)
        elif kind == 7:
            reject_unless(6 in self.kinds and 1 in self.kinds, "strip without chunks before it")
            reject_unless(len(self.strips) < self.fields.count and len(payload) >= 4, "strip")
            self.strips.append(payload)
        elif kind == 1:
            reject_unless(7 not in self.kinds, "code chunk after a strip")
        self.kinds.append(kind)


def check_strip(payload: bytes, kind: int, number: int, samples: bytes) -> None:
    """That a strip stands for samples, which are in the order of rows, pixels and channels."""
    crc = crc32c(bytes([kind, number]) + payload[4:] + samples)
    reject_unless(int.from_bytes(payload[:4], "little") == crc, "strip CRC")


# 4, ALPHA


def read_alpha(payload: bytes, width: int, height: int) -> list[bytes]:
    """Rows of the alpha channel, from an ALPHA chunk."""
    png = Reader(payload)
    try:
        crc = png.u32()
        reject_unless(crc == crc32c(b"\x03" + payload[4:]), "alpha CRC")
        reject_unless(png.take(8) == b"\x89PNG\r\n\x1a\n", "PNG signature")
        size, kind = int.from_bytes(png.take(4), "big"), png.take(4)
        sides = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        reject_unless(
            (size, kind) == (13, b"IHDR") and png.take(13) == sides + bytes([8, 0, 0, 0, 0]), "IHDR"
        )
        png.take(4)
        compressed = []
        while kind != b"IEND":
            size, kind = int.from_bytes(png.take(4), "big"), png.take(4)
            reject_unless(kind == b"IDAT" or (kind == b"IEND" and size == 0), "PNG chunk")
            compressed.append(png.take(size))
            png.take(4)
        reject_unless(png.at == len(payload), "bytes after IEND")
        scanlines = Reader(zlib.decompressobj().decompress(b"".join(compressed), height * (width + 1)))
        return unfilter(scanlines, width, height)
    except (EOFError, zlib.error):
        raise RejectedError("alpha") from None


def unfilter(scanlines: Reader, width: int, height: int) -> list[bytes]:
    """Undo PNG's filters; a byte has one above, one to the left, and one to the left of that above."""
    above, rows = bytes(width), []
    for _ in range(height):
        method, line = scanlines.u8(), bytearray(scanlines.take(width))
        reject_unless(method <= 4, "PNG filter")
        for x in range(width):
            a, b, c = line[x - 1] if x else 0, above[x], above[x - 1] if x else 0
            paeth = min((a, b, c), key=lambda value, p=a + b - c: abs(p - value))
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[method]) % 256
        above = bytes(line)
        rows.append(above)
    return rows
