"""GPU kernels beside plain PyTorch and torch's compiler: iterations of the networks, and their layers.

    python bench/kernels.py --core --out kernels.json [--budget-seconds 460]
    python bench/kernels.py --full --out kernels.json
    python bench/kernels.py --check [--only WORD]
    python bench/kernels.py --core --rehearse --out rehearsal.json

Every way to compute is held to float64 before it is timed; one that is wrong gets no time. Ways take turns. Layers run
over several sets of tensors, more than the cache holds where memory allows; iterations repeat on one, as decoding
does. ``--core`` is bfloat16 at batch 1 and 768x512 pixels, ``--full`` all types, batches and sizes; it goes on where
the file of an earlier run on the same device and versions ends. ``--check`` compares and times nothing. ``--rehearse``
goes through all of it on a CPU with Triton's interpreter and narrow networks. docs/profiling.md explains the columns.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch

import result_file
from kernel_cases import Case, Cost, Function, Problem, cases, tensors_of
from kernel_runs import (
    OutOfTimeError,
    Runner,
    compare,
    deadline,
    device_rates,
    environment,
    microseconds,
    plain_operators,
    spread,
)
from kernel_table import COMPILED, EAGER, GRAPH, HEADER, OURS, Setting, report, settings
from recodec.ops.backend import use_backend

QUICK, SLOW = (EAGER, GRAPH, OURS), (GRAPH, COMPILED, OURS)
PEERS = (EAGER, GRAPH, COMPILED)

# Calls in a run, so that the clock's grain does not show, and how much more than the cache their data should be.
MOST_CALLS, ITERATION_CALLS, TIMES_CACHE = 64, 4, 3
ROUNDS, WARM_UPS = 25, 3

# With less than this left, no row is begun.
LEAST_SECONDS = 5


class Bench:
    """The table so far, its file, and the time there is."""

    def __init__(self, out: Path | None, budget: float, compile_seconds: float, rehearse: bool, check: bool):
        self.out, self.rehearse, self.check = out, rehearse, check
        self.end = time.monotonic() + budget
        self.compile_seconds = compile_seconds
        self.device = torch.device("cpu" if rehearse else "cuda")
        self.data: dict[str, Any] = {
            "environment": environment(self.device),
            "rehearsal": rehearse,
            "rates": {},
            "rows": {},
            "left_out": [],
        }
        self.rates: dict[torch.dtype, dict[str, float]] = {}
        self.wrong = 0
        if out is not None and out.exists():
            self._resume(json.loads(out.read_text()))

    def _resume(self, old: dict[str, Any]) -> None:
        same = all(old["environment"][key] == self.data["environment"][key] for key in ("device", "versions"))
        if same and old["rehearsal"] == self.rehearse:
            self.data["rows"] = old["rows"]
            print(f"{len(old['rows'])} rows of an earlier run are kept")

    def save(self) -> None:
        result_file.write(self.out, self.data)

    def left(self) -> float:
        return self.end - time.monotonic()

    def measure_rates(self, dtype: torch.dtype) -> None:
        if dtype in self.rates or self.check:
            return
        self.rates[dtype] = rates = device_rates(dtype, self.device, self.rehearse)
        name = str(dtype).removeprefix("torch.")
        if not self.rehearse:
            # Under load.
            self.data["environment"]["clocks"] = environment(self.device)["clocks"]
            self.data["rates"][name] = {"tflops": rates["flops"] / 1e12, "gbytes": rates["bytes"] / 1e9}
            print(
                f"{name}: matrix product {rates['flops'] / 1e12:.0f} TFLOP/s, copy {rates['bytes'] / 1e12:.2f} TB/s"
            )

    def try_row(self, case: Case, setting: Setting, ways: tuple[str, ...]) -> None:
        """:meth:`row`; if what it is held to cannot be had, the others are measured all the same."""
        try:
            self.row(case, setting, ways)
        except Exception as error:  # noqa: BLE001
            self.wrong += 1
            print(f"{case.name}: {type(error).__name__}: {error}", file=sys.stderr)
        if self.device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()

    def row(self, case: Case, setting: Setting, ways: tuple[str, ...]) -> None:
        """Compare and time a case in several ways, and add what is found to its row."""
        key = f"{case.name} {setting.type_name} {setting.batch}x{setting.height}x{setting.width}"
        row = self.data["rows"].setdefault(key, {"case": case.name, "ways": {}, "ours_times_as_fast_as": {}})
        # What did not run is tried again.
        if all(row["ways"].get(way, {}).get("match") is not None for way in ways):
            return
        if self.left() < LEAST_SECONDS:
            self.data["left_out"].append(f"{key}: {', '.join(ways)}")
            return
        self.measure_rates(setting.dtype)
        costs = case.costs(setting.dtype)
        row |= {"dtype": setting.type_name, "batch": setting.batch, "size": [setting.width, setting.height]}
        row |= {"flops": sum(cost.flops for cost in costs), "bytes": sum(cost.bytes for cost in costs)}
        calls, problems = self.problems(case, setting, row["bytes"])
        problem = problems[0]
        with use_backend("reference"):
            plain = list(tensors_of(problem.reference(*problem.arguments)))
            exact = problem.exact()
        arguments = [one.arguments for one in problems] * (calls // len(problems))
        runners: dict[str, Runner] = {}
        for way in ways:
            row["ways"][way], runner = self.attempt(way, problem, arguments, plain, exact)
            if runner is not None:
                runners[way] = runner
        if runners and not self.check:
            turns = (1, 0) if self.rehearse else (ROUNDS, WARM_UPS)
            for way, times in microseconds(runners, calls, *turns).items():
                row["ways"][way] |= self.figures(times, costs, setting.dtype)
            self.compare_speeds(row, runners)
        for way in ways:
            report(case.name, setting.type_name, way, row)
        self.save()

    def problems(self, case: Case, setting: Setting, moved: int) -> tuple[int, list[Problem]]:
        """How many calls make a run, and on what: one set of tensors, or one for each call."""
        cache = self.data["environment"].get("cache_bytes", 0)
        calls = max(1, min(MOST_CALLS, TIMES_CACHE * cache // moved))
        if case.parts:
            calls = ITERATION_CALLS
        if self.check or self.rehearse:
            calls = 1
        count = 1 if case.parts else calls
        return calls, [case.make(setting.dtype, self.device) for _ in range(count)]

    def attempt(
        self, way: str, problem: Problem, arguments: list[tuple[Any, ...]], plain: list[Any], exact: Any
    ) -> tuple[dict[str, Any], Runner | None]:
        """What a row says of a way before it is timed, and how to run it if it is right."""
        start = time.monotonic()
        # Alone, what a compiler needs may take longer than all else.
        seconds = min(self.left(), self.compile_seconds) if way == COMPILED else self.left()
        try:
            with deadline(seconds):
                graph = way != EAGER and self.device.type == "cuda"
                runner = Runner(self.function(way, problem), arguments, graph)
                match = compare(runner.results(), plain, problem, exact)
        except OutOfTimeError:
            return {"match": None, "why": f"not ready after {seconds:.0f} s"}, None
        except Exception as error:  # noqa: BLE001 - the other rows are to be measured all the same
            self.wrong += way == OURS
            return {"match": None, "why": f"{type(error).__name__}: {error}"}, None
        self.wrong += way == OURS and not match.ok
        entry = {"match": match.ok, "error": match.error, "limit": match.limit}
        entry["seconds_to_prepare"] = round(time.monotonic() - start, 2)
        return entry, runner if match.ok else None

    def function(self, way: str, problem: Problem) -> Function:
        if way == COMPILED:
            torch._dynamo.reset()
            # Its own graphs would copy inputs; captured here, it gets what the others get.
            options = {"backend": "eager"} if self.rehearse else {"mode": "max-autotune-no-cudagraphs"}
            compiled = torch.compile(problem.reference, dynamic=False, **options)  # type: ignore[call-overload]
            return within(plain_operators, compiled)
        if way == OURS:
            return within(lambda: use_backend("triton"), problem.ours)
        return within(lambda: use_backend("reference"), problem.reference)

    def figures(self, times: list[float], costs: list[Cost], dtype: torch.dtype) -> dict[str, Any]:
        """What is said of times in microseconds; nothing in a rehearsal, where they mean nothing."""
        if self.rehearse:
            return {"median_us": None}
        rates = self.rates[dtype]
        median, quartiles = spread(times)
        flops, moved = sum(cost.flops for cost in costs), sum(cost.bytes for cost in costs)
        floor = 1e6 * sum(max(cost.flops / rates["flops"], cost.bytes / rates["bytes"]) for cost in costs)
        per_second = 1e6 / median
        return {
            "median_us": median,
            "iqr_us": quartiles,
            "tflops": flops * per_second / 1e12,
            "gbytes_per_second": moved * per_second / 1e9,
            "share_of_matmul": flops * per_second / rates["flops"],
            "share_of_copy": moved * per_second / rates["bytes"],
            "floor_us": floor,
            "times_floor": median / floor,
        }

    def compare_speeds(self, row: dict[str, Any], timed: dict[str, Runner]) -> None:
        """Ratios of what was timed in turns."""
        ours = row["ways"].get(OURS, {}).get("median_us")
        for way in PEERS:
            if ours and way in timed and OURS in timed:
                row["ours_times_as_fast_as"][way] = row["ways"][way]["median_us"] / ours


def within(context: Callable[[], Any], function: Function) -> Function:
    def run(*arguments: Any) -> Any:
        with context():
            return function(*arguments)

    return run


@click.command()
@click.option("--core", "extent", flag_value="core", help="bfloat16, batch 1, 768x512 pixels.")
@click.option("--full", "extent", flag_value="full", help="All types, batches and sizes.")
@click.option("--check", "extent", flag_value="check", help="Compare the core set, and time nothing.")
@click.option("--rehearse", is_flag=True, help="Narrow networks on the CPU, without speeds.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON to write and go on with.")
@click.option("--budget-seconds", type=float, help="460 for --core, else without end.")
@click.option("--compile-seconds", default=110.0, show_default=True, help="The most for one compiled case.")
@click.option("--only", help="Cases with this word in their names.")
def main(
    extent: str | None,
    rehearse: bool,
    out: Path | None,
    budget_seconds: float | None,
    compile_seconds: float,
    only: str | None,
) -> None:
    """Measure what the kernels gain."""
    if rehearse:
        needed = {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
        if not needed.items() <= os.environ.items():
            # Triton, which torch may import, looks for them only once.
            os.execve(sys.executable, sys.orig_argv, {**os.environ, **needed})
    elif not torch.cuda.is_available():
        print(
            "error: no CUDA device is there to measure; --rehearse goes through all on a CPU", file=sys.stderr
        )
        sys.exit(3)
    if extent is None:
        raise click.UsageError("say --core, --full or --check")
    torch.set_grad_enabled(False)
    # Every way multiplies float32 as float32, and plain convolutions may look for their fastest algorithm.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    budget = budget_seconds or (460.0 if extent == "core" else 1e9)
    bench = Bench(out, budget, compile_seconds, rehearse, extent == "check")
    print(json.dumps(bench.data["environment"]))
    print(HEADER)
    found = 0
    rounds = [(OURS,)] if extent == "check" else [QUICK, SLOW]
    for setting in settings(extent == "full", rehearse):
        iterations, layers = cases(setting.batch, setting.height, setting.width, tiny=rehearse)
        for ways in rounds:
            # Interpreting takes long, and compiled layers would show nothing more.
            for case in iterations if rehearse and ways == SLOW else (*iterations, *layers):
                if only is None or only in case.name:
                    found += 1
                    bench.try_row(case, setting, ways)
    if not found:
        raise click.UsageError(f"no case has {only!r} in its name")
    bench.save()
    if bench.data["left_out"]:
        print(f"time is over; left out: {'; '.join(bench.data['left_out'])}")
    if bench.wrong:
        print(f"{bench.wrong} results of ours are wrong or missing", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
