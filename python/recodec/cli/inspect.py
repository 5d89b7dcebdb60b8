"""``recodec info``, ``verify`` and ``truncate``: commands that need no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

import recodec
from recodec.cli import completion, jobs, options, output, planning
from recodec.cli.encode import caught_warnings, outcome
from recodec.cli.jobs import Job, Outcome
from recodec.io.picture_kinds import is_rcd_file

if TYPE_CHECKING:
    from recodec import Info
    from recodec.families.lossless.fields import StripDetails


@click.command()
@options.apply(options.files, options.as_json)
def info(files: tuple[str, ...], as_json: bool) -> None:
    """Show what .rcd files hold, without decoding them.

    A folder stands for every .rcd file in and below it.
    """

    def work(job: Job) -> Outcome:
        found = recodec.info(output.read(job.source))
        return Outcome(found.to_dict(), f"{job.shown}\n{_describe(found)}")

    jobs.run(planning.inputs(files, wanted=is_rcd_file), work, as_json=as_json, to_stdout=True)


@click.command()
@options.apply(options.files, options.max_pixels, options.max_memory, options.as_json, options.quiet)
def verify(files: tuple[str, ...], max_pixels: int, max_memory: int, as_json: bool, quiet: bool) -> None:
    """Check every checksum of .rcd files by decoding all codes.

    A folder stands for every .rcd file in and below it.
    """

    def work(job: Job) -> Outcome:
        found = recodec.verify(output.read(job.source), max_pixels=max_pixels, max_memory=max_memory)
        record = {
            "ok": True,
            "iterations": found.iterations,
            "lossless": found.lossless,
            "bytes": found.file_bytes,
        }
        return Outcome(record, f"{job.shown}: sound, {output.contents(found)}, {found.file_bytes} bytes")

    jobs.run(planning.inputs(files, wanted=is_rcd_file), work, quiet=quiet, as_json=as_json, to_stdout=True)


@click.command()
@options.apply(
    click.argument(
        "paths", nargs=-1, required=True, metavar="IN [OUT]", shell_complete=completion.file_names
    ),
    options.output,
    options.truncate_target,
    options.reporting,
)
def truncate(
    paths: tuple[str, ...],
    out: str | None,
    iterations: int | None,
    quality: float | None,
    bpp: float | None,
    max_bytes: int | None,
    **reporting: Unpack[options.Reporting],
) -> None:
    """Shorten a .rcd file without encoding anew.

    Strips of exact rows behind a preview go first, with --iterations and --quality all of them.

    Metadata for which the size leaves no room even beside a single iteration is dropped.
    """
    planning.refuse_stray_numbers(paths, reporting["quiet"])
    chosen = options.chosen_target(
        {"iterations": iterations, "quality": quality, "bpp": bpp, "max_bytes": max_bytes}, required=True
    )
    if len(paths) + (out is not None) != 2:
        raise click.UsageError("give one input and one output")
    planned = planning.plan(paths, None, ".rcd", out=out, as_json=reporting["as_json"])
    output.require_rcd(planned[0].target)

    def work(job: Job) -> Outcome:
        with caught_warnings() as caught:
            data = recodec.truncate(output.read(job.source), **chosen)
        return outcome(job, data, caught)

    jobs.run(planned, work, **reporting)


def _lossless(info: Info, strips: StripDetails) -> dict[str, str]:
    here = "every sample" if info.lossless else f"no, {info.strips} of {strips.strips} strips are there"
    return {**strips.rows(), "lossless": here}


def _describe(info: Info) -> str:
    strips = info.details if info.details.by_rows else info.exact
    rows = {
        "picture": f"{info.width} x {info.height}, {info.mode} of {info.bit_depth} bits",
        "model": f"{info.model} ({info.model_hash})",
        **info.details.rows(),
        **({} if strips is None else _lossless(info, strips)),
        "bytes": f"{info.file_bytes} ({info.bpp:.3f} bpp), of which header {info.header_bytes}",
        "chunks": f"{info.iterations}: {' '.join(map(str, info.chunk_bytes))} bytes",
        "metadata": ", ".join(info.metadata) or "none",
        "state": "cut before its end" if info.truncated else "complete (not checked: see recodec verify)",
    }
    return "\n".join(f"  {name:<9}{value}" for name, value in rows.items())
