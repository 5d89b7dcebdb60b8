"""4 and 5: strips of files, with their checksums."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from tests.slow_container import Reader, RejectedError, check_strip, read_chunks, read_header, reject_unless

from .strips import Samples, decode_strip


def decode_strips(
    payloads: Sequence[bytes], kind: int, fields: SimpleNamespace, header: SimpleNamespace
) -> Samples:
    """The rows of so many strips, which are chunks of that kind."""
    found: Samples = []
    reject_unless(len(payloads) <= fields.count, "a strip too many")
    for number, payload in enumerate(payloads):
        reject_unless(len(payload) >= 4, "strip")
        rows = min(fields.rows, header.height - len(found))
        strip = decode_strip(payload[4:], rows, header.width, fields.channels, fields.depth, fields.effort)
        samples = (sample for row in strip for pixel in row for sample in pixel)
        covered = b"".join(sample.to_bytes(fields.depth // 8, "little") for sample in samples)
        check_strip(payload, kind, number, covered)
        found += strip
    return found


def decode_file(data: bytes) -> tuple[SimpleNamespace, Samples, bool]:
    """Header of a file of family 2, the rows that are known, and whether the file was cut."""
    reader = Reader(data)
    try:
        header = read_header(reader)
    except EOFError:
        raise RejectedError("header") from None
    reject_unless(header.family == 2, "family")
    chunks = list(read_chunks(reader))
    payloads = [payload for kind, payload in chunks if kind == 1]
    reject_unless(bool(payloads), "no strip")
    ended = chunks[-1][0] == 0
    if ended:
        n = len(payloads)
        reject_unless(
            chunks[-1][1] == bytes([n] if n < 128 else [n - 128 | 128, n >> 7]), "number of code chunks"
        )
    return header, decode_strips(payloads, 1, header.strips, header), not ended
