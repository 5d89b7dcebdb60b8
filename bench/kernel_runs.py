"""How bench/kernels.py runs, compares and times: CUDA graphs, errors against float64, rates of the device."""

from __future__ import annotations

import math
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from kernel_cases import Function, Problem, tensors_of

# At most as far from the exact result as this times plain PyTorch, and this much of the result beside it.
TIMES_PLAIN, BESIDE = 2.0, 8 * torch.finfo(torch.float32).eps
# Of codes, one in ten thousand may be turned by rounding.
BESIDE_IN_CODES = 0.02

_WARM_UPS = 3


class OutOfTimeError(BaseException):
    """The time that something was given is over. Not what compilers expect and go on after."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTimeError` in the block if it takes longer; compilers do not ask for the time."""

    def stop(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def never(_: Tensor) -> bool:
    return False


@contextmanager
def plain_operators() -> Iterator[None]:
    """Let operators be their definitions, for torch's compiler too, which would leave our kernels in place."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("recodec.") and hasattr(module, "use_kernels"):
                stack.enter_context(mock.patch.object(module, "use_kernels", never))
        yield


class Runner:
    """A function bound to sets of arguments, all of which a run computes; in one CUDA graph if ``graph``."""

    def __init__(self, function: Function, sets: Sequence[tuple[Any, ...]], graph: bool):
        self._function, self._sets = function, sets
        self._graph: torch.cuda.CUDAGraph | None = None
        self._results: list[Any] = []
        if graph:
            # Whatever compiles does so here, where its own measurements meet nothing else.
            function(*sets[0])
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    function(*sets[0])
            torch.cuda.current_stream().wait_stream(stream)
            captured = torch.cuda.CUDAGraph()
            # A compiler that ran out of time may have threads that still use the device.
            capture = torch.cuda.graph(captured, capture_error_mode="thread_local")
            with torch.cuda.stream(torch.cuda.current_stream()), capture:
                self._results = [function(*arguments) for arguments in sets]
            self._graph = captured

    def run(self) -> None:
        if self._graph is not None:
            self._graph.replay()
        else:
            for arguments in self._sets:
                self._function(*arguments)

    def results(self) -> list[Tensor]:
        """Those of the first set, computed anew into memory that holds NaN where a graph says which it is."""
        if self._graph is None:
            return list(tensors_of(self._function(*self._sets[0])))
        results = list(tensors_of(self._results[0]))
        for result in results:
            result.fill_(math.nan if result.is_floating_point() else 0)
        self._graph.replay()
        torch.cuda.synchronize()
        return results


class Match(NamedTuple):
    """Whether results are right: the largest error relative to its result, ‖a − b‖/‖b‖, and what it may be."""

    ok: bool
    error: float
    limit: float


def compare(results: Sequence[Tensor], plain: Sequence[Tensor], problem: Problem, exact: Any) -> Match:
    """Hold results to those in float64 by what plain PyTorch makes of them in the same type."""
    worst = Match(True, 0.0, math.inf)
    values = list(tensors_of(exact))
    if [one.shape for one in results] != [one.shape for one in values]:
        return Match(False, math.nan, 0.0)
    for number, (actual, near, value) in enumerate(zip(results, plain, values, strict=True)):
        reference = value.double()
        size = float(reference.norm()) or 1.0
        peak = float(reference.abs().max())
        away = actual.double() - reference
        plainly = near.double() - reference
        error, largest = float(away.norm()) / size, float(away.abs().max())
        if problem.bit_exact:
            limit, most = 0.0, 0.0
        elif number in problem.codes:
            limit, most = max(TIMES_PLAIN * float(plainly.norm()) / size, BESIDE_IN_CODES), 2.0
        else:
            limit = TIMES_PLAIN * float(plainly.norm()) / size + BESIDE
            grain = torch.finfo(actual.dtype).eps if actual.dtype != torch.float32 else 4 * BESIDE
            most = max(TIMES_PLAIN * float(plainly.abs().max()), grain * peak)
        # NaN is not below its limit.
        ok = error <= limit and largest <= most
        if not ok or (worst.ok and error >= worst.error):
            worst = Match(worst.ok and ok, error, limit)
    return worst


def microseconds(
    runners: Mapping[str, Runner], calls: int, rounds: int, warm_ups: int = _WARM_UPS
) -> dict[str, list[float]]:
    """Times of a call of each, in turns; a run makes ``calls`` of them."""
    clock: DeviceClock | HostClock
    clock = DeviceClock() if torch.cuda.is_available() else HostClock()
    found: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(warm_ups + rounds):
        for runner in runners.values():
            clock.time(runner.run)
        for name, took in zip(runners, clock.read(), strict=True):
            if number >= warm_ups:
                found[name].append(took / calls)
    return found


class DeviceClock:
    """Microseconds between events around what is queued on the device."""

    def __init__(self) -> None:
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def time(self, work: Callable[[], object]) -> None:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        work()
        end.record()
        self._events.append((start, end))

    def read(self) -> list[float]:
        """Those since it was read last."""
        torch.cuda.synchronize()
        times = [1e3 * start.elapsed_time(end) for start, end in self._events]
        self._events.clear()
        return times


class HostClock:
    """Microseconds on a CPU."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def time(self, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        self._times.append(1e6 * (time.perf_counter() - start))

    def read(self) -> list[float]:
        """Those since it was read last."""
        times, self._times = self._times, []
        return times


def spread(times: Sequence[float]) -> tuple[float, float]:
    """Median and interquartile range."""
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return middle, high - low


def device_rates(dtype: torch.dtype, device: torch.device, tiny: bool) -> dict[str, float]:
    """FLOP/s of a large matrix product, bytes/s of a large copy, read and written."""
    side, numbers = (64, 1 << 10) if tiny else (8192, 1 << 30)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.empty(numbers, device=device, dtype=torch.float32).fill_(1.5)
    target = torch.empty_like(source)
    work = {
        "matmul": Runner(torch.matmul, [(a, b)], graph=False),
        "copy": Runner(target.copy_, [(source,)], graph=False),
    }
    times = {name: spread(values)[0] / 1e6 for name, values in microseconds(work, 1, 11).items()}
    return {"flops": 2 * side**3 / times["matmul"], "bytes": 2 * 4 * numbers / times["copy"]}


def environment(device: torch.device) -> dict[str, Any]:
    """Device, versions and clocks."""
    found: dict[str, Any] = {"device": platform.processor() or platform.machine(), "versions": {}}
    for package in ("torch", "triton", "recodec"):
        try:
            found["versions"][package] = installed(package)
        except PackageNotFoundError:
            found["versions"][package] = "not installed"
    found["python"] = platform.python_version()
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found["device"] = properties.name
        found["multiprocessors"] = properties.multi_processor_count
        found["cache_bytes"] = getattr(properties, "L2_cache_size", 0)
        found["cuda"], found["cudnn"] = torch.version.cuda, torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        found["clocks"] = clocks()
    return found


def clocks() -> dict[str, str]:
    """Clocks, power and driver as nvidia-smi reads them, if it does."""
    fields = "driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.draw,power.limit,temperature.gpu"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(
        zip(fields.split(","), (part.strip() for part in text.split("\n")[0].split(",")), strict=False)
    )
