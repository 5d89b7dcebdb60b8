"""14.3: planes with what lies around them, and what an effort spends."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.slow_coder import clamp

Place = tuple[int, int]

HERE, W, N, NW, NE, WW, NN = (0, 0), (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)


def quotient(a: int, b: int) -> int:
    return -(-a // b) if a < 0 else a // b


def median(a: int, b: int, c: int) -> int:
    if c >= max(a, b):
        return min(a, b)
    return max(a, b) if c <= min(a, b) else a + b - c


@dataclass
class Plane:
    """``samples`` and ``errors`` are rows, as far as they are known; those of a plane that is ``done`` on all sides."""

    height: int
    width: int
    most: int
    noise: int
    samples: list[list[int]] = field(default_factory=list)
    errors: list[list[int]] = field(default_factory=list)
    done: bool = False

    def sample(self, y: int, x: int, place: Place = HERE) -> int:
        outside = (self.most + 1) // 2
        return self._look(self.samples, y, x, place, self.samples[y - 1][0] if y else outside, outside)

    def error(self, y: int, x: int, place: Place = HERE) -> int:
        return self._look(self.errors, y, x, place, 0, 0)

    def _look(self, rows: list[list[int]], y: int, x: int, place: Place, before: int, above: int) -> int:
        r, c = y + place[0], x + place[1]
        if self.done:
            return rows[clamp(r, 0, self.height - 1)][clamp(c, 0, self.width - 1)]
        if r == y:
            return before if c < 0 else rows[y][c]
        return rows[max(r, 0)][clamp(c, 0, self.width - 1)] if y else above


@dataclass(frozen=True)
class Effort:
    alone: int
    after: tuple[int, int, int]
    windows: tuple[int, ...]
    distributions: tuple[int, ...]
    counters: tuple[int, ...]


EFFORTS = (
    Effort(8, (6, 5, 1), (0,), (0, 2), (0, 1, 4)),
    Effort(20, (12, 13, 9), (0,), (0, 1, 2), (0, 1, 2, 3, 4)),
    Effort(24, (13, 13, 13), (0, 1, 2), tuple(range(8)), tuple(range(8))),
)
