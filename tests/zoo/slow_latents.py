"""A second decoder of autoencoders' latents, written from FORMAT.md: no code shared with the core."""

from __future__ import annotations

from dataclasses import dataclass

from tests.slow_coder import RangeDecoder, clamp


@dataclass(frozen=True)
class Tables:
    """Of one plane: kind of contexts, limits between them, and probabilities by context and node."""

    kind: int
    limits: list[int]
    probabilities: list[list[int]]


def measure(kind: int, plane: list[list[int]], y: int, x: int) -> int:
    def at(dy: int, dx: int) -> int:
        inside = y + dy >= 0 and 0 <= x + dx < len(plane[0])
        return plane[y + dy][x + dx] if inside else 0

    if kind == 0:
        return 0
    if kind == 1:
        west = at(-1, 0) if x == 0 else at(0, -1)
        north = at(0, -1) if y == 0 else at(-1, 0)
        return west + north
    return 2 * abs(at(0, -1)) + 2 * abs(at(-1, 0)) + abs(at(-1, -1)) + abs(at(-1, 1))


def excess(decoder: RangeDecoder) -> int:
    digits = 0
    while decoder.decode(32768):
        digits += 1
        assert digits <= 15
    number = 1
    for _ in range(digits):
        number = 2 * number + decoder.decode(32768)
    return number - 1


def decode(
    data: bytes, tables: list[Tables], height: int, width: int, bits: int, unbounded: bool, rate: int
) -> list[list[list[int]]]:
    decoder = RangeDecoder(data)
    half = 1 << (bits - 1)
    planes = []
    for own in tables:
        trees = [list(tree) for tree in own.probabilities]
        plane = [[0] * width for _ in range(height)]
        for y in range(height):
            for x in range(width):
                found = measure(own.kind, plane, y, x)
                context = 0
                while context < len(own.limits) and own.limits[context] <= found:
                    context += 1
                tree, node = trees[context], 1
                for _ in range(bits):
                    p = tree[node]
                    bit = decoder.decode(p)
                    if rate:
                        tree[node] = p + (65535 - p) // 2**rate if bit else p - (p - 1) // 2**rate
                    node = 2 * node + bit
                value = node - 2**bits - half
                if unbounded and value == -half:
                    value -= excess(decoder)
                elif unbounded and value == half - 1:
                    value += excess(decoder)
                assert clamp(value, -32767, 32767) == value
                plane[y][x] = value
        planes.append(plane)
    return planes
