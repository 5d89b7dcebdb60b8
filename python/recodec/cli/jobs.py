"""Jobs, and running them so that one bad file never stops the rest."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import click

from recodec import files
from recodec.cli import output
from recodec.cli.output import STANDARD
from recodec.errors import (
    DeviceError,
    FormatError,
    ImageError,
    PackageError,
    RecipeError,
    RecodecError,
    SettingError,
    TargetError,
    WeightsError,
)
from recodec.io import folders
from recodec.io.folders import LeftOut

FAILED, WRONG_USAGE, BAD_INPUT, NO_WEIGHTS = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Job:
    """One input and, unless nothing is written, its output; ``problem`` stands in the way of that."""

    source: str
    target: str = ""
    problem: RecodecError | None = None

    @property
    def shown(self) -> str:
        """Its names for people."""
        names = (self.source, self.target) if self.target else (self.source,)
        return " -> ".join(map(output.displayed, names))


class Jobs(list[Job]):
    """What is to be done; ``left_out`` are files of folders that are not among it."""

    left_out: Sequence[LeftOut] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job has to say, for programs and for people, and what is still to be written to its output.

    ``notices`` concern the whole run, and are said once in it.
    """

    record: dict[str, Any]
    text: str
    warning: str = ""
    data: bytes | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with a job. Plain data: not every error can travel between processes."""

    error: str
    message: str
    code: int
    traceback: str = ""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Describe an error; one that nobody expected keeps its traceback."""
        expected = isinstance(error, RecodecError | OSError | MemoryError)
        of_system = isinstance(error, OSError) and not isinstance(error, RecodecError)
        text = getattr(error, "strerror", None) if of_system else None
        return cls(
            type(error).__name__,
            " ".join((text or str(error)).split()) or type(error).__name__,
            _exit_code(error),
            "" if expected else "".join(traceback.format_exception(error)),
        )

    @property
    def record(self) -> dict[str, Any]:
        """What programs are told."""
        return {"error": self.error, "message": self.message}

    def report(self, name: str) -> None:
        """Tell people in one line."""
        if self.traceback:
            print(self.traceback, end="", file=sys.stderr)
        warn(name, self.message)


def _exit_code(error: Exception) -> int:
    if isinstance(error, WeightsError):
        return NO_WEIGHTS
    if isinstance(error, SettingError | DeviceError | PackageError):
        return WRONG_USAGE
    return BAD_INPUT if isinstance(error, ImageError | FormatError | TargetError | RecipeError) else FAILED


Work: TypeAlias = Callable[[Job], Outcome]


@dataclass(frozen=True, slots=True)
class Resuming:
    """Work that is done only where the output is not there and sound."""

    work: Work
    max_pixels: int
    max_memory: int

    def __call__(self, job: Job) -> Outcome:
        """Skip a job or do it."""
        from PIL import Image

        # --max-pixels is the limit here; Pillow's own would stop below it.
        Image.MAX_IMAGE_PIXELS = None
        limits = {"max_pixels": self.max_pixels, "max_memory": self.max_memory}
        if job.target == STANDARD or not files.is_sound(job.target, **limits):
            return self.work(job)
        text = f"{job.shown}: there and sound, skipped"
        return Outcome({"output": job.target, "skipped": True}, text)


def run(
    jobs: Sequence[Job],
    work: Work,
    *,
    processes: int = 1,
    no_overwrite: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    to_stdout: bool = False,
) -> None:
    """Do every job, here or in several processes, report each, and leave with the exit code of what happened.

    Files that a plan leaves out are told as well. Outputs are written here: whatever becomes of a process, it leaves
    no part of a file behind. Texts go to standard error, or to standard output where they are the result.
    """
    shown = not quiet and not as_json
    tell = output.say if to_stdout else functools.partial(print, file=sys.stderr)
    summed = not to_stdout and len(jobs) > 1
    left_out = jobs.left_out if isinstance(jobs, Jobs) else ()
    if as_json:
        for file, kind in left_out:
            output.say(json.dumps({"file": file, "left_out": kind}))
    codes = []
    counts = Counter[str]()
    noticed = set[str]()
    with contextlib.closing(_results(jobs, work, processes, not no_overwrite)) as results:
        try:
            for job, result in _progress(results, len(jobs), quiet):
                if isinstance(result, Outcome) and result.data is not None:
                    result = _written(job, result)
                if as_json:
                    output.say(json.dumps({"file": job.source, **result.record}))
                if isinstance(result, Failure):
                    result.report(job.source)
                    codes.append(result.code)
                    counts["failed"] += 1
                    continue
                if result.warning:
                    warn(job.source, result.warning)
                for notice in sorted({*result.notices} - noticed):
                    notify(notice)
                noticed.update(result.notices)
                if shown:
                    tell(result.text)
                counts["skipped" if result.record.get("skipped") else "done"] += 1
        except KeyboardInterrupt:
            if summed and not quiet:
                left = f"{len(jobs) - counts.total()} of {len(jobs)} left; --resume goes on with them"
                print(f"{_sum(counts)}, {left}", file=sys.stderr)
            raise
    if shown and summed:
        print(_sum(counts), file=sys.stderr)
    if left_out and not quiet:
        print(output.displayed(folders.summary(left_out)), file=sys.stderr)
    if codes:
        # A mistaken setting concerns every file.
        same = len(jobs) == 1 or (set(codes) == {WRONG_USAGE} and len(codes) == len(jobs))
        click.get_current_context().exit(codes[0] if same else FAILED)


def _sum(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("done", "skipped", "failed"))


def _results(
    jobs: Sequence[Job], work: Work, processes: int, overwrite: bool
) -> Generator[tuple[Job, Outcome | Failure], None, None]:
    attempt = functools.partial(_attempt, work, overwrite=overwrite)
    if processes == 1 or len(jobs) == 1:
        yield from ((job, attempt(job)) for job in jobs)
        return
    from recodec.cli.workers import LostWorkerError, spread

    ready = []
    for job in jobs:
        # Processes take seconds to start.
        if failure := _foreseen(job, overwrite):
            yield job, failure
        else:
            ready.append(job)
    with contextlib.closing(spread(attempt, ready, processes)) as results:
        for job, result in results:
            yield job, Failure.of(result) if isinstance(result, LostWorkerError) else result


def any_ready(jobs: Sequence[Job], *, no_overwrite: bool) -> bool:
    """Whether it is worth loading anything: some input is there, and its output may be written."""
    return any(_foreseen(job, not no_overwrite) is None for job in jobs)


def _foreseen(job: Job, overwrite: bool) -> Failure | None:
    """What is sure to go wrong with a job, from names alone."""
    try:
        if job.problem:
            raise job.problem
        output.check_target(job.target or STANDARD, overwrite=overwrite)
        output.check_source(job.source)
    except (RecodecError, OSError) as error:
        return Failure.of(error)
    return None


def _attempt(work: Work, job: Job, *, overwrite: bool = True) -> Outcome | Failure:
    if failure := _foreseen(job, overwrite):
        return failure
    try:
        return work(job)
    except (click.ClickException, BrokenPipeError):
        # Wrong usage and a closed output concern every file.
        raise
    except Exception as error:  # noqa: BLE001 - whatever happens, the other files get their turn
        return Failure.of(error)


def _written(job: Job, outcome: Outcome) -> Outcome | Failure:
    assert outcome.data is not None
    try:
        output.write(job.target, outcome.data)
    except BrokenPipeError:
        raise
    except (RecodecError, OSError) as error:
        return Failure.of(error)
    return outcome


@contextlib.contextmanager
def one_line_errors(name: str, concerned: Iterable[Job] = ()) -> Iterator[None]:
    """Turn an expected error into one line, an exit code and a JSON record for every job concerned."""
    try:
        yield
    except (RecodecError, OSError) as error:
        failure = Failure.of(error)
        for job in concerned:
            output.say(json.dumps({"file": job.source, **failure.record}))
        failure.report(name)
        click.get_current_context().exit(failure.code)


def warn(name: str, message: str) -> None:
    """Print one line about a file on standard error."""
    notify(f"{name}: {message}")


def notify(message: str) -> None:
    """Print one line about the run on standard error."""
    # Not click.echo: it writes past the progress bar, which print goes through.
    print(f"recodec: {output.displayed(message)}", file=sys.stderr)


def _progress(
    results: Iterable[tuple[Job, Outcome | Failure]], total: int, quiet: bool
) -> Iterable[tuple[Job, Outcome | Failure]]:
    if quiet or total < 2 or not sys.stderr.isatty():
        return results
    from rich.progress import track

    return track(results, "recodec", total, console=output.console(stderr=True), transient=True)
