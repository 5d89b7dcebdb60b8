"""14.10: planes in which the same samples come together again and again."""

from __future__ import annotations

from tests.slow_coder import Counter, clamp

from .planes import HERE, NE, NN, NW, WW, N, Plane, W, median


def hashed(*values: int) -> int:
    a = 0
    for value in values:
        a = (a ^ value) * 0x9E3779B1 % 2**32
        a ^= a >> 15
    return a * 0x85EBCA6B % 2**32


class Exact:
    """What exactly lies around a sample of the last of ``planes``."""

    def __init__(self, planes: list[Plane]) -> None:
        self.planes, self.plane = planes, planes[-1]
        self.bits = clamp((self.plane.height * self.plane.width).bit_length(), 10, 18)
        self.seen: dict[int, int] = {}
        self.colours: dict[int, int] = {}
        self.length, self.next = 0, -1
        self.tables: dict[tuple[int, int], Counter] = {}
        self.maps: dict[tuple[int, int, int], Counter] = {}
        self.matches: dict[tuple[int, int, int], Counter] = {}

    def look(self, y: int, x: int) -> None:
        def at(*place: int) -> int:
            return self.plane.sample(y, x, (place[0], place[1]))

        w, n, nw, ne, ww, nn = (at(*place) for place in (W, N, NW, NE, WW, NN))
        same = around = 0
        self.origin, self.colour = median(w, n, nw), None
        alone = len(self.planes) == 1
        if not alone:
            before, green = self.planes[-2], self.planes[0]
            same = hashed(before.sample(y, x, HERE), green.sample(y, x, HERE))
            around = hashed(*(before.sample(y, x, place) for place in (W, N, (0, 1), (1, 0))))
            self.colour = same >> 16
            self.origin = self.colours.get(self.colour, self.origin)
        origin = self.origin
        r3 = hashed(4, origin, w, n, nw, ne, ww, nn, same)
        r4 = hashed(5, r3, at(0, -3), at(-1, -2), at(-1, 2), at(-2, -1), at(-2, 1))
        self.rows = [
            hashed(1, origin, w, n, nw, ne),
            hashed(2, origin, w, same),
            hashed(3, origin, w, n, nw, ne, same, around),
            r3,
            r4,
            hashed(6, origin, w, n, nw, at(-1, -2)) if alone else hashed(6, origin, same),
        ]
        key = hashed(7, r4, at(0, -4), at(-1, -3), at(-1, 3), at(-2, -2), at(-2, 2), around)
        self.key = key >> (32 - self.bits)
        if self.length == 0:
            self.next = self.seen.get(self.key, -1)
        self.expected = None
        if self.next >= 0:
            self.expected = self.plane.samples[self.next // self.plane.width][self.next % self.plane.width]

    @property
    def selector(self) -> int:
        return 0 if self.expected is None else 1 + min(self.length, 15)

    def counters(self, node: int, hint: int) -> list[Counter]:
        found, maps = [], []
        for i, row in enumerate(self.rows):
            place = hashed(row, node) >> (30 - self.bits)
            counter = self.tables.setdefault((i, place), Counter(limit=250))
            high = counter.probability >> 10
            start = Counter(1024 * high + 512, 6, limit=250)
            found.append(counter)
            maps.append(self.maps.setdefault((i, min(counter.count, 15), high), start))
        match = self.matches.setdefault((min(self.length, 15), hint, node), Counter(limit=250))
        return [*found, *maps, match]

    def learn(self, y: int, x: int, sample: int) -> None:
        place = y * self.plane.width + x
        self.seen[self.key] = place
        if self.colour is not None:
            self.colours[self.colour] = sample
        if sample != self.expected:
            self.length = 0
            return
        self.length, self.next = self.length + 1, self.next + 1
        if self.next > place:
            self.length = 0
