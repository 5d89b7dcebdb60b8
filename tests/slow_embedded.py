"""The slow decoders of embedded planes, FORMAT.md, sections 9.8, 11 and 12, with Python integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from .slow_coder import (
    CONSTANT_INPUT,
    LEAST,
    LOGIT_LIMIT,
    WEIGHT_LIMIT,
    Counter,
    RangeDecoder,
    clamp,
    logistic,
    logit,
    round_shift,
)

GROUP = 16
AROUND = [at for at in product((-1, 0, 1), repeat=2) if at != (0, 0)]
BEFORE_AND_AFTER = list(product((-1, 0, 1), repeat=2))

Order = list[list[list[tuple[int, int]]]]


def chunk_order(chunk_of: Sequence[Sequence[int]], chunks: int) -> Order:
    """Groups of (channel, plane) of every chunk."""
    order: Order = []
    for chunk in range(chunks):
        turns: dict[int, list[tuple[int, int]]] = {}
        for channel, planes in enumerate(chunk_of):
            held = [plane for plane in reversed(range(len(planes))) if planes[plane] == chunk]
            for turn, plane in enumerate(held):
                turns.setdefault(turn, []).append((channel, plane))
        order.append(
            [
                turns[turn][at : at + GROUP]
                for turn in sorted(turns)
                for at in range(0, len(turns[turn]), GROUP)
            ]
        )
    return order


def log_size(index: int) -> int:
    n = abs(index) + 1
    b = n.bit_length() - 1
    size = 8 * b + (8 * n >> b) - 8
    return -size if index < 0 else size


class EmbeddedDecoder(ABC):
    """What both coders keep: the order, and every index so far."""

    def __init__(self, order: Order, channels: int, height: int, width: int) -> None:
        self.order, self.channels, self.height, self.width = order, channels, height, width
        self.index = np.zeros((height + 2, width + 2, channels), np.int64)
        self.chunk = 0

    def decode(self, data: bytes) -> list[int]:
        """Codes of the next plane in coding order."""
        decoder = RangeDecoder(data)
        found: list[int] = []
        for y, x in product(range(self.height), range(self.width)):
            found += self.position(decoder, y + 1, x + 1)
        self.chunk += 1
        return found

    @abstractmethod
    def position(self, decoder: RangeDecoder, y: int, x: int) -> list[int]:
        """Codes of a position, which then count."""

    def first_of(self, group: int) -> int:
        """Number of a group's first code among those of all chunks."""
        before = sum(len(codes) for groups in self.order[: self.chunk] for codes in groups)
        return before + sum(len(codes) for codes in self.order[self.chunk][:group])


def level(count: int) -> int:
    return sum(count > largest for largest in (0, 1, 2, 4, 8, 16, 32))


class AdaptiveDecoder(EmbeddedDecoder):
    """9.8."""

    def __init__(self, order: Order, channels: int, height: int, width: int) -> None:
        super().__init__(order, channels, height, width)
        self.counters: dict[tuple[object, ...], Counter] = {}
        self.mixers: dict[int, list[int]] = {}

    def counter(self, *key: object) -> Counter:
        start = (32768, 0) if key[0] in ("sign", "refinement") else (6554, 2)
        return self.counters.setdefault(key, Counter(*start, limit=255))

    def position(self, decoder: RangeDecoder, y: int, x: int) -> list[int]:
        active = level(int((self.index[y, x] != 0).sum()))
        here, codes = 0, []
        number = self.first_of(0)
        for channel, plane in (code for group in self.order[self.chunk] for code in group):
            index = int(self.index[y, x, channel])
            if index == 0:
                code = self.significance(decoder, (y, x, channel, plane), number, active, level(here))
                here += code != 0
            else:
                counter = self.counter("refinement", number, abs(index) == 2 << plane)
                bit = decoder.decode(counter.probability)
                counter.learn(65536 * bit)
                code = bit * (1 if index > 0 else -1)
            self.index[y, x, channel] += code << plane if code >= 0 else -(1 << plane)
            codes.append(code)
            number += 1
        return codes

    def significance(
        self, decoder: RangeDecoder, at: tuple[int, int, int, int], number: int, active: int, here: int
    ) -> int:
        y, x, channel, plane = at
        total = 0
        for dy, dx in AROUND:
            magnitude = abs(int(self.index[y + dy, x + dx, channel]))
            total += (2 if dy == 0 or dx == 0 else 1) * min(magnitude >> plane, 3)
        around = level(total)
        counters = [
            self.counter("own", number, around),
            self.counter("shared", active, around, here),
            self.counter("plane", plane, around, here),
        ]
        mixer = self.mixers.setdefault(around, [26214, 26214, 26214, 0])
        q = [logit(counter.probability) for counter in counters] + [CONSTANT_INPUT]
        mixed = clamp(sum(m * v for m, v in zip(mixer, q, strict=True)) >> 16, -LOGIT_LIMIT, LOGIT_LIMIT)
        p = clamp(logistic(mixed), LEAST, 65536 - LEAST)
        bit = decoder.decode(p)
        truth = 65536 * bit
        for i, v in enumerate(q):
            moved = mixer[i] + round_shift(((truth - p) * v >> 12) * 160, 16)
            mixer[i] = clamp(moved, -WEIGHT_LIMIT, WEIGHT_LIMIT)
        for counter in counters:
            counter.learn(truth)
        if not bit:
            return 0
        west, north = np.sign(self.index[y, x - 1, channel]), np.sign(self.index[y - 1, x, channel])
        counter = self.counter("sign", channel, int(west), int(north))
        positive = decoder.decode(counter.probability)
        counter.learn(65536 * positive)
        return 1 if positive else -1


class NetworkDecoder(EmbeddedDecoder):
    """12; ``said`` holds the bits of the plane decoded last with their probabilities."""

    def __init__(
        self, order: Order, channels: int, height: int, width: int, tables: Mapping[str, np.ndarray]
    ) -> None:
        super().__init__(order, channels, height, width)
        self.tables = {name: np.asarray(table).astype(np.int64) for name, table in tables.items()}
        self.size = np.zeros_like(self.index)

    def position(self, decoder: RangeDecoder, y: int, x: int) -> list[int]:
        t, codes = self.tables, []
        window = self.size[y - 1 : y + 2, x - 1 : x + 2].reshape(9, self.channels)
        first = t["bias"][self.chunk].copy()
        for tap, sizes in enumerate(window):
            first += (
                np.maximum(-sizes, 0) @ t["around"][0, :, tap] + np.maximum(sizes, 0) @ t["around"][1, :, tap]
            )
        layer = np.clip(round_shift(first, 1), 0, 4095)
        inner = round_shift(t["inner_bias"][self.chunk] + t["inner"] @ layer, 5)
        number = self.first_of(0)
        for group in self.order[self.chunk]:
            activation = np.clip(round_shift(inner, 1), 0, 4095)
            told = np.zeros_like(inner)
            for channel, plane in group:
                code = self.code(decoder, (y, x, channel, plane), number, activation)
                if code:
                    before = abs(int(self.size[y, x, channel]))
                    self.index[y, x, channel] += code * (1 << plane)
                    self.size[y, x, channel] = log_size(int(self.index[y, x, channel]))
                    told += (abs(int(self.size[y, x, channel])) - before) * t["own"][int(code > 0), channel]
                codes.append(code)
                number += 1
            inner = inner + told
        return codes

    def code(
        self, decoder: RangeDecoder, at: tuple[int, int, int, int], number: int, activation: np.ndarray
    ) -> int:
        y, x, channel, plane = at
        t = self.tables
        near = np.array([self.size[y + dy, x + dx, channel] for dy, dx in AROUND])
        total = int(t["significance_bias"][number] + t["significance"][number] @ activation)
        total += 32 * int(t["near"][number] @ np.abs(near))
        index = int(self.index[y, x, channel])
        if index:
            shared = clamp(total, -(1 << 17), 1 << 17) >> 6
            bias = int(t["refinement_bias"][number, int(abs(index) != 2 << plane)])
            total = bias + int(t["refinement_share"][number]) * shared
            return self.bit(decoder, total, "refinement", number, at) * (1 if index > 0 else -1)
        if not self.bit(decoder, total, "significance", number, at):
            return 0
        total = int(t["sign_bias"][number] + t["sign"][number] @ activation)
        total += 32 * int(t["near_sign"][number] @ near)
        return 1 if self.bit(decoder, total, "sign", number, at) else -1

    def bit(self, decoder: RangeDecoder, total: int, *question: object) -> int:
        """``question`` is what it says, and of which code."""
        return decoder.decode(clamp(logistic(round_shift(total, 2)), LEAST, 65536 - LEAST))


class LearningDecoder(NetworkDecoder):
    """12.4."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Value and what was seen.
        self.corrections: dict[tuple[object, ...], list[int]] = {}

    def bit(self, decoder: RangeDecoder, total: int, *question: object) -> int:
        name, number, at = question
        chosen = [((name, number), 655360)]
        chosen += [((name, number, *key), 327680) for key in self.contexts(name, *at)]
        corrections = [(self.corrections.setdefault(key, [0, 0]), inertia) for key, inertia in chosen]
        total += sum(value >> 8 for (value, _), _ in corrections)
        p = logistic(clamp(round_shift(total, 2), -LOGIT_LIMIT, LOGIT_LIMIT))
        bit = decoder.decode(p)
        missed = 65536 * bit - p
        if abs(missed) > 640:
            for correction, inertia in corrections:
                correction[1] = min(correction[1] + (p * (65536 - p) >> 16), 1 << 30)
                step = abs(missed) * (1 << 22) // (inertia + correction[1])
                moved = correction[0] + (step if missed > 0 else -step)
                correction[0] = clamp(moved, -(1 << 25), 1 << 25)
        return bit

    def contexts(self, name: str, y: int, x: int, channel: int, plane: int) -> list[tuple[object, ...]]:
        if name != "refinement" and plane < 5:
            return []
        around = {
            (dy, dx): self.value(y + dy, x + dx, channel, (dy, dx) < (0, 0))
            for dy, dx in AROUND
            if 1 <= y + dy <= self.height and 1 <= x + dx <= self.width
        }
        if not around:
            mean = median = spread = 0
        else:
            weight = {at: 2 if 0 in at else 1 for at in around}
            mean = 16 * sum(weight[at] * around[at] for at in around) // sum(weight.values())
            spread = min(((max(around.values()) - min(around.values())) >> plane).bit_length(), 4)
            median = mean
            if (-1, -1) in around:
                west, north = around[0, -1], around[-1, 0]
                median = 16 * clamp(west + north - around[-1, -1], min(west, north), max(west, north))
        index = int(self.index[y, x, channel])

        def bucket(expected: int) -> int:
            if name == "significance":
                at = abs(expected) >> plane
            elif name == "sign":
                at = (expected >> plane + 2) + 8
            else:
                at = ((expected if index > 0 else -expected) - 16 * abs(index) >> plane + 3) + 6
            return clamp(at, 0, 15)

        return [("mean", bucket(mean), spread), ("median", bucket(median))]

    def value(self, y: int, x: int, channel: int, is_before: bool) -> int:
        """An index, in the middle of what it may become."""
        index = int(self.index[y, x, channel])
        done = self.order[: self.chunk + is_before]
        known = [plane for groups in done for group in groups for other, plane in group if other == channel]
        half = (1 << known[-1]) >> 1 if known else 0
        return index + half * int(np.sign(index))
