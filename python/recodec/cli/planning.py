"""From arguments to a list of jobs: what becomes of which file, before anything is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from recodec.cli import jobs, output
from recodec.cli.jobs import Job, Jobs
from recodec.cli.output import STANDARD
from recodec.errors import OutputError
from recodec.io import folders
from recodec.io.folders import LeftOut

_NUMBER = re.compile(r"\d+(\.\d+)?")


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
        planned = Jobs([one])
    else:
        if STANDARD in paths:
            raise click.UsageError("standard input has no name to use in --output-dir; name an output file")
        found = folders.plan(paths, output_dir, suffix, wanted=wanted)
        planned = Jobs(Job(*pair) for pair in found.pairs)
        planned.left_out = found.left_out
        _require_some(planned, paths)
    _keep_inputs(planned)
    for job in planned:
        output.refuse_terminal(job.target)
        if as_json and job.target == STANDARD:
            raise click.UsageError("--json and an output of - both need standard output; name an output file")
    if planned[0].target != STANDARD:
        folder = Path(output_dir or Path(planned[0].target).parent)
        with jobs.one_line_errors(str(folder), planned if as_json else ()):
            output.check_folder(folder, made=output_dir is not None)
    return planned


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
    planned = Jobs(
        Job(file, problem=problem)
        for path in paths
        for file, _, problem in folders.find(path, wanted, left_out)
    )
    planned.left_out = left_out
    _require_some(planned, paths)
    return planned


def _require_some(planned: Jobs, paths: Sequence[str]) -> None:
    if not planned:
        others = f": {folders.summary(planned.left_out)}" if planned.left_out else ""
        raise click.UsageError(f"there is nothing to do in {', '.join(map(repr, paths))}{others}")


def refuse_stray_numbers(paths: Sequence[str], quiet: bool) -> None:
    """Raise a usage error for ``-q 60``, which elsewhere is a quality, unless there is a file of that name."""
    for path in paths:
        if quiet and _NUMBER.fullmatch(path) and not os.path.exists(path):
            raise click.UsageError(
                f"there is no file {path!r}: -q is --quiet; for a quality give --quality {path}"
            )


def _keep_inputs(planned: Sequence[Job]) -> None:
    sources = {os.path.realpath(job.source) for job in planned if job.source != STANDARD}
    for job in planned:
        if job.target != STANDARD and os.path.realpath(job.target) in sources:
            raise click.UsageError(f"the output {job.target!r} is also an input; choose another name")
