"""A second decoder, written from FORMAT.md with Python integers: slow, plain, no code shared with the core.

Section numbers are those of FORMAT.md.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from tests.slow_container import (
    ExactRows,
    Reader,
    RejectedError,
    crc32c,
    read_alpha,
    read_chunks,
    read_header,
    reject_unless,
)

# 9.1 and 9.5; the one table to change with FORMAT.md.
STAGES = 3
REGRESSION_RATE = MIXER_RATE = 655
WEIGHT_LIMIT = 1 << 20
REGRESSION_SHARE, COUNTER_SHARE, CONSTANT_SHARE = 32768, 13107, 0
CONSTANT_INPUT = 1229
COUNT_LIMIT = 62
LEAST = 32
LOGIT_LIMIT = 40959
NEIGHBOURS = {  # age, row, column
    "W": (0, 0, -1),
    "N": (0, -1, 0),
    "NE": (0, -1, 1),
    "L": (1, 0, 0),
    "LE": (1, 0, 1),
    "LS": (1, 1, 0),
    "B": (2, 0, 0),
}
CONTEXTS = (("W", "N", "NE", "L"), ("L", "B", "W", "N"), ("L", "LE", "LS", "W"))
TERNARY_NEIGHBOURS = ("W", "N", "NE", "L", "LE", "LS")
TERNARY_COUNT_LIMIT = 255
ACTIVE_RATE, SIGN_RATE = 400, 655
ACTIVE_MIXER_RATE, SIGN_MIXER_RATE = 160, 200
TERNARY_REGRESSION_SHARE, TERNARY_COUNTER_SHARE = 20000, 16384
ACTIVE_PROBABILITY, ACTIVE_COUNT = 6554, 2
LARGEST_OF_LEVEL = (0, 1, 2, 4, 8, 16, 32)
SIGN_CONTEXTS = (("W", "N", "NE"), ("L", "W", "N"))
LOGISTIC_TABLE = [
    3, 4, 5, 6, 8, 10, 13, 17, 22, 28, 36, 47,
    60, 77, 98, 126, 162, 208, 267, 342, 439, 562, 720, 922,
    1179, 1506, 1921, 2446, 3108, 3938, 4971, 6249, 7812, 9702, 11955, 14595,
    17625, 21025, 24743, 28693, 32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834,
    57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030, 64357, 64614, 64816, 64974,
    65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508,
    65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533,
]  # fmt: skip


def clamp(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def round_shift(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) >> bits


# 8


class RangeDecoder:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.range = data, 0, (1 << 64) - 1
        self.value = self.word() << 32 | self.word()

    def word(self) -> int:
        self.at += 4
        return int.from_bytes(self.data[self.at - 4 : self.at].ljust(4, b"\0"), "big")

    def decode(self, p: int) -> int:
        split = (self.range >> 16) * p
        bit = self.value < split
        if bit:
            self.range = split
        else:
            self.value -= split
            self.range -= split
        if self.range < 1 << 32:
            self.value = (self.value << 32) % (1 << 64) | self.word()
            self.range <<= 32
        return int(bit)


# 9


def logistic(value: int) -> int:
    s = clamp(value, -LOGIT_LIMIT, LOGIT_LIMIT) + 40960
    low, high = LOGISTIC_TABLE[s >> 10], LOGISTIC_TABLE[(s >> 10) + 1]
    return low + ((high - low) * (s % 1024) >> 10)


@functools.cache
def logit_table() -> list[int]:
    table, value = [], -LOGIT_LIMIT
    for i in range(4096):
        while logistic(value) < 16 * i + 8:
            value += 1
        table.append(clamp(value, -32768, 32767))
    return table


def logit(p: int) -> int:
    return logit_table()[p >> 4]


@dataclass
class Counter:
    probability: int = 32768
    count: int = 0
    limit: int = COUNT_LIMIT

    def learn(self, truth: int) -> None:
        rate = 655360 // (10 * self.count + 16)
        moved = self.probability + ((truth - self.probability) * rate >> 16)
        self.probability = clamp(moved, LEAST, 65535 - LEAST)
        self.count = min(self.count + 1, self.limit)


def base_3(codes: Iterable[int]) -> int:
    return functools.reduce(lambda number, code: 3 * number + code + 1, codes, 0)


def decode_bit(
    decoder: RangeDecoder,
    inputs: list[int],
    weights: list[int],
    counters: list[Counter],
    mixer: list[int],
    *,
    rates: tuple[int, int],
) -> int:
    """9.4, steps 2 to 8, with the learning rates of weights and mixer."""
    total = sum(w * x for w, x in zip(weights, inputs, strict=True))
    total = (total + (1 << 31)) % (1 << 32) - (1 << 31)
    q = [clamp(total >> 4, -LOGIT_LIMIT, LOGIT_LIMIT)]
    q += [logit(counter.probability) for counter in counters] + [CONSTANT_INPUT]
    mixed = clamp(sum(m * v for m, v in zip(mixer, q, strict=True)) >> 16, -LOGIT_LIMIT, LOGIT_LIMIT)
    p = clamp(logistic(mixed), LEAST, 65536 - LEAST)
    bit = decoder.decode(p)
    truth = 65536 * bit

    step = round_shift((truth - logistic(q[0])) * rates[0], 16)
    for i, x in enumerate(inputs):
        weights[i] = clamp(weights[i] + step * x, -WEIGHT_LIMIT, WEIGHT_LIMIT)
    for i, v in enumerate(q):
        moved = mixer[i] + round_shift(((truth - p) * v >> 12) * rates[1], 16)
        mixer[i] = clamp(moved, -WEIGHT_LIMIT, WEIGHT_LIMIT)
    for counter in counters:
        counter.learn(truth)
    return bit


class PlaneDecoder(ABC):
    """Decodes the planes of one image in order; a plane maps (y, x) to its list of depth codes."""

    def __init__(self, depth: int, height: int, width: int) -> None:
        self.depth, self.height, self.width = depth, height, width
        self.planes: list[dict[tuple[int, int], list[int]]] = []

    @property
    def stage(self) -> int:
        return min(len(self.planes) - 1, STAGES - 1)

    def neighbour(self, y: int, x: int, age: int, dy: int, dx: int) -> list[int]:
        plane = self.planes[-1 - age] if age < len(self.planes) else {}
        return plane.get((y + dy, x + dx), [0] * self.depth)

    def decode(self, data: bytes) -> list[int]:
        """Codes of the next plane in coding order."""
        decoder = RangeDecoder(data)
        self.planes.append({})
        codes: list[int] = []
        for position in ((y, x) for y in range(self.height) for x in range(self.width)):
            around = {name: self.neighbour(*position, *place) for name, place in NEIGHBOURS.items()}
            known = self.decode_position(decoder, around)
            self.planes[-1][position] = known
            codes += known
        return codes

    @abstractmethod
    def decode_position(self, decoder: RangeDecoder, around: dict[str, list[int]]) -> list[int]:
        """Codes of one position, from those of its neighbours by name."""


class BinaryDecoder(PlaneDecoder):
    """Version 1: 9.3 and 9.4."""

    def __init__(self, depth: int, height: int, width: int) -> None:
        super().__init__(depth, height, width)
        self.weights = [[0] * (8 * depth + 1) for _ in range(depth)]
        self.counters: dict[tuple[int, int, int, int], Counter] = {}
        start = [REGRESSION_SHARE, *[COUNTER_SHARE] * len(CONTEXTS), CONSTANT_SHARE]
        self.mixers = [[list(start) for _ in range(depth)] for _ in range(STAGES)]

    def decode_position(self, decoder: RangeDecoder, around: dict[str, list[int]]) -> list[int]:
        known = [0] * self.depth
        for d in range(self.depth):
            inputs = [code for codes in around.values() for code in codes] + known + [1]
            counters = []
            for j, names in enumerate(CONTEXTS):
                context = base_3(around[name][d] for name in names)
                counters.append(self.counters.setdefault((j, self.stage, d, context), Counter()))
            mixer = self.mixers[self.stage][d]
            rates = REGRESSION_RATE, MIXER_RATE
            bit = decode_bit(decoder, inputs, self.weights[d], counters, mixer, rates=rates)
            known[d] = 1 if bit else -1
        return known


def active(codes: list[int]) -> list[int]:
    return [int(code != 0) for code in codes]


def level(number: int) -> int:
    return sum(number > largest for largest in LARGEST_OF_LEVEL)


class TernaryDecoder(PlaneDecoder):
    """Version 3: 9.6 and 9.7."""

    def __init__(self, depth: int, height: int, width: int) -> None:
        super().__init__(depth, height, width)
        self.active_weights = [[0] * (7 * depth + 1) for _ in range(depth)]
        self.sign_weights = [[0] * (7 * depth + 1) for _ in range(depth)]
        self.counters: dict[tuple[object, ...], Counter] = {}
        self.mixers: dict[tuple[object, ...], list[int]] = {}

    def counter(self, *index: object) -> Counter:
        start = (32768, 0) if index[0] in ("any", "sign") else (ACTIVE_PROBABILITY, ACTIVE_COUNT)
        return self.counters.setdefault(index, Counter(*start, TERNARY_COUNT_LIMIT))

    def mixer(self, counters: int, *index: object) -> list[int]:
        start = [TERNARY_REGRESSION_SHARE, *[TERNARY_COUNTER_SHARE] * counters, CONSTANT_SHARE]
        return self.mixers.setdefault(index, start)

    def decode_position(self, decoder: RangeDecoder, around: dict[str, list[int]]) -> list[int]:
        known = [0] * self.depth
        number = {name: sum(active(around[name])) for name in TERNARY_NEIGHBOURS}
        near = level(number["W"] + number["N"])
        last = level(2 * number["L"] + number["LE"] + number["LS"])
        counter = self.counter("any", self.stage, near, last)
        bit = decoder.decode(counter.probability)
        counter.learn(65536 * bit)
        if bit:
            for d in range(self.depth):
                inputs = [code for name in TERNARY_NEIGHBOURS for code in around[name]] + known + [1]
                if self.decode_active(decoder, d, inputs, around, (level(sum(active(known))), near, last)):
                    known[d] = self.decode_sign(decoder, d, inputs, around)
        return known

    def decode_active(
        self,
        decoder: RangeDecoder,
        d: int,
        inputs: list[int],
        around: dict[str, list[int]],
        levels: tuple[int, int, int],
    ) -> int:
        here, near, last = levels
        same = sum(2**i for i, name in enumerate(("W", "N", "NE")) if around[name][d] != 0)
        counters = [
            self.counter("active", j, self.stage, d, 8 * first + near)
            for j, first in enumerate((here, same, last))
        ]
        counters.append(self.counter("level", *levels))
        mixer = self.mixer(4, "active", self.stage, here)
        rates = ACTIVE_RATE, ACTIVE_MIXER_RATE
        return decode_bit(decoder, active(inputs), self.active_weights[d], counters, mixer, rates=rates)

    def decode_sign(
        self, decoder: RangeDecoder, d: int, inputs: list[int], around: dict[str, list[int]]
    ) -> int:
        counters = [
            self.counter("sign", j, self.stage, d, base_3(around[name][d] for name in names))
            for j, names in enumerate(SIGN_CONTEXTS)
        ]
        mixer = self.mixer(2, "sign", self.stage, d)
        rates = SIGN_RATE, SIGN_MIXER_RATE
        bit = decode_bit(decoder, inputs, self.sign_weights[d], counters, mixer, rates=rates)
        return 1 if bit else -1


PLANE_DECODERS = {1: BinaryDecoder, 3: TernaryDecoder}


# Chunk of every plane of every channel, and the number of chunks.
Order = tuple[Sequence[Sequence[int]], int]


def decoder_for(header: SimpleNamespace, tables: Mapping[str, Any] | None, order: Order | None) -> Any:
    grid = -(-header.height // header.stride), -(-header.width // header.stride)
    if (header.entropy, header.entropy_version) in ((1, 4), (2, 2), (2, 4)):
        from . import slow_embedded

        reject_unless(order is not None, "embedded planes without an order")
        assert order is not None
        groups = slow_embedded.chunk_order(*order)
        if header.entropy == 1:
            return slow_embedded.AdaptiveDecoder(groups, header.depth, *grid)
        assert tables is not None
        decoder = (
            slow_embedded.LearningDecoder if header.entropy_version == 4 else slow_embedded.NetworkDecoder
        )
        return decoder(groups, header.depth, *grid, tables)
    if header.entropy == 1:
        return PLANE_DECODERS[header.entropy_version](header.depth, *grid)
    from .slow_network import NetworkDecoder

    assert tables is not None
    return NetworkDecoder(header.depth, *grid, tables)


def decode_file(
    data: bytes, tables: Mapping[str, Any] | None = None, order: Order | None = None
) -> tuple[SimpleNamespace, list[list[int]], bool]:
    """Header, codes of every whole code chunk in coding order, and whether the file was cut.

    The header's ``alpha_rows`` are those of the alpha channel, None if there is none, its ``exact`` has the strips of
    exact rows. ``tables`` are those of
    the model's entropy network and ``order`` is that of its embedded planes, which some files take.
    """
    reader = Reader(data)
    try:
        header = read_header(reader)
    except EOFError:
        raise RejectedError("header") from None
    reject_unless(header.family == 1, "family")
    decoder = decoder_for(header, tables, order)
    planes: list[list[int]] = []
    ended = False
    header.alpha_rows = None
    header.exact = ExactRows(header)
    for kind, payload in read_chunks(reader):
        header.exact.take(kind, payload)
        if kind == 1:
            reject_unless(len(payload) >= 4 and len(planes) < 255, "code chunk")
            reject_unless(header.alpha == 0 or header.alpha_rows is not None, "alpha missing")
            planes.append(decoder.decode(payload[4:]))
            covered = b"\x01" + payload[4:] + bytes(code & 0xFF for code in planes[-1])
            reject_unless(crc32c(covered) == int.from_bytes(payload[:4], "little"), "code CRC")
        elif kind == 3 and header.alpha == 1:
            reject_unless(header.alpha_rows is None, "second alpha")
            header.alpha_rows = read_alpha(payload, header.width, header.height)
        elif kind == 0:
            n = len(planes)
            reject_unless(
                payload == bytes([n] if n < 128 else [n - 128 | 128, n >> 7]), "number of code chunks"
            )
            ended = True
    reject_unless(bool(planes), "no code chunk")
    return header, planes, not ended
