"""Measure tiles on the GPU that is here and write them: python -m recodec.kernels.tuner.tune.

For every kernel and shape it launches candidates, from the guess for the shape outwards, until its share of the time
is used up. Several processes compile them before. What a candidate computes is held to the reference before it is
timed. The fastest goes to configs/<operator>,device_name=<gpu>.json beside this file. Exits with 2 for a
kernel that is not there, with 3 if there is no GPU or no Triton.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recodec.errors import DeviceError
from recodec.kernels.tuner.precompile import Wanted, precompile
from recodec.kernels.tuning import CONFIGS, TYPE_NAMES, Tiles, accumulators, guess, save

if TYPE_CHECKING:
    from torch import Tensor

    from recodec.kernels.tuner.trials import Trial

# At most as far from the exact result as this times plain PyTorch in the same type, and this beside it.
_TIMES_PLAIN, _BESIDE = 2.0, 1e-5

# Of the time, what goes to compiling before anything is measured, and candidates of a trial that may come to it.
_SHARE_TO_COMPILE = 0.5
_MOST_CANDIDATES = 64

# Registers of a thread that accumulators may take.
_ACCUMULATOR_REGISTERS = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m recodec.kernels.tuner.tune", description=__doc__)
    parser.add_argument("--budget-seconds", type=float, default=1200, help="time for everything together")
    parser.add_argument("--dtype", choices=list(TYPE_NAMES), nargs="+", default=["float16", "bfloat16"])
    parser.add_argument("--operator", nargs="+", help="only kernels with these names")
    parser.add_argument("--batch", type=int, default=1, help="pictures at a time")
    parser.add_argument(
        "--jobs",
        type=int,
        default=max(1, (os.cpu_count() or 1) // 2),
        help="processes that compile candidates",
    )
    parser.add_argument("--output", type=Path, default=CONFIGS, help="folder of the JSON files")
    options = parser.parse_args(arguments)
    try:
        require_triton()
        if unknown := set(options.operator or ()) - operators():
            parser.error(f"there is no kernel {min(unknown)!r}; there are {', '.join(sorted(operators()))}")
        require_gpu()
        tune(
            options.dtype,
            options.operator,
            options.batch,
            options.budget_seconds,
            options.output,
            options.jobs,
        )
    except DeviceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


def operators() -> set[str]:
    """Names of the kernels that can be tuned."""
    import torch

    from recodec.kernels.tuner.trials import plans

    return {plan.operator for plan in plans(torch.float32, torch.device("cpu"))}


def require_triton() -> None:
    """Raise :class:`DeviceError` where nothing can be compiled."""
    if find_spec("triton") is None:
        raise DeviceError("tuning needs Triton, which is not installed; install recodec[triton]")


def require_gpu() -> None:
    """Raise :class:`DeviceError` where nothing can be measured."""
    import torch

    if not torch.cuda.is_available():
        raise DeviceError(
            "tuning needs a CUDA device, and PyTorch finds none; run it where the kernels will run"
        )


def tune(
    dtypes: Sequence[str],
    operators: Sequence[str] | None,
    batch: int,
    seconds: float,
    folder: Path,
    jobs: int = 1,
) -> None:
    """Measure and write; what is there for a kernel is kept if nothing was found for it.

    What is worth most comes first and gets most of the time; when that is over, the rest is left out.
    """
    import torch

    from recodec.kernels.tuner.trials import plans

    end = time.monotonic() + seconds
    # The plain results that candidates are held to must not be coarser than their type.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device("cuda", torch.cuda.current_device())
    device_name = torch.cuda.get_device_name(device)
    versions = {name: version(name) for name in ("torch", "triton")}
    wanted = [
        Wanted(dtype, batch, index, plan.worth)
        for dtype in dtypes
        for index, plan in enumerate(plans(getattr(torch, dtype), device, batch))
        if operators is None or plan.operator in operators
    ]
    wanted.sort(key=lambda one: -one.worth)
    shared = shared_memory(device)
    compiled: dict[Wanted, list[Tiles]] = {}
    if jobs > 1:
        compiled = precompile(in_order(wanted, device), jobs, time.monotonic() + _SHARE_TO_COMPILE * seconds)
    for number, one in enumerate(wanted):
        if time.monotonic() > end:
            print(f"time is over; {len(wanted) - number} of {len(wanted)} trials are left out", flush=True)
            break
        left = sum(other.worth for other in wanted[number:])
        until = time.monotonic() + (end - time.monotonic()) * one.worth / left
        trial = one.trial(device)
        best = fastest(trial, one.dtype, until, shared, compiled.get(one))
        if best is None:
            print(
                f"{trial.operator} {one.dtype} {trial.shape}: no candidate was right and fitted", flush=True
            )
            continue
        tiles, microseconds = best
        entry = {
            "shape": trial.shape,
            "dtype": one.dtype,
            "tiles": asdict(tiles),
            "microseconds": round(microseconds, 2),
        }
        # Written as they come, so that an interrupted run has not been for nothing.
        save(trial.operator, device_name, [entry], versions, folder)


def in_order(wanted: Sequence[Wanted], device: Any) -> list[tuple[Wanted, Tiles]]:
    """Candidates of all trials in the order to compile them."""
    import torch

    from recodec.kernels.tuner.trials import plans

    tasks: list[tuple[float, Wanted, Tiles]] = []
    for one in wanted:
        plan = plans(getattr(torch, one.dtype), device, one.batch)[one.number]
        choice = candidates(plan.operator, plan.shape, one.dtype, shared_memory(device))
        # What is worth eight times as much gets eight candidates in the time of one.
        tasks += [
            ((1 + rank) / one.worth, one, tiles) for rank, tiles in enumerate(choice[:_MOST_CANDIDATES])
        ]
    return [task[1:] for task in sorted(tasks, key=lambda task: task[0])]


def shared_memory(device: Any) -> int:
    """Bytes of shared memory that a program may have."""
    import torch

    properties = torch.cuda.get_device_properties(device)
    return int(getattr(properties, "shared_memory_per_block_optin", 48 << 10))


def fastest(
    trial: Trial, dtype: str, until: float, shared: int, compiled: Sequence[Tiles] | None = None
) -> tuple[Tiles, float] | None:
    """The fastest right candidate and its microseconds; the guess is always tried.

    With ``compiled``, only what is compiled already is.
    """
    from triton.runtime.errors import OutOfResources
    from triton.testing import do_bench

    fits = checker(trial)
    best: tuple[Tiles, float] | None = None
    choice = candidates(trial.operator, trial.shape, dtype, shared)
    if compiled:
        choice = [choice[0], *(tiles for tiles in choice[1:] if tiles in compiled)]
    for number, tiles in enumerate(choice):
        if number and time.monotonic() > until:
            break
        try:
            right = fits(trial.run(tiles))
        except OutOfResources:
            continue
        except Exception as error:  # noqa: BLE001 - compilers raise anything
            print(f"{trial.operator} {dtype} {trial.shape}: {tiles} fails: {error}", flush=True)
            continue
        if not right:
            print(f"{trial.operator} {dtype} {trial.shape}: {tiles} gives wrong results", flush=True)
            continue
        microseconds = 1000 * do_bench(
            lambda chosen=tiles: trial.run(chosen), warmup=5, rep=30, return_mode="median"
        )
        if best is None or microseconds < best[1]:
            best = tiles, microseconds
            print(f"{trial.operator} {dtype} {trial.shape}: {microseconds:.1f} us with {tiles}", flush=True)
    return best


def checker(trial: Trial) -> Callable[[Sequence[Tensor]], bool]:
    """Whether results are about as near to the exact ones as those of plain PyTorch in the same type."""
    import torch
    from torch import Tensor

    wide = [value.double() if isinstance(value, Tensor) else value for value in trial.arguments]
    exact = trial.reference(*wide)
    plain = trial.reference(*trial.arguments)

    def error(results: Sequence[Tensor]) -> list[float]:
        return [float((a.double() - b).abs().max()) for a, b in zip(results, exact, strict=True)]

    limits = [_TIMES_PLAIN * value + _BESIDE for value in error(plain)]

    def fits(results: Sequence[Tensor]) -> bool:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        # A NaN is not below its limit.
        return all(value <= limit for value, limit in zip(error(results), limits, strict=True))

    return fits


def candidates(operator: str, shape: dict[str, int], dtype: str, shared: int) -> list[Tiles]:
    """Tiles worth a try, the guess first and those like it next."""
    start = guess(operator, shape, dtype)
    gates = accumulators(operator)
    size = 4 if dtype == "float32" else 2
    all_tiles = [
        Tiles(pixels, columns // gates, inputs, warps, stages)
        for pixels, columns, inputs, warps, stages in product(
            (16, 32, 64, 128, 256), (32, 64, 128, 256), (16, 32, 64, 128), (4, 8), (2, 3, 4, 5)
        )
        if columns // gates >= 16
        and pixels * columns <= _ACCUMULATOR_REGISTERS * 32 * warps
        and (pixels + columns) * inputs * size * stages <= shared
        and columns // gates < 2 * max(16, shape["channels"])
        and inputs < 2 * max(16, shape["inputs"])
    ]

    def unlike(tiles: Tiles) -> float:
        pairs = (
            (tiles.pixels, start.pixels),
            (tiles.channels, start.channels),
            (tiles.inputs, start.inputs),
            (tiles.warps, start.warps),
            (tiles.stages, start.stages),
        )
        return sum(abs(math.log2(a / b)) for a, b in pairs)

    return [start, *sorted((tiles for tiles in all_tiles if tiles != start), key=unlike)]


if __name__ == "__main__":
    sys.exit(main())
