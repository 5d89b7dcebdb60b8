"""The cache of CUDA graphs; what it caches is recorded without a GPU, and captured where there is one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from recodec.runtime.graphs import GraphCache


def poisoned(x: Tensor) -> Tensor:
    """Memory that has not been written."""
    return torch.full_like(x, torch.nan if x.is_floating_point() else 77)


class Recorded:
    """Stands for a graph: its buffers stay where they are, and the function runs when it is replayed."""

    captures = 0

    def __init__(self, function, examples: tuple[Tensor, ...]):
        self.function, self.inputs = function, tuple(map(poisoned, examples))
        self.output = poisoned(function(*examples))
        Recorded.captures += 1

    def replay(self) -> None:
        self.output.copy_(self.function(*self.inputs))


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    Recorded.captures = 0


def double(x: Tensor) -> Tensor:
    return 2 * x


def test_one_graph_for_each_name_and_shape_and_type() -> None:
    cache = GraphCache(capture=Recorded)
    for captures in (0, 6, 6):
        for name in ("a", "b"):
            for x in (torch.rand(2, 3), torch.rand(3, 2), torch.rand(2, 3).double()):
                torch.testing.assert_close(cache.run(name, double, x), 2 * x, rtol=0, atol=0)
        assert (Recorded.captures, len(cache)) == (captures, captures)


def test_results_are_not_overwritten() -> None:
    cache = GraphCache(capture=Recorded)
    inputs = [torch.rand(5) for _ in range(5)]
    results = [cache.run("double", double, x) for x in inputs]
    assert len(cache) == 1
    for x, result in zip(inputs, results, strict=True):
        torch.testing.assert_close(result, 2 * x, rtol=0, atol=0)


def test_those_used_least_recently_go_first() -> None:
    cache = GraphCache(2, Recorded)
    one, two, three = (torch.rand(size) for size in (1, 2, 3))
    for x in (one, one, two, two, one, three):
        cache.run("double", double, x)
    assert (Recorded.captures, len(cache)) == (2, 2)
    cache.run("double", double, three)  # two goes
    assert (Recorded.captures, len(cache)) == (3, 2)
    cache.run("double", double, one)
    assert Recorded.captures == 3
    for captures in (3, 3, 3, 4):  # twice as often as at first
        cache.run("double", double, two)
        assert (Recorded.captures, len(cache)) == (captures, 2)


def test_more_shapes_than_there_is_room_for_are_seldom_captured() -> None:
    cache = GraphCache(2, Recorded)
    for _ in range(100):
        for size in range(1, 6):
            x = torch.rand(size)
            torch.testing.assert_close(cache.run("double", double, x), 2 * x, rtol=0, atol=0)
    # After 2, 4, 8, … times that a shape was asked for without one.
    assert len(cache) == 2
    assert 5 < Recorded.captures <= 5 * 6


def test_what_was_asked_for_once_is_forgotten_in_time() -> None:
    cache = GraphCache(1, Recorded)
    for size in [*range(1, 20), *range(1, 20)]:
        cache.run("double", double, torch.rand(size))
    assert len(cache._asked) == 8
    assert Recorded.captures == 0


def test_a_function_that_cannot_be_captured_is_run() -> None:
    def refuse(function, examples: tuple[Tensor, ...]) -> Recorded:
        Recorded.captures += 1
        raise RuntimeError("not like this\nand more")

    cache = GraphCache(capture=refuse)
    x = torch.rand(2)
    torch.testing.assert_close(cache.run("double", double, x), 2 * x)
    with pytest.warns(RuntimeWarning, match="without a CUDA graph: not like this$"):
        torch.testing.assert_close(cache.run("double", double, x), 2 * x)
    for _ in range(3):
        torch.testing.assert_close(cache.run("double", double, x), 2 * x)
    assert (Recorded.captures, len(cache)) == (1, 0)


def test_graphs_make_room_when_memory_is_short() -> None:
    def capture(function, examples: tuple[Tensor, ...]) -> Recorded:
        if examples[0].numel() > 100:
            raise torch.OutOfMemoryError("nothing left")
        return Recorded(function, examples)

    cache = GraphCache(capture=capture)
    for _ in range(2):
        cache.run("double", double, torch.rand(2))
    assert len(cache) == 1
    x = torch.rand(101)
    cache.run("double", double, x)
    with pytest.warns(RuntimeWarning, match="without a CUDA graph: nothing left"):
        torch.testing.assert_close(cache.run("double", double, x), 2 * x)
    assert len(cache) == 0


def test_errors_of_a_function_are_its_own() -> None:
    def fail(x: Tensor) -> Tensor:
        raise ValueError("odd")

    cache = GraphCache(capture=Recorded)
    for _ in range(3):
        with pytest.raises(ValueError, match="odd"):
            cache.run("fail", fail, torch.rand(2))
    assert len(cache) == 0


def test_threads_share_a_cache() -> None:
    cache = GraphCache(3, Recorded)

    def use(seed: int) -> None:
        x = torch.rand(1 + seed % 5, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(cache.run("double", double, x), 2 * x, rtol=0, atol=0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(200)))
    assert 0 <= len(cache) <= 3
    assert Recorded.captures > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device to capture graphs on")
def test_graphs_are_captured_and_replayed() -> None:
    cache = GraphCache()
    weight = torch.rand(8, 8, device="cuda")
    with torch.inference_mode():
        for _ in range(3):
            x = torch.rand(4, 8, device="cuda")
            torch.testing.assert_close(
                cache.run("product", lambda x: torch.tanh(x @ weight), x), torch.tanh(x @ weight)
            )
    assert len(cache) == 1
