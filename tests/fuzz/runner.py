"""Runs surfaces on inputs made from a seed and judges what comes of it.

Every execution depends on the seed, its own number and the corpus alone, so that any can be repeated.
"""

from __future__ import annotations

import resource
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import recodec
from recodec.errors import ImageError, RecodecError

from .inputs import Seeds
from .surfaces import MAX_PIXELS, SURFACES, Surface

# A hang takes minutes, the slowest sound input here a tenth of a second on a machine with other work.
MAX_SECONDS = 5.0
# By which one execution may raise the most memory that the process ever had.
MAX_GROWTH_KIB = 64 << 10

_PACKAGE = str(Path(recodec.__file__).parent)
_OWN_MISTAKES = (TypeError, AttributeError, NameError, LookupError, AssertionError, ArithmeticError)


@dataclass(frozen=True)
class Finding:
    """What went wrong, and how to see it again."""

    surface: str
    seed: int
    number: int
    reason: str
    data: bytes = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.surface}-{self.seed}-{self.number}"

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.bin").write_bytes(self.data)
        (folder / f"{self.name}.txt").write_text(self.reason)


@dataclass
class Report:
    """``outcomes`` counts, by surface, results and the kinds of errors that may be raised."""

    executions: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    grown_kib: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def arguments(seed: int, number: int) -> np.random.Generator:
    """Where a surface draws its arguments from, apart from its input, which a replay has as bytes."""
    return np.random.default_rng((seed, number, 1))


def judge(surface: Surface, data: bytes, seed: int, number: int) -> tuple[str, str | None]:
    """The kind of outcome of one execution, and the reason if it is a finding."""
    peak = _peak_kib()
    start = time.perf_counter()
    try:
        error = surface(data, arguments(seed, number))
    except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
        return "finding", traceback.format_exc()
    seconds = time.perf_counter() - start
    outcome = "result" if error is None else type(error).__name__
    if seconds > MAX_SECONDS:
        return outcome, f"{outcome} after {seconds:.1f} s"
    if (grown := _peak_kib() - peak) > MAX_GROWTH_KIB:
        return outcome, f"{outcome} after taking {grown >> 10} MiB"
    if isinstance(error, RecodecError) and "\n" in str(error):
        return outcome, f"a message of several lines: {error!r}"
    if error is not None and _is_own_mistake(error):
        return outcome, "".join(traceback.format_exception(error))
    return outcome, None


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _is_own_mistake(error: BaseException) -> bool:
    """Whether a mistake in our code was dressed as damage, as the catch-alls around Pillow's readers may."""
    # Elsewhere errors are turned into ours one kind at a time, on purpose.
    if isinstance(error, RecodecError) and not isinstance(error, ImageError):
        return False
    cause = error.__cause__ or error.__context__
    if not isinstance(cause, _OWN_MISTAKES) or isinstance(cause, RecodecError):
        return False
    last = traceback.extract_tb(cause.__traceback__)[-1:]
    return any(frame.filename.startswith(_PACKAGE) for frame in last)


def fuzz(
    executions: int,
    seed: int,
    *,
    first: int = 0,
    corpus: Path | None = None,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Run executions ``first`` to ``first + executions - 1`` of a seed, the test-only model being at hand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _fuzz(Seeds(corpus), range(first, first + executions), seed, progress)


def _fuzz(seeds: Seeds, numbers: range, seed: int, progress: Callable[[Report], None] | None) -> Report:
    shares = np.array([surface.share for surface in SURFACES])
    bounds = np.cumsum(shares) / shares.sum()
    # What is loaded once and what is kept for good shall not count as growth, the default model above all.
    for file in seeds.files:
        with suppress(RecodecError):
            recodec.decode(file, max_pixels=MAX_PIXELS)
    for surface in SURFACES:
        for number in range(3):
            rng = np.random.default_rng((seed, number))
            judge(surface, surface.make(rng, seeds), seed, number)
    report = Report()
    start = time.monotonic()
    before = _peak_kib()
    for number in numbers:
        rng = np.random.default_rng((seed, number))
        surface = SURFACES[int(np.searchsorted(bounds, rng.random(), side="right"))]
        data = surface.make(rng, seeds)
        begin = time.perf_counter()
        outcome, reason = judge(surface, data, seed, number)
        spent = time.perf_counter() - begin
        report.slowest = max(report.slowest, spent)
        report.spent[surface.name] += spent
        report.outcomes[surface.name, outcome] += 1
        if reason is not None:
            report.findings.append(Finding(surface.name, seed, number, reason, data))
        report.executions += 1
        report.seconds = time.monotonic() - start
        if progress is not None:
            progress(report)
    report.grown_kib = _peak_kib() - before
    return report
