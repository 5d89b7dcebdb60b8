"""From arguments to a list of jobs, and running them so that one bad file never stops the rest."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from recodec.cli import output
from recodec.cli.output import STANDARD
from recodec.errors import FormatError, ImageError, RecipeError, RecodecError, TargetError, WeightsError

FAILED, BAD_INPUT, NO_WEIGHTS = 1, 3, 4


@dataclass(frozen=True, slots=True)
class Job:
    """One input and, unless nothing is written, its output."""

    source: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job has to say, for programs and for people."""

    record: dict[str, Any]
    text: str


def plan(paths: Sequence[str], output_dir: str | None, suffix: str, *, as_json: bool = False) -> list[Job]:
    """Pair inputs with outputs. Raises a usage error where two outputs, or output and input, are one file.

    Leaves with an error, and with ``as_json`` a record of it for every input, if a folder is missing.
    """
    if "" in (*paths, output_dir):
        raise click.UsageError("the name of a file or folder is empty")
    if output_dir is None:
        if len(paths) != 2:
            raise click.UsageError("give one input and one output, or several inputs with --output-dir")
        jobs = [Job(*paths)]
    else:
        if STANDARD in paths:
            raise click.UsageError("standard input has no name to use in --output-dir; name an output file")
        jobs = [Job(path, os.path.join(output_dir, Path(path).stem + suffix)) for path in paths]
    _refuse_collisions(jobs)
    for job in jobs:
        output.refuse_terminal(job.target)
        if as_json and job.target == STANDARD:
            raise click.UsageError("--json and an output of - both need standard output; name an output file")
    for folder in {Path(job.target).parent for job in jobs if job.target != STANDARD}:
        with one_line_errors(str(folder), jobs if as_json else ()):
            output.check_folder(folder)
    return jobs


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    sources = {os.path.realpath(job.source) for job in jobs if job.source != STANDARD}
    written: dict[str, str] = {}
    for job in jobs:
        if job.target == STANDARD:
            continue
        target = os.path.realpath(job.target)
        if target in sources:
            raise click.UsageError(f"the output {job.target!r} is also an input; choose another name")
        if target in written:
            raise click.UsageError(f"{written[target]!r} and {job.source!r} would both become {job.target!r}")
        written[target] = job.source


def run(
    jobs: Sequence[Job],
    work: Callable[[Job], Outcome],
    *,
    no_overwrite: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    to_stdout: bool = False,
) -> None:
    """Do every job, report each, and leave with the exit code of what happened.

    Texts go to standard error, or to standard output where they are the result.
    """
    codes = []
    for job in _progress(jobs, quiet):
        try:
            output.check_target(job.target or STANDARD, overwrite=not no_overwrite)
            outcome = work(job)
        except (click.ClickException, BrokenPipeError):
            # Wrong usage and a closed output concern every file.
            raise
        except Exception as error:  # noqa: BLE001 - whatever happens, the other files get their turn
            codes.append(report(job.source, error))
            if as_json:
                _print_record(job, _problem(error))
            continue
        if as_json:
            _print_record(job, outcome.record)
        elif not quiet:
            print(outcome.text, file=sys.stdout if to_stdout else sys.stderr)
    if codes:
        click.get_current_context().exit(codes[0] if len(jobs) == 1 else FAILED)


@contextlib.contextmanager
def one_line_errors(name: str, concerned: Iterable[Job] = ()) -> Iterator[None]:
    """Turn an expected error into one line, an exit code and a JSON record for every job concerned."""
    try:
        yield
    except (RecodecError, OSError) as error:
        for job in concerned:
            _print_record(job, _problem(error))
        click.get_current_context().exit(report(name, error))


def report(name: str, error: Exception) -> int:
    """Print an error in one line and return its exit code; one that nobody expected keeps its traceback."""
    if not isinstance(error, RecodecError | OSError | MemoryError):
        traceback.print_exception(error)
    warn(name, _one_line(error))
    if isinstance(error, WeightsError):
        return NO_WEIGHTS
    return BAD_INPUT if isinstance(error, ImageError | FormatError | TargetError | RecipeError) else FAILED


def warn(name: str, message: str) -> None:
    """Print one line about a file on standard error."""
    # Not click.echo: it writes past the progress bar, which print goes through.
    print(f"recodec: {name}: {message}", file=sys.stderr)


def _problem(error: Exception) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": _one_line(error)}


def _print_record(job: Job, record: dict[str, Any]) -> None:
    print(json.dumps({"file": job.source, **record}))


def _one_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _progress(jobs: Sequence[Job], quiet: bool) -> Iterable[Job]:
    if quiet or len(jobs) < 2 or not sys.stderr.isatty():
        return jobs
    from rich.console import Console
    from rich.progress import track

    return track(jobs, description="recodec", console=Console(stderr=True), transient=True)
