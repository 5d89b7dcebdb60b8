"""Compile candidates in several processes: compiling takes seconds, measuring what is compiled takes milliseconds.

Every process launches what it is told to, which leaves the kernel in the cache that Triton keeps on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from recodec.kernels.tuning import Tiles

if TYPE_CHECKING:
    from recodec.kernels.tuner.trials import Trial


class Wanted(NamedTuple):
    """A trial by its number among the plans of its type, which other processes can be told."""

    dtype: str
    batch: int
    number: int
    worth: float

    def trial(self, device: Any) -> Trial:
        """The trial with its tensors."""
        import torch

        from recodec.kernels.tuner.trials import plans

        return plans(getattr(torch, self.dtype), device, self.batch)[self.number].make()


def launch_once(one: Wanted, tiles: Tiles) -> bool:
    """Compile and launch a candidate in this process; whether it could be."""
    import torch
    from triton.runtime.errors import OutOfResources

    try:
        one.trial(torch.device("cuda", torch.cuda.current_device())).run(tiles)
        torch.cuda.synchronize()
    except OutOfResources:
        return False
    except Exception as error:  # noqa: BLE001 - compilers raise anything
        print(f"{one.dtype} trial {one.number}: {tiles} fails: {error}", flush=True)
        return False
    return True


def precompile(
    tasks: Sequence[tuple[Wanted, Tiles]],
    jobs: int,
    until: float,
    launch: Callable[[Wanted, Tiles], bool] = launch_once,
) -> dict[Wanted, list[Tiles]]:
    """Compile ``tasks``, in their order, until the clock is ``until``; returns what is compiled."""
    done: dict[Wanted, list[Tiles]] = {}
    count = 0
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    futures = {pool.submit(launch, *task): task for task in tasks}
    try:
        for future in as_completed(futures, timeout=max(0.0, until - time.monotonic())):
            one, tiles = futures[future]
            if future.result():
                done.setdefault(one, []).append(tiles)
                count += 1
    except TimeoutError:
        pass
    except BrokenProcessPool as error:
        print(f"the rest compiles one by one: {error}", flush=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    print(f"compiled {count} of {len(tasks)} candidates in {jobs} processes", flush=True)
    return done
