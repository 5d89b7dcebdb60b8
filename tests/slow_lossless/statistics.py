"""14.7: what a sample's surroundings say about what is missed of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.slow_coder import clamp

from .planes import HERE, NE, NN, NW, WW, Effort, N, Plane, W, quotient
from .predictors import Predictors


def steps(value: int, per_octave: int, count: int) -> int:
    u = value + 64
    b = u.bit_length() - 1
    return min((8 * b + (u >> b - 3) % 8 - 48) * per_octave >> 3, count - 1)


def size(difference: int) -> int:
    found = sum(abs(difference) >= bound for bound in (1, 2, 5, 12))
    return 4 - found if difference < 0 else 4 + found


@dataclass
class Bias:
    value: int = 0
    count: int = 0

    def learn(self, error: int) -> None:
        self.value, self.count = self.value + error, self.count + 1
        if self.count == 64:
            self.value, self.count = quotient(self.value, 2), 32


@dataclass
class Scale:
    value: int
    count: int = 0

    def learn(self, error: int) -> None:
        self.count = min(self.count + 1, 400)
        self.value += (16 * error - self.value) * (655360 // (10 * self.count + 16)) >> 16


@dataclass
class Distribution:
    centre: int
    scale: Scale

    def distance(self, place: int) -> int:
        per_scale = (1 << 26) // max(45 * self.scale.value >> 6, 128)
        return clamp((place - self.centre) * per_scale >> 10, -(1 << 25), 1 << 25)


class Statistics:
    """Of the last of ``planes``, anew for each sample."""

    def __init__(self, planes: list[Plane], effort: Effort) -> None:
        self.planes, self.plane, self.effort = planes, planes[-1], effort
        self.biases: dict[int, Bias] = {}
        self.scales: dict[tuple[int, int], Scale] = {}

    def look(self, y: int, x: int, predictors: Predictors) -> None:
        noise, alone = self.plane.noise, len(self.planes) == 1
        windows, quick, blend = len(self.effort.windows), predictors.each[-3], predictors.blend
        missed = {place: abs(self.plane.error(y, x, place)) for place in (W, N, NW, NE, WW, NN)}
        self.near = 4 * missed[W] + 4 * missed[N] + 2 * missed[NW] + 2 * missed[NE] + missed[WW] + missed[NN]
        self.activity = 32 * self.near
        self.beside = 64 * (missed[W] + missed[N] + missed[NE])
        self.other, self.beyond = 0, 4
        if not alone:
            there = [self.planes[-2].error(y, x, place) for place in (HERE, (0, 1), (1, 0))]
            self.other = 64 * (2 * abs(there[0]) + abs(there[1]) + abs(there[2]))
            self.beyond = size(there[0])
        if len(self.planes) == 3:
            self.other += 64 * abs(self.planes[0].error(y, x))
        spread = sum(abs(value - blend) for value in predictors.each[:windows]) + abs(quick - blend) // 2
        self.spread = spread >> noise
        left, above = (size(self.plane.error(y, x, place)) for place in (W, N))
        self.sizes = (9 * left + above) * 9 + self.beyond
        self.first = steps(self.activity + self.spread, 3, 24)
        beside = 45 * self.activity // 64 + 2 * self.spread if alone else self.other + self.activity // 2
        self.second = steps(beside, 2, 16)

        number = 9 * self.sizes + size(quotient((quick - predictors.each[0]) >> noise, 64))
        self.bias = self.biases.setdefault(number, Bias())
        correction = quotient(45 * quotient(self.bias.value, self.bias.count + 4), 64)
        self.centre = clamp(blend + correction, 0, 64 * self.plane.most)
        self.selectors = (self.first, self.second + (8 if self.centre % 64 < 32 else 0))
        self.distributions = [self._distribution(number, predictors) for number in self.effort.distributions]

    def _distribution(self, number: int, predictors: Predictors) -> Distribution:
        noise, each, windows = self.plane.noise, predictors.each, len(self.effort.windows)
        activity, spread, other, beside = self.activity, self.spread, self.other, self.beside
        # Of numbers from 4 on, which predictor.
        of = {4: 2, 5: windows, 6: windows + 1, 7: windows + 2}
        if number == 0:
            shown = spread if len(self.planes) == 1 else other
            centre, row = self.centre, 24 * steps(activity, 3, 24) + steps(shown, 2, 16)
        elif number == 1:
            centre, row = self.centre, steps(activity // 2 + 2 * spread, 4, 40)
        elif number == 2:
            centre, row = each[0], steps(beside + 45 * other // 64, 4, 40)
        elif number == 3:
            centre, row = each[1], 20 * steps(4 * spread, 3, 30) + steps(other + beside, 2, 20)
        else:
            row = 24 * steps(predictors.recent[of[number]] >> noise, 3, 30) + self.first
            centre = {4: each[2], 5: each[-3], 6: each[-1], 7: predictors.blend}[number]
        return Distribution(centre, self.scales.setdefault((number, row), Scale(4096 << noise)))

    def counter_rows(self, y: int, x: int, predictors: Predictors) -> list[tuple[int, int]]:
        """Number and row of each counter."""
        noise, blend, quick = self.plane.noise, predictors.blend, predictors.each[-3]
        w, n, nw, ne, ww, nn = (self.plane.sample(y, x, place) for place in (W, N, NW, NE, WW, NN))
        whole, fraction = blend // 64, self.centre % 64
        high = (self.centre // 64) >> max(self.plane.most.bit_length() - 8, 0)
        ahead = clamp(quotient(3 * ((quick - blend) >> noise) + 64, 128) + 6, 0, 12)
        pattern = 0
        for value in (2 * n - nn, 2 * w - ww, nn, ww, ne, nw, n, w):
            pattern = 2 * pattern + (64 * value > blend)
        differences = [size((value - whole) >> noise) for value in (w, n, ne)]
        rows = (
            13 * self.second + ahead,
            self.sizes,
            4 * pattern + min(3, self.first // 6),
            high,
            (9 * differences[0] + differences[1]) * 9 + differences[2],
            (16 * self.second + steps(self.activity, 2, 16)) * 9 + self.beyond,
            24 * (high // 8) + self.first,
            4 * self.first + fraction // 16,
        )
        return [(number, rows[number]) for number in self.effort.counters]

    def learn(self, sample: int, blend: int) -> None:
        noise = self.plane.noise
        error = (64 * sample - self.centre + (32 << noise)) >> (6 + noise)
        self.plane.errors[-1].append(clamp(error, -32767, 32767))
        self.bias.learn(64 * sample - blend)
        for distribution in self.distributions:
            distribution.scale.learn(abs(64 * sample - distribution.centre))
