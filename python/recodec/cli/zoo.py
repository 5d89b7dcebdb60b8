"""``recodec zoo``."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from recodec.cli import completion, jobs, options, output, planning
from recodec.cli.encode import caught_warnings, outcome
from recodec.cli.jobs import Job, Outcome
from recodec.io import picture_kinds
from recodec.zoo.system import System, systems

if TYPE_CHECKING:
    from recodec.encoding import EncodeOptions


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="The list as JSON, a line for each system.")
@click.pass_context
def zoo(context: click.Context, as_json: bool) -> None:
    """Other systems of the sources, to compare with; alone, list them.

    Their files are .rcd files, which 'recodec decode', 'info' and 'verify' read; 'recodec eval --codec ID' compares
    those that lose something with other codecs.
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json is for the list alone; give it to the command behind it")
        return
    for system in systems():
        path = system.weights
        size = None if path is None else path.stat().st_size
        if as_json:
            names = ("id", "title", "source", "mended", "rate", "data")
            row = {name: getattr(system, name) for name in names}
            output.say(json.dumps({**row, "weights_bytes": size}, ensure_ascii=False))
            continue
        shown = "none" if size is None else f"{size / 1000:.0f} kB"
        output.say(
            f"{system.id}: {system.title}\n  source: {system.source}\n  mended: {system.mended}\n"
            f"  rate: {system.rate}\n  weights: {shown}; learned from: {system.data}"
        )


@zoo.group()
def encode() -> None:
    """Encode one picture with a system."""


# What can be chosen of a system, by the module that has its settings.
_SETTINGS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "recodec.zoo.mlp": (
        click.option("--raw", is_flag=True, help="Networks see samples, as in the report, not differences."),
        click.option(
            "--predictor",
            type=click.Choice(["network", "linear"]),
            default="network",
            show_default=True,
            help="The network, or linear regression on the same samples.",
        ),
        click.option(
            "--coder",
            type=click.Choice(["huffman", "contexts"]),
            default="huffman",
            show_default=True,
            help="Of errors: Huffman's code, or a range coder in 16 contexts.",
        ),
        click.option(
            "--seeds",
            type=click.IntRange(min=1, max=100),
            default=3,
            show_default=True,
            metavar="N",
            help="Networks that are begun; the best goes on.",
        ),
        click.option(
            "--steps",
            type=click.IntRange(min=1),
            default=2500,
            show_default=True,
            metavar="N",
            help="Of training, fewer for small pictures.",
        ),
        click.option(
            "--seed", type=click.IntRange(min=0, max=2**32), default=0, show_default=True, metavar="N"
        ),
    ),
    "recodec.zoo.learned": (
        click.option(
            "--level",
            type=click.IntRange(min=0, max=255),
            default=0,
            show_default=True,
            metavar="N",
            help="Quality, of models that have several.",
        ),
        click.option(
            "--patch",
            type=int,
            default=0,
            show_default=True,
            metavar="SIDE",
            help="Code squares of so many pixels each by itself; 0: the whole picture.",
        ),
        click.option(
            "--refine",
            type=click.IntRange(min=0, max=100_000),
            default=0,
            show_default=True,
            metavar="STEPS",
            help="Search so long for a better file of no more bytes; some ten steps show, hundreds are worth it.",
        ),
        click.option(
            "--tune", is_flag=True, help="Search a second time, with a synthesis that files adjust."
        ),
    ),
}


def command_of(system: System) -> click.Command:
    """The command that encodes with a system."""

    @options.apply(
        click.argument("source", metavar="IN", shell_complete=completion.file_names),
        click.argument("target", metavar="OUT", shell_complete=completion.file_names),
        *_SETTINGS[system.module],
        options.convert,
        options.strip,
        options.max_pixels,
        options.max_memory,
        options.reporting,
    )
    def command(
        source: str,
        target: str,
        convert: bool,
        strip: bool,
        max_pixels: int,
        max_memory: int,
        as_json: bool,
        quiet: bool,
        no_overwrite: bool,
        **settings: Any,
    ) -> None:
        common: EncodeOptions = {
            "convert": convert, "strip": strip, "max_pixels": max_pixels, "max_memory": max_memory
        }  # fmt: skip
        planned = planning.plan([source, target], None, ".rcd", as_json=as_json)
        output.require_rcd(target)
        work = _Encode(system.id, settings, common)
        jobs.run(planned, work, as_json=as_json, quiet=quiet, no_overwrite=no_overwrite)

    return click.command(system.id, help=f"{system.title}.", short_help=system.title)(command)


for _system in systems():
    encode.add_command(command_of(_system))


@dataclass(frozen=True, slots=True)
class _Encode:
    system: str
    settings: dict[str, Any]
    options: EncodeOptions

    def __call__(self, job: Job) -> Outcome:
        from PIL import Image

        from recodec import zoo

        # --max-pixels is the limit here, as in recodec encode.
        Image.MAX_IMAGE_PIXELS = None
        picture_kinds.register_plugins()
        source = io.BytesIO(output.read(job.source))
        with caught_warnings() as caught:
            data = zoo.encode(self.system, source, options=self.options, **self.settings)
        return outcome(job, data, caught)
