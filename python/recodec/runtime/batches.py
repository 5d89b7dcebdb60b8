"""Lists of pictures on a GPU: networks take those of one size together, and threads do what is not for a GPU.

A GPU is done with a photograph before one core has decoded its codes, so that several cores work ahead of it.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items that wait, for each that is taken at once or prepared: for others with their key, or for their turn.
_AHEAD = 4


def usable_cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def prepared(items: Iterable[Item], prepare: Callable[[Item], Result], workers: int) -> Iterator[Result]:
    """``prepare`` of each item, in order, by ``workers`` threads that work ahead of whoever takes the results.

    What it raises is raised in its item's turn; items after that may have been prepared for nothing.
    """
    source = iter(items)
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="recodec") as pool:
        try:
            pending.extend(pool.submit(prepare, item) for item in islice(source, _AHEAD * workers))
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(prepare, item) for item in islice(source, 1))
        finally:
            for future in pending:
                future.cancel()


def batched(
    items: Iterable[Item],
    batch_key: Callable[[Item], Hashable],
    process: Callable[[Sequence[Item]], Sequence[Result]],
    size: int,
) -> Iterator[Result]:
    """Results in the order of items, up to ``size`` of which are processed together if they have one key.

    Few items wait for others with their key, and few results for their turn.
    """
    waiting: OrderedDict[Hashable, list[tuple[int, Item]]] = OrderedDict()
    done: dict[int, Result] = {}
    turn = 0

    def finish(group: list[tuple[int, Item]]) -> Iterator[Result]:
        nonlocal turn
        results = process([item for _, item in group])
        done.update(zip((place for place, _ in group), results, strict=True))
        while turn in done:
            yield done.pop(turn)
            turn += 1

    for place, item in enumerate(items):
        key = batch_key(item)
        waiting.setdefault(key, []).append((place, item))
        if len(waiting[key]) == size:
            yield from finish(waiting.pop(key))
        elif place - turn >= _AHEAD * size:
            # The first in turn is among those that wait longest.
            _, group = waiting.popitem(last=False)
            yield from finish(group)
    for group in waiting.values():
        yield from finish(group)
