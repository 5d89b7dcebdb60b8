"""14.4 to 14.6: what predictors make of a sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.slow_coder import clamp, round_shift

from .planes import HERE, NE, NW, Effort, N, Plane, W, median, quotient

Numbers = NDArray[np.int64]

# 14.4
OWN = [
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-2, -1), (-2, 1), (-1, 2), (-2, -2), (-2, 2),
    (0, -3), (-3, 0), (-1, -3), (-1, 3), (-3, -1), (-3, 1), (-2, -3), (-2, 3), (-3, -2), (-3, 2), (0, -4), (-4, 0),
]  # fmt: skip
OTHERS = [
    (0, 0), (0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, -2), (-2, 0), (0, 2), (2, 0),
]  # fmt: skip

# 14.5, by number: inputs at most, trust, down, across
WINDOWS = ((39, 1024, (3, 5), (1, 7)), (39, 256, (5, 6), (3, 4)), (30, 1024, (2, 4), (1, 2)))
MOST_WEIGHT = (1 << 19) - 16


def fade(sums: Numbers, shifts: tuple[int, int]) -> Numbers:
    a, b = shifts
    return sums - ((sums + (1 << a - 1)) >> a) - ((sums + (1 << b - 1)) >> b)


class Window:
    """14.5"""

    def __init__(self, number: int, inputs: int, width: int) -> None:
        most, self.trust, self.down_fade, self.across = WINDOWS[number]
        self.k, self.width = min(inputs, most), width
        self.columns = 8 * -(-width // 32768)
        shape = (-(-width // self.columns), self.k, self.k + 1)
        self.down, self.around = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.group: list[tuple[int, Numbers]] = []

    def begin_row(self) -> None:
        self.here = np.zeros(self.down.shape[1:], np.int64)

    def predict(self, x: int, values: Numbers) -> int:
        """In whole units, Q6 of their difference from the mean."""
        if x % 8 == 0:
            self.weights = solve(self.around[x // self.columns] + self.here)
        return round_shift(int(self.weights @ values[: self.k]), 6)

    def learn(self, x: int, told: Numbers, near: int) -> None:
        """``told`` are the coarse inputs, the coarse target behind them."""
        self.group.append((max(self.trust // (16 + near), 1), np.append(told[: self.k], told[-1])))
        if x % 8 != 7 and x + 1 < self.width:
            return
        total = sum((trust * np.outer(u[:-1], u) for trust, u in self.group), np.zeros_like(self.here))
        slot = x // self.columns
        self.down[slot] = fade(self.down[slot], self.down_fade) + total
        self.here = fade(self.here, self.across) + total
        self.group = []

    def end_row(self) -> None:
        passing = np.zeros_like(self.here)
        for slot, down in enumerate(self.down):
            self.around[slot] = passing = fade(passing, self.across) + down
        passing = np.zeros_like(self.here)
        for slot in reversed(range(len(self.down))):
            passing = fade(passing, self.across)
            self.around[slot] += passing
            passing = passing + self.down[slot]


def solve(sums: Numbers) -> Numbers:
    assert np.abs(np.triu(sums)).max() < 1 << 31
    k = len(sums)
    most = max(int(np.diag(sums).max()), int(np.abs(sums[:, k]).max()))
    shift = min(28 - most.bit_length(), 20)

    def up(a: Any) -> Any:
        return a << shift if shift >= 0 else a >> -shift

    ridge = max(up(320), 1) << 28
    factors, pivots, reciprocals = np.zeros((k, k + 1), np.int64), [], []
    for j in range(k):
        left = (up(sums[j, j:]) << 28) - factors[:j, j] @ factors[:j, j:]
        pivot = math.isqrt(max(int(left[0]) + ridge, 1 << 40))
        pivots.append(pivot)
        reciprocals.append((1 << 44) // pivot)
        clipped = left[1:].clip(-pivot << 28, pivot << 28)
        factors[j, j + 1 :] = (clipped >> 14) * reciprocals[j] >> 30
    found = np.zeros(k, np.int64)
    for j in reversed(range(k)):
        left = (int(factors[j, k]) << 16) - int(factors[j, j + 1 : k] @ found[j + 1 :])
        bound = MOST_WEIGHT * pivots[j]
        found[j] = (clamp(left, -bound, bound) >> 4) * reciprocals[j] >> 40
    return (found + 8) >> 4


class Gradient:
    """14.6"""

    def __init__(self, inputs: int, own: int, rate: int, noise: int) -> None:
        self.rate, self.noise = rate, noise
        self.weights = np.zeros(inputs, np.int64)
        self.weights[:4] = 16384
        self.weights[own : own + 1] = 65536

    def predict(self, values: Numbers) -> int:
        self.said = clamp(int(self.weights @ values) >> 10, -(1 << 25), 1 << 25)
        return self.said

    def learn(self, values: Numbers, difference: int) -> None:
        dividend = (64 * difference - self.said) * self.rate * 16 << self.noise
        energy = int(values @ values) // 4 + (64 << 2 * self.noise)
        step = clamp(quotient(dividend, energy), -(1 << 22), 1 << 22)
        shift = 10 + self.noise
        change = (step * values + (1 << shift - 1)) >> shift
        self.weights = (self.weights + change.clip(-(1 << 20), 1 << 20)).clip(-3 << 16, 3 << 16)


class Predictors:
    """Of the last of ``planes``: ``each`` is what they make of a sample, ``recent`` what they missed nearby."""

    def __init__(self, planes: list[Plane], effort: Effort) -> None:
        self.planes, self.plane = planes, planes[-1]
        own, before, green = (effort.alone, 0, 0) if len(planes) == 1 else effort.after
        self.places = [(self.plane, place) for place in OWN[:own]]
        if len(planes) > 1:
            self.places += [(planes[-2], place) for place in OTHERS[:before]]
        if len(planes) > 2:
            self.places += [(planes[0], place) for place in OTHERS[:green]]
        inputs, noise = len(self.places), self.plane.noise
        self.windows = [Window(number, inputs, self.plane.width) for number in effort.windows]
        self.gradients = [Gradient(inputs, own, rate, noise) for rate in (480, 48)]
        self.nothing = 256 << noise
        self.missed = [[[self.nothing] * self.plane.width] for _ in range(len(self.windows) + 3)]

    def begin_row(self) -> None:
        for window in self.windows:
            window.begin_row()
        for rows in self.missed:
            rows.append([])

    def predict(self, y: int, x: int) -> None:
        means = {id(plane): self._mean(plane, y, x) for plane, _ in self.places}
        self.mean = means[id(self.plane)]
        self.values = np.array(
            [plane.sample(y, x, place) - means[id(plane)] for plane, place in self.places], np.int64
        )
        linear = [predictor.predict(x, self.values) for predictor in self.windows]
        linear += [predictor.predict(self.values) for predictor in self.gradients]
        found = [64 * self.mean + value for value in linear] + [64 * self._median(y, x)]
        self.each = [clamp(value, 0, 64 * self.plane.most) for value in found]
        self.recent = [self._recent(rows, x) for rows in self.missed]
        errors = [recent + (20 << self.plane.noise) for recent in self.recent]
        total = blended = 0
        for error, value in zip(errors, self.each, strict=True):
            ratio = (min(errors) << 16) // error
            square = ratio * ratio >> 16
            share = square * square >> 12
            total += share
            blended += share * value
        self.blend = blended // total

    def learn(self, x: int, sample: int, near: int) -> None:
        for rows, value in zip(self.missed, self.each, strict=True):
            rows[-1].append(abs(64 * sample - value))
        noise, difference = self.plane.noise, sample - self.mean
        coarse = ((np.append(self.values, difference) + (1 << noise) // 2) >> noise).clip(-255, 255)
        for window in self.windows:
            window.learn(x, coarse, near)
        for gradient in self.gradients:
            gradient.learn(self.values, difference)

    def end_row(self) -> None:
        for window in self.windows:
            window.end_row()

    def _mean(self, plane: Plane, y: int, x: int) -> int:
        w, n, nw, ne = (plane.sample(y, x, place) for place in (W, N, NW, NE))
        return (2 * (w + n) + nw + ne + 3) // 6

    def _median(self, y: int, x: int) -> int:
        def other(place: tuple[int, int]) -> int:
            return 0 if len(self.planes) == 1 else self.planes[-2].sample(y, x, place)

        return other(HERE) + median(*(self.plane.sample(y, x, place) - other(place) for place in (W, N, NW)))

    def _recent(self, rows: list[list[int]], x: int) -> int:
        above, last = rows[-2], self.plane.width - 1
        left = rows[-1][x - 1] if x else self.nothing
        return 2 * left + 2 * above[x] + above[min(x + 1, last)] + above[max(x - 1, 0)]
