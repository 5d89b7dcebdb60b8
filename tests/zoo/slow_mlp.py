"""A second decoder of the zoo's MLP, written from FORMAT.md with Python integers: no code shared with the core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.slow_coder import Counter, RangeDecoder, clamp, round_shift

LAYERS = (32, 16, 8, 4, 2, 1)
SUMS = (1, 4, 7, 11, 16, 22, 29, 38, 49, 63, 82, 108, 148, 220, 350)

Plane = list[list[int]]


def neighbour(plane: Plane, y: int, x: int, dy: int, dx: int) -> int:
    """Of a plane whose rows end where nothing is known yet."""
    row = plane[clamp(y + dy, 0, len(plane) - 1)]
    if row:
        return row[clamp(x + dx, 0, len(row) - 1)]
    return plane[y - 1][0] if y > 0 else 128


def inputs_of(known: list[Plane], own: Plane, y: int, x: int, raw: bool) -> tuple[list[int], int]:
    places = [(dy, dx) for dy in range(-5, 0) for dx in range(-5, 6)] + [(0, dx) for dx in range(-5, 0)]
    beside = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]

    def base_of(plane: Plane) -> int:
        return 0 if raw else (neighbour(plane, y, x, 0, -1) + neighbour(plane, y, x, -1, 0)) >> 1

    inputs = []
    for plane, wanted in [(own, places), *((plane, beside) for plane in known)]:
        inputs += [neighbour(plane, y, x, dy, dx) - base_of(plane) for dy, dx in wanted]
    return inputs, base_of(own)


def answer(inputs: list[int], weights: list[int], layers: tuple[int, ...]) -> int:
    numbers = iter(weights)
    values = inputs
    for count, outputs in enumerate(layers):
        sums = [sum(next(numbers) * value for value in values) for _ in range(outputs)]
        assert all(abs(total) < 1 << 31 for total in sums)
        values = [clamp(round_shift(total, 12 if count else 6), 0, 32767) for total in sums]
    return round_shift(sums[0], 18 if len(layers) > 1 else 12)


def errors_by_huffman(data: bytes) -> Any:
    lengths = [data[symbol // 2] >> 4 * (symbol % 2) & 15 for symbol in range(256)]
    words, word = {}, 0
    for length in range(1, 16):
        for symbol in range(256):
            if lengths[symbol] == length:
                words[length, word] = symbol
                word += 1
        word *= 2
    bits = (byte >> bit & 1 for byte in data[128:] for bit in range(7, -1, -1))

    def next_symbol(_: int) -> int:
        value, length = 0, 0
        while (length, value) not in words:
            value, length = value * 2 + next(bits), length + 1
        return words[length, value]

    return next_symbol


def errors_by_contexts(data: bytes) -> Any:
    decoder, counters = RangeDecoder(data), {}

    def next_symbol(context: int) -> int:
        node = 1
        while node < 256:
            counter = counters.setdefault((context, node), Counter(limit=255))
            bit = decoder.decode(counter.probability)
            counter.learn(bit << 16)
            node = node * 2 + bit
        return node - 256

    return next_symbol


def decode(payloads: list[bytes], height: int, width: int, flags: int) -> Iterator[Plane]:
    raw, linear, contexts = bool(flags & 1), bool(flags & 2), bool(flags & 4)
    layers = (1,) if linear else LAYERS
    known: list[Plane] = []
    for payload in payloads:
        sizes = (60 + 9 * len(known), *layers)
        count = sum(a * b for a, b in zip(sizes, layers, strict=False))
        weights = [
            int.from_bytes(payload[at : at + 2], "little", signed=True) for at in range(4, 4 + 2 * count, 2)
        ]
        coded = payload[4 + 2 * count :]
        next_symbol = (errors_by_contexts if contexts else errors_by_huffman)(coded)
        own: Plane = []
        sizes_of: dict[tuple[int, int], int] = {}
        for y in range(height):
            own.append([])
            for x in range(width):
                near = [sizes_of.get((y + dy, x + dx), 0) for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1))]
                total = 2 * near[0] + 2 * near[1] + near[2] + near[3]
                symbol = next_symbol(sum(limit <= total for limit in SUMS))
                sizes_of[y, x] = (symbol + 1) // 2
                inputs, base = inputs_of(known, own, y, x, raw)
                prediction = clamp(base + answer(inputs, weights, layers), 0, 255)
                error = -(symbol + 1) // 2 if symbol % 2 else symbol // 2
                own[-1].append((prediction + error) % 256)
        known.append(own)
        yield own
