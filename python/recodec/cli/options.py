"""Options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from recodec.cli import completion
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS
from recodec.runtime.batches import usable_cores

Command = TypeVar("Command", bound=Callable[..., Any])

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kKMG])(i?))?B?")
_POWER = {None: 0, "k": 1, "K": 1, "M": 2, "G": 3}
_LARGEST = 2**63 - 1


class Size(click.ParamType[int]):
    """A whole number with an optional suffix: ``20k`` is 20000, ``1.5MiB`` is 1572864."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read text; a number is kept."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value)
        if not match:
            self.fail(f"{value!r} is not a size; give for example 24000, 24k, 1.5M or 64KiB", param, ctx)
        number, prefix, binary = match.groups()
        size = int(Decimal(number) * (1024 if binary else 1000) ** _POWER[prefix])
        if not 1 <= size <= _LARGEST:
            self.fail(f"{value!r} is not in the range 1..{_LARGEST}", param, ctx)
        return size


class Effort(click.ParamType[str | int]):
    """0 to 9, or the name of an effort of files without loss."""

    name = "effort"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """Read text; a number is kept."""
        from recodec.families.lossless.fields import EFFORTS
        from recodec.lossless_mode import MOST_EFFORT

        if isinstance(value, int) or value in EFFORTS:
            return value  # type: ignore[no-any-return]
        if re.fullmatch(rf"[0-{MOST_EFFORT}]", value):
            return int(value)
        self.fail(f"{value!r} is none of 0 to {MOST_EFFORT}, {', '.join(EFFORTS)}", param, ctx)


class Processes(click.IntRange):
    """A whole number, or ``all``: one for every core that this process may use."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read text; a number is kept."""
        return usable_cores() if value == "all" else int(super().convert(value, param, ctx))


class Number(click.FloatRange):
    """A number in a range; click's own type lets "nan" pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read text; a number is kept."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class MaxSize(click.ParamType[tuple[int, int]]):
    """A number of pixels for both sides, or two: ``800`` or ``800x600``."""

    name = "max-size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read text; a pair is kept."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,9})(?:[x×](\d{1,9}))?", value)
        sides = [int(side) for side in match.groups(match[1])] if match else [0]
        if 0 in sides:
            self.fail(f"{value!r} is not a size in pixels; give for example 800 or 800x600", param, ctx)
        return sides[0], sides[1]


SIZE = Size()
# Threads or processes: with many more torch ends in a crash.
MOST_PROCESSES = 1024
# More than any file or picture can need, and little enough to reckon with.
POSITIVE = Number(min=0, min_open=True, max=1e9)

_ITERATIONS = click.option(
    "--iterations", type=click.IntRange(min=1), metavar="N", help="Number of iterations."
)
_BPP = click.option("--bpp", type=POSITIVE, metavar="R", help="At most R bits per pixel.")
_MAX_BYTES = click.option("--max-bytes", type=SIZE, metavar="B", help="At most B bytes in all, e.g. 24k.")
_QUALITY = click.option(
    "--quality",
    type=Number(0, 100),
    metavar="Q",
    help="Rate of 2^(Q/20-4) bits per pixel, Q from 0 to 100. The default is 60: 0.5 bpp.",
)
_PSNR = click.option("--psnr", type=POSITIVE, metavar="D", help="As few iterations as reach D dB.")

_MS_SSIM = click.option(
    "--ms-ssim",
    type=Number(0, 1, min_open=True, max_open=True),
    metavar="S",
    help="As few iterations as reach an MS-SSIM of S, e.g. 0.95.",
)

lossless = click.option(
    "--lossless", is_flag=True, help="Keep every sample exactly, whatever size that takes."
)
effort = click.option(
    "--effort",
    type=Effort(),
    metavar="[0-9]",
    help="How long to search for codes that show this very picture as well in fewer bytes; 0, the default, is no "
    "search. Of --lossless: fast, default, or best, for smaller files and more time in both directions.",
)
preview = click.option(
    "--preview",
    type=POSITIVE,
    metavar="R",
    help="Of --lossless: a lossy picture of R bits per pixel comes first, e.g. 0.25, and any part of the file is one.",
)
model = click.option(
    "--model",
    default="default",
    metavar="MODEL",
    shell_complete=completion.models,
    help="Model to encode with: an id, see 'recodec models', or the path of weights.",
)
convert = click.option(
    "--convert",
    is_flag=True,
    help="Accept CMYK, YCbCr, LAB, HSV, 16-bit and float pictures; they become 8-bit RGB or grey.",
)
strip = click.option("--strip", is_flag=True, help="Leave ICC, EXIF and XMP out.")
entropy = click.option(
    "--entropy",
    type=click.Choice(["auto", "network", "adaptive"]),
    default="auto",
    show_default=True,
    metavar="CODER",
    help="network, adaptive contexts, or auto: the network where the model has one.",
)
device = click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="Where the network runs: cpu, cuda, cuda:1, or auto, a CUDA device where there is one.",
)
dtype = click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    metavar="TYPE",
    help="Numbers that the network works in: float32, or bfloat16 or float16, which are faster on GPUs.",
)
max_pixels = click.option(
    "--max-pixels",
    type=SIZE,
    default=f"{DEFAULT_MAX_PIXELS // 2**20}Mi",
    show_default=True,
    metavar="N",
    help="Refuse larger pictures, e.g. 50M.",
)
max_memory = click.option(
    "--max-memory",
    type=SIZE,
    default=f"{DEFAULT_MAX_MEMORY // 2**30}GiB",
    show_default=True,
    metavar="B",
    help="Refuse pictures that take more memory, e.g. 8GiB; each of several --jobs may take so much.",
)
max_size = click.option(
    "--max-size",
    type=MaxSize(),
    metavar="N|WxH",
    help="Make pictures smaller until the longer side has N pixels at most, or the sides W and H; never larger.",
)
output_dir = click.option(
    "--output-dir",
    metavar="DIR",
    shell_complete=completion.folder_names,
    help="Folder for the outputs; it is made where it is not there, and folders in it as inputs have them.",
)
output = click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT",
    help="The output of a single input, as OUT behind it would be.",
    shell_complete=completion.file_names,
)
processes = click.option(
    "--jobs",
    "processes",
    default=1,
    show_default=True,
    type=Processes(min=1),
    metavar="N",
    help="Files at a time, each in a process with its share of the cores; all is one for every core.",
)
resume = click.option(
    "--resume",
    is_flag=True,
    help="Skip outputs that are there and sound, whatever they were made with; make damaged ones anew.",
)
no_overwrite = click.option(
    "--no-overwrite", is_flag=True, help="Leave existing files alone and fail instead."
)
training_device = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Where to train: cpu, cuda, cuda:1, or auto, a CUDA device where there is one.",
)
tensorboard = click.option(
    "--tensorboard",
    is_flag=True,
    help="Write the figures of log.jsonl into the folder tensorboard as well; needs the package of that name.",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object per file on standard output, as each is done."
)
files = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", shell_complete=completion.file_names
)
paths = click.argument(
    "paths", nargs=-1, required=True, metavar="IN... [OUT]", shell_complete=completion.file_names
)


validation = click.option(
    "--valid",
    "validation",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Photographs to judge by, kept apart from --data; may be repeated.",
)


photographs = click.option(
    "--data",
    "sources",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Tar shard or folder of photographs to train on; may be repeated.",
)


def apply(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Stack option decorators so that help lists them in the order given."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Reporting(TypedDict):
    """What :data:`reporting` says, as :func:`recodec.cli.jobs.run` takes it."""

    no_overwrite: bool
    as_json: bool
    quiet: bool


reporting = apply(no_overwrite, as_json, quiet)
encode_target = apply(_QUALITY, _BPP, _MAX_BYTES, _PSNR, _MS_SSIM, _ITERATIONS)
truncate_target = apply(
    _ITERATIONS,
    click.option(
        "--quality",
        type=Number(0, 100),
        metavar="Q",
        help="Rate of 2^(Q/20-4) bits per pixel, Q from 0 to 100.",
    ),
    _BPP,
    _MAX_BYTES,
)


def check_resume(resume: bool, no_overwrite: bool) -> None:
    """Raise a usage error if both are wanted: damaged outputs cannot be kept and made anew."""
    if resume and no_overwrite:
        raise click.UsageError("--resume and --no-overwrite exclude each other; give one of them")


def chosen_target(targets: dict[str, float | None], *, required: bool = False) -> dict[str, Any]:
    """The one target that was given. Raises a usage error for two, and for none where one is required."""
    given = {name: value for name, value in targets.items() if value is not None}
    flags = ["--" + name.replace("_", "-") for name in (given or targets)]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(flags)} exclude each other; give one of them")
    if required and not given:
        raise click.UsageError(f"give one of {', '.join(flags)}")
    return given
