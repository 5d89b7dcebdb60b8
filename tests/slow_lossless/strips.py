"""14.1 and 14.2: strips, their planes, and what streams begin with."""

from __future__ import annotations

from collections.abc import Callable

from tests.slow_coder import Counter, RangeDecoder
from tests.slow_container import Reader, RejectedError, reject_unless

from .decisions import Mixers, decode_sample
from .drawn import Exact
from .planes import EFFORTS, Effort, Plane
from .predictors import Predictors
from .statistics import Statistics

# Channel of each plane, and the planes that it is predicted from.
ROLES: dict[int, list[tuple[int, list[int]]]] = {
    1: [(0, [])],
    2: [(0, []), (1, [])],
    3: [(1, []), (0, [0]), (2, [0, 1])],
    4: [(1, []), (0, [0]), (2, [0, 1]), (3, [])],
}

Samples = list[list[list[int]]]


def decode_strip(data: bytes, height: int, width: int, channels: int, depth: int, effort: int) -> Samples:
    """Rows of pixels of channels. Raises :class:`RejectedError`."""
    most, spent = (1 << depth) - 1, EFFORTS[effort]
    reader = Reader(data)
    kind = reader.u8() if data else 0
    reject_unless(kind in (0, 1), "kind")
    try:
        if kind == 0:
            return decode_group(reader, height, width, channels, most, spent)
        last, size = reader.varint(), reader.varint()
        reject_unless(last < 256, "colours")
        listed = Reader(reader.take(size))
        (colours,) = decode_group(listed, 1, last + 1, channels, most, spent)
        indices = decode_group(reader, height, width, 1, last, spent)
    except EOFError:
        raise RejectedError("strip") from None
    return [[colours[index] for (index,) in row] for row in indices]


def decode_group(
    reader: Reader, height: int, width: int, channels: int, most: int, effort: Effort
) -> Samples:
    roles = ROLES[channels]
    sizes = [reader.varint() for _ in roles[1:]]
    streams = [reader.take(size) for size in sizes] + [reader.data[reader.at :]]
    planes: list[Plane] = []
    values: list[list[list[int]]] = []
    for stream, (_, before) in zip(streams, roles, strict=True):
        plane, levels = decode_plane(stream, height, width, most, effort, [planes[i] for i in before])
        planes.append(plane)
        values.append([[levels[sample] for sample in row] for row in plane.samples])
    order = [channel for channel, _ in roles]
    return [
        [[values[order.index(channel)][y][x] for channel in range(channels)] for x in range(width)]
        for y in range(height)
    ]


def decode_levels(decoder: RangeDecoder, most: int) -> list[int] | range:
    if not decoder.decode(32768):
        return range(most + 1)
    counters: dict[tuple[int, int], Counter] = {}
    levels, since, gap = [], 0, 0
    for value in range(most + 1):
        counter = counters.setdefault((min(since, 63), min(gap, 63)), Counter(limit=250))
        bit = decoder.decode(counter.probability)
        counter.learn(65536 * bit)
        if bit:
            levels.append(value)
            since, gap = 0, since
        else:
            since += 1
    return levels or [0]


def decode_plane(
    data: bytes, height: int, width: int, limit: int, effort: Effort, before: list[Plane]
) -> tuple[Plane, list[int] | range]:
    """The plane, and the values that its samples stand for."""
    decoder = RangeDecoder(data)
    drawn = decoder.decode(32768)
    levels = decode_levels(decoder, limit)
    most, noise = len(levels) - 1, 0
    if most > 255:
        for _ in range(4):
            noise = 2 * noise + decoder.decode(32768)
        noise = min(noise, 8)
    plane = Plane(height, width, most, noise)
    planes = [*before, plane]
    deep = any(known.most > 255 for known in planes)
    predictors, statistics = Predictors(planes, effort), Statistics(planes, effort)
    exact = Exact(planes) if drawn else None
    mixers = Mixers(decoder, len(effort.distributions), 13 if drawn else len(effort.counters))
    counters: dict[tuple[int, int, int], Counter] = {}

    for y in range(height):
        plane.samples.append([])
        plane.errors.append([])
        predictors.begin_row()
        mixers.begin_row(y)
        for x in range(width):
            predictors.predict(y, x)
            statistics.look(y, x, predictors)
            origin = statistics.centre // 64
            if exact is not None:
                exact.look(y, x)
                origin = exact.origin
            rows = statistics.counter_rows(y, x, predictors)

            def decide(
                node: int,
                asked: Callable[[int], bool | None],
                logits: list[int],
                rows: list[tuple[int, int]] = rows,
            ) -> bool:
                selectors = statistics.selectors
                if exact is None:
                    chosen = [counters.setdefault((*row, node), Counter(limit=250)) for row in rows]
                else:
                    would = None if exact.expected is None else asked(exact.expected)
                    chosen = exact.counters(node, 0 if would is None else 1 + would)
                    selectors = (exact.selector, selectors[1])
                return mixers.decode(node, logits, chosen, selectors)

            sample = decode_sample(origin, most, deep, statistics.distributions, decide)
            plane.samples[y].append(sample)
            statistics.learn(sample, predictors.blend)
            predictors.learn(x, sample, statistics.near)
            if exact is not None:
                exact.learn(y, x, sample)
        predictors.end_row()
    plane.done = True
    return plane, levels
