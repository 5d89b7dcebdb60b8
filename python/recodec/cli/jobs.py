"""From arguments to a list of jobs, and running them so that one bad file never stops the rest."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import click

from recodec import files
from recodec.cli import output
from recodec.cli.output import STANDARD
from recodec.errors import (
    DeviceError,
    FormatError,
    ImageError,
    OutputError,
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
    if isinstance(error, SettingError | DeviceError):
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


def plan(
    paths: Sequence[str],
    output_dir: str | None,
    suffix: str,
    *,
    out: str | None = None,
    wanted: Callable[[str], bool] = bool,
    as_json: bool = False,
    resume: bool = False,
) -> Jobs:
    """Pair inputs with outputs; a folder stands for the files in and below it that are ``wanted``.

    ``out`` is the output of a single input, as a second path is. Without either it lies beside the input, with another
    ``suffix``, and replaces nothing, since nobody named it. Raises a usage error where an output is an input. Leaves
    with an error, and with ``as_json`` a record of it for every input, if a folder is missing.
    """
    if "" in (*paths, output_dir, out):
        raise click.UsageError("the name of a file or folder is empty")
    if out is not None:
        if output_dir is not None:
            raise click.UsageError("--output and --output-dir exclude each other; give one of them")
        if len(paths) != 1:
            raise click.UsageError("--output is for a single input; for several use --output-dir")
        paths = [*paths, out]
    if output_dir is None:
        if len(paths) > 2:
            raise click.UsageError("give one input and one output, or several inputs with --output-dir")
        if os.path.isdir(paths[0]):
            raise click.UsageError(f"the input {paths[0]!r} is a folder; use --output-dir")
        one = Job(paths[0], paths[1]) if len(paths) == 2 else _beside(paths[0], suffix, resume=resume)
        jobs = Jobs([one])
    else:
        if STANDARD in paths:
            raise click.UsageError("standard input has no name to use in --output-dir; name an output file")
        planned = folders.plan(paths, output_dir, suffix, wanted=wanted)
        jobs = Jobs(Job(*pair) for pair in planned.pairs)
        jobs.left_out = planned.left_out
        _require_some(jobs, paths)
    _keep_inputs(jobs)
    for job in jobs:
        output.refuse_terminal(job.target)
        if as_json and job.target == STANDARD:
            raise click.UsageError("--json and an output of - both need standard output; name an output file")
    if jobs[0].target != STANDARD:
        folder = Path(output_dir or Path(jobs[0].target).parent)
        with one_line_errors(str(folder), jobs if as_json else ()):
            output.check_folder(folder, made=output_dir is not None)
    return jobs


def _beside(source: str, suffix: str, *, resume: bool) -> Job:
    if source == STANDARD:
        raise click.UsageError("standard input has no name for the output to have; name an output file")
    target = os.path.splitext(source)[0] + suffix
    problem = None
    if os.path.exists(target) and not resume:
        problem = OutputError(
            f"the output {target!r} exists and was not named; name it as the output to replace it"
        )
    return Job(source, target, problem)


def inputs(paths: Sequence[str], *, wanted: Callable[[str], bool]) -> Jobs:
    """Inputs without outputs; a folder stands for the files in and below it that are ``wanted``."""
    left_out: list[LeftOut] = []
    jobs = Jobs(
        Job(file, problem=problem)
        for path in paths
        for file, _, problem in folders.find(path, wanted, left_out)
    )
    jobs.left_out = left_out
    _require_some(jobs, paths)
    return jobs


def _require_some(jobs: Jobs, paths: Sequence[str]) -> None:
    if not jobs:
        others = f": {folders.summary(jobs.left_out)}" if jobs.left_out else ""
        raise click.UsageError(f"there is nothing to do in {', '.join(map(repr, paths))}{others}")


def refuse_stray_numbers(paths: Sequence[str], quiet: bool) -> None:
    """Raise a usage error for ``-q 60``, which elsewhere is a quality, unless there is a file of that name."""
    for path in paths:
        if quiet and _NUMBER.fullmatch(path) and not os.path.exists(path):
            raise click.UsageError(
                f"there is no file {path!r}: -q is --quiet; for a quality give --quality {path}"
            )


_NUMBER = re.compile(r"\d+(\.\d+)?")


def _keep_inputs(jobs: Sequence[Job]) -> None:
    sources = {os.path.realpath(job.source) for job in jobs if job.source != STANDARD}
    for job in jobs:
        if job.target != STANDARD and os.path.realpath(job.target) in sources:
            raise click.UsageError(f"the output {job.target!r} is also an input; choose another name")


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
