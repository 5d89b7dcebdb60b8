"""14.8, 14.9 and 14.11: a sample in binary decisions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from tests.slow_coder import LEAST, LOGIT_LIMIT, WEIGHT_LIMIT, Counter, RangeDecoder, clamp, logistic, logit

from .predictors import Numbers
from .statistics import Distribution

# Node, and for a value or none of a sample whether it comes to the decision and what it would be; logits.
Decide = Callable[[int, Callable[[int], bool | None], list[int]], bool]


@functools.cache
def softplus_table() -> list[int]:
    return [round(65536 * math.log1p(math.exp(k / 16))) for k in range(-192, 193)]


@functools.cache
def share_table() -> list[int]:
    values = (2 ** (i // 16) * (16 + i % 16) / 2**20 for i in range(305))
    return [round(4096 * math.log(math.expm1(value))) for value in values]


def softplus(z: int) -> int:
    if abs(z) >= 49152:
        return max(16 * z, 0)
    i, rest = divmod(z + 49152, 256)
    low, high = softplus_table()[i : i + 2]
    return low + ((high - low) * rest >> 8)


def share_logit(d: int) -> int:
    if d >= 1 << 19:
        return 32767
    v = max(d, 1)
    e = v.bit_length() - 1
    i, rest = divmod((512 * v >> e) - 512, 32)
    low, high = share_table()[16 * e + i : 16 * e + i + 2]
    return max(low + ((high - low) * rest >> 5), -32767)


def bucket_start(i: int) -> int:
    return sum(1 << j // 2 for j in range(i))


def decode_sample(
    origin: int, most: int, deep: bool, distributions: Sequence[Distribution], decide: Decide
) -> int:
    """14.8"""
    buckets = 31 if deep else 15
    start, sign, span = origin, -1, origin
    if origin < most:
        logits = [clamp(-d.distance(64 * origin + 32), -32767, 32767) for d in distributions]
        if decide(0, lambda sample: sample > origin, logits):
            start, sign, span = origin + 1, 1, most - origin - 1

    def beyond(distance: int) -> list[int]:
        place = 64 * start + sign * (64 * distance - 32)
        return [softplus(sign * d.distance(place)) for d in distributions]

    def less(bound: int, low: int, high: int) -> Callable[[int], bool | None]:
        def asked(sample: int) -> bool | None:
            distance = sign * (sample - start)
            return distance < bound if low <= distance <= high else None

        return asked

    inner, outer = beyond(0), [0] * len(distributions)
    i, found = 0, False
    while not found and bucket_start(i + 1) <= span:
        end = bucket_start(i + 1)
        outer = beyond(end)
        logits = [share_logit(b - a) for a, b in zip(inner, outer, strict=True)]
        node = 1 + i + (buckets if sign < 0 else 0)
        found = decide(node, less(end, bucket_start(i), span), logits)
        if not found:
            inner, i = outer, i + 1
    low, high = bucket_start(i), min(bucket_start(i + 1), span + 1)
    if not found:
        outer = beyond(high)
    while high - low > 1:
        middle = (low + high) // 2
        between, logits = beyond(middle), []
        for a, b, c in zip(inner, between, outer, strict=True):
            logits.append(clamp(share_logit(b - a) - share_logit(c - b) + (c - b >> 4), -32767, 32767))
        if decide(1 + 2 * buckets + i, less(middle, low, high - 1), logits):
            high, outer = middle, between
        else:
            low, inner = middle, between
    return start + sign * low


class Mixers:
    """14.9"""

    def __init__(self, decoder: RangeDecoder, distributions: int, counters: int) -> None:
        self.decoder = decoder
        self.start = [58982 // distributions] * distributions + [6554 // counters] * counters
        self.weights: dict[tuple[int, int, int], Numbers] = {}
        self.last: dict[int, Numbers] = {}

    def begin_row(self, y: int) -> None:
        self.rate = 200 + 38400 // (32 + y)

    def decode(
        self, node: int, logits: list[int], counters: Sequence[Counter], selectors: tuple[int, int]
    ) -> bool:
        inputs = np.array(logits + [logit(counter.probability) for counter in counters], np.int64)
        chosen = [
            self.weights.setdefault((s, node, selector), np.array(self.start, np.int64))
            for s, selector in enumerate(selectors)
        ]
        said = np.array([_mixed(weights, inputs) for weights in chosen], np.int64)
        last = self.last.setdefault(node, np.array([32768, 32768], np.int64))
        p = clamp(logistic(_mixed(last, said)), LEAST, 65536 - LEAST)
        truth = 65536 * self.decoder.decode(p)
        for weights, one in zip(chosen, said, strict=True):
            _learn(weights, inputs, truth - logistic(int(one)), self.rate)
        _learn(last, said, truth - p, 131)
        for counter in counters:
            counter.learn(truth)
        return truth > 0


def _mixed(weights: Numbers, inputs: Numbers) -> int:
    return clamp(int(weights @ inputs) >> 16, -LOGIT_LIMIT, LOGIT_LIMIT)


def _learn(weights: Numbers, inputs: Numbers, error: int, rate: int) -> None:
    weights += ((error * inputs >> 12) * rate + 32768) >> 16
    np.minimum(weights, WEIGHT_LIMIT, out=weights)
    np.maximum(weights, -WEIGHT_LIMIT, out=weights)
