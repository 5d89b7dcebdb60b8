"""Seeded damage to files: what a bad disk, a bad line or an attacker might do to them.

Half of the mutations of a file are repaired: the header's CRC is made right again, and so are the CRCs
of chunks, so that damage reaches the entropy decoder and the reader of alpha channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from recodec import _core

from .plane_files import read_chunk, read_header, write_header
from .stand_in import stand_in_coder
from .strip_files import edit_strips, repair_strips
from .zoo.learned_files import repair_stages

Mutation = Callable[[np.random.Generator, bytearray, bytes], None]


def place(rng: np.random.Generator, data: bytearray) -> int:
    return int(rng.integers(len(data)))


def flip_bits(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    for _ in range(int(rng.integers(1, 9))):
        data[place(rng, data)] ^= 1 << int(rng.integers(8))


def set_bytes(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    start = place(rng, data)
    size = min(int(rng.integers(1, 9)), len(data) - start)
    data[start : start + size] = bytes([int(rng.choice([0x00, 0x01, 0x7F, 0x80, 0xFF]))]) * size


def truncate(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    del data[place(rng, data) :]


def insert(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    start = place(rng, data)
    data[start:start] = rng.bytes(int(rng.integers(1, 17)))


def delete(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    start = place(rng, data)
    del data[start : start + int(rng.integers(1, 17))]


def splice(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    """Put a chunk of any type, of this file or another, in front of any chunk."""
    donor = bytes(data) if rng.integers(2) else other
    pieces = [donor[start:end] for start, end in chunk_ranges(donor)]
    made = _core.write_chunk(int(rng.integers(256)), rng.bytes(int(rng.integers(12))))
    starts = [start for start, _ in chunk_ranges(bytes(data))] or [len(data)]
    start = int(rng.choice(starts))
    data[start:start] = [*pieces, made][int(rng.integers(len(pieces) + 1))]


def edit_header(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    """Change bytes of the header alone: sizes, depth, stride, tags."""
    end = header_end(bytes(data)) or len(data)
    for _ in range(int(rng.integers(1, 4))):
        data[int(rng.integers(min(5, end - 1), end))] = int(
            rng.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF, rng.integers(256)])
        )


_FIELDS = {
    "width": (1, 2, 16, 255, 1 << 12, 1 << 30),
    "height": (1, 2, 16, 255, 1 << 12, 1 << 30),
    "stride": (1, 2, 4, 16, 255),
    "depth": (1, 2, 8, 96, 97, 256),
    "entropy": (1, 2),
    "entropy_version": (1, 2, 3, 4),
    "tile_columns": (1, 2, 8, 9, 64),
    "tile_rows": (1, 2, 8, 9, 64),
    "tile_halo": (0, 1, 8, 22, 255),
}


def edit_fields(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    """Give fields of a sound header values at which limits lie, and make it sound again."""
    try:
        fields, end = read_header(bytes(data))
        for name in rng.choice(sorted(_FIELDS), int(rng.integers(1, 4)), replace=False):
            setattr(fields, name, int(rng.choice(_FIELDS[name])))
        data[:end] = write_header(fields)
    except _core.CoreError:
        pass


def edit_size(rng: np.random.Generator, data: bytearray, other: bytes) -> None:
    """Change the size that a chunk claims to have, a little or out of all proportion."""
    ranges = chunk_ranges(bytes(data))
    if ranges:
        at = ranges[int(rng.integers(len(ranges)))][0] + 1
        step = int(rng.choice([-1, 1, 0x40, 0x80]))
        data[at] = (data[at] + step) & 0xFF


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, set_bytes, truncate, insert, delete, splice, edit_header, edit_fields, edit_size, edit_strips
)  # fmt: skip


def header_end(data: bytes) -> int | None:
    """First byte after the header as its size field has it, CRC right or wrong; None if it is cut."""
    size, at = 0, 5
    for shift in range(0, 35, 7):
        if at >= len(data):
            return None
        size |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            break
    end = at + size + 4
    return end if end <= len(data) else None


def chunk_ranges(data: bytes) -> list[tuple[int, int]]:
    """Start and end of every whole chunk."""
    found = []
    at = header_end(data)
    try:
        while at is not None and (chunk := read_chunk(data, at)) is not None:
            found.append((at, chunk.next))
            at = chunk.next
    except _core.CoreError:
        pass
    return found


def repair(data: bytearray, max_codes: int = 1 << 16) -> None:
    """Make the header's CRC right, and those of the chunks and the end mark if the header makes sense."""
    end = header_end(bytes(data))
    if end is None:
        return
    data[end - 4 : end] = _core.crc32c(bytes(data[: end - 4])).to_bytes(4, "little")
    repair_strips(data)
    repair_stages(data)
    try:
        header, _ = read_header(data)
    except _core.CoreError:
        return
    grid = header.grid
    if header.depth * grid[0] * grid[1] > max_codes:
        return
    try:
        coder = stand_in_coder(header.entropy, header.entropy_version, header.depth, *grid)
    except _core.CoreError:
        return
    iterations = 0
    for start, _ in chunk_ranges(bytes(data))[:16]:
        chunk = read_chunk(data, start)
        if chunk.type == 0:
            if chunk.size == 1:
                data[chunk.payload] = iterations
            break
        if chunk.type in (2, 3, 4, 5, 6) and chunk.size >= 4:
            covered = bytes([chunk.type]) + data[chunk.payload + 4 : chunk.next]
            data[chunk.payload : chunk.payload + 4] = _core.crc32c(covered).to_bytes(4, "little")
        iterations += chunk.type == 1
        if chunk.type == 1 and chunk.size >= 4:
            coded = chunk.payload + 4
            crc = coder.decode(data[coded : chunk.next])[1]
            data[chunk.payload : coded] = crc.to_bytes(4, "little")


def mutate(rng: np.random.Generator, file: bytes, other: bytes, *, repaired: bool) -> bytes:
    """``file``, damaged one to three times."""
    data = bytearray(file)
    for _ in range(int(rng.integers(1, 4))):
        if data:
            MUTATIONS[int(rng.integers(len(MUTATIONS)))](rng, data, other)
    if repaired:
        repair(data)
    return bytes(data)


def mutations(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """``count`` damaged versions of the files in turn, every other one repaired."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        other = files[int(rng.integers(len(files)))]
        yield mutate(rng, files[i // 2 % len(files)], other, repaired=bool(i % 2))


HOSTILE_COUNT = 10_000


def hostile_corpus() -> Iterator[bytes]:
    """The mutations of golden files that both the Python surface and the sanitized core are given."""
    good = Path(__file__).parent / "golden" / "good"
    files = [
        (good / f"{name}.rcd").read_bytes()
        for name in ("grey", "pixel", "metadata", "rgba", "ternary", "network")
    ]
    return mutations(files, HOSTILE_COUNT, seed=20)
