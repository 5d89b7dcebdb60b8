"""``recodec decode``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import click

import recodec
from recodec.cli import jobs, options, output, planning
from recodec.cli.jobs import Job, Outcome
from recodec.cli.output import STANDARD
from recodec.cli.workers import Codecs
from recodec.io.drafts import draft_factor, draft_iterations
from recodec.io.picture_kinds import is_rcd_file, register_plugins

if TYPE_CHECKING:
    from recodec.decode_options import DecodeOptions


@click.command()
@options.apply(
    options.paths,
    options.output,
    click.option("--iterations", type=click.IntRange(min=1), metavar="K", help="Stop after K iterations."),
    click.option("--strict", is_flag=True, help="Refuse a file that was cut."),
    click.option(
        "--format", "format_name", metavar="NAME", help="Kind of image, e.g. png; needed if OUT is -."
    ),
    click.option(
        "--quality",
        type=click.IntRange(0, 100),
        help="Of JPEG, WebP, AVIF and the like; without it WebP and JPEG XL are lossless and the others have 95.",
    ),
    options.max_size,
    click.option(
        "--draft",
        is_flag=True,
        help="With --max-size: decode only the first iterations, as many as so small a picture needs.",
    ),
    options.device,
    options.dtype,
    options.max_pixels,
    options.max_memory,
    options.output_dir,
    options.processes,
    options.resume,
    options.reporting,
)
def decode(
    paths: tuple[str, ...],
    out: str | None,
    iterations: int | None,
    strict: bool,
    format_name: str | None,
    quality: int | None,
    max_size: tuple[int, int] | None,
    draft: bool,
    device: str,
    dtype: str,
    max_pixels: int,
    max_memory: int,
    output_dir: str | None,
    processes: int,
    resume: bool,
    **reporting: Unpack[options.Reporting],
) -> None:
    """Decode .rcd files to images.

    One input and one output, whose extension names the format, or any number of inputs with --output-dir (PNG unless
    --format says otherwise); one input alone becomes such a file beside it, which replaces none. A folder stands for
    every .rcd file in and below it; outputs go to the same places below --output-dir.
    """
    from recodec.io.image_files import LOSSY

    register_plugins()
    if draft and max_size is None:
        raise click.UsageError(
            "--draft is for small pictures; say how small by --max-size, or give --iterations"
        )
    options.check_resume(resume, reporting["no_overwrite"])
    suffix = f".{(format_name or 'png').lower()}"
    if format_name is None:
        planning.refuse_stray_numbers(paths, reporting["quiet"])
    planned = planning.plan(
        paths,
        output_dir,
        suffix,
        out=out,
        wanted=is_rcd_file,
        as_json=reporting["as_json"],
        resume=resume,
    )
    for job in planned:
        kind = pillow_format(job.target, format_name)
        if quality is not None and kind not in LOSSY:
            raise click.UsageError(f"--quality is for {', '.join(LOSSY)}; {kind} has none")
    chosen: DecodeOptions = {
        "iterations": iterations,
        "strict": strict,
        "max_size": max_size,
        "draft": draft,
        "max_pixels": max_pixels,
        "max_memory": max_memory,
    }
    work: jobs.Work = _Decode(Codecs(device, dtype), chosen, format_name, quality)
    if resume:
        work = jobs.Resuming(work, max_pixels, max_memory)
    jobs.run(planned, work, processes=processes, **reporting)


@dataclass(frozen=True, slots=True)
class _Decode:
    codecs: Codecs
    options: DecodeOptions
    format_name: str | None
    quality: int | None

    def __call__(self, job: Job) -> Outcome:
        from recodec.io.image_files import to_bytes

        register_plugins()
        data = output.read(job.source)
        info = recodec.info(data)
        image = self.codecs.load(info.model, info.model_hash).decode(data, **self.options)
        wanted = self._wanted(info)
        shown = min(info.iterations, wanted or info.iterations)
        lossless = info.lossless and (wanted is None or (info.exact is None and shown == info.iterations))
        record = {
            "output": job.target,
            "width": image.width,
            "height": image.height,
            "iterations": shown,
            "lossless": lossless,
            "truncated": info.truncated,
        }
        held = output.contents(info, wanted)
        smaller = "" if image.size == (info.width, info.height) else f", made {image.width} x {image.height}"
        text = f"{job.shown}: {info.width} x {info.height}, {held}{smaller}"
        kind = pillow_format(job.target, self.format_name)
        written, lost = to_bytes(image, kind, self.quality)
        said = [f"the file was cut; decoded the {held} it still holds"] if info.truncated else []
        if not (info.truncated or info.lossless or wanted) and (info.exact or info.details.by_rows):
            below = "grey" if info.details.by_rows else "lossy"
            said.append(f"the file has {held}; the rows below these are {below}")
        said += [f"a {kind} file cannot hold its {', '.join(lost)}"] if lost else []
        record |= {"lost": lost, "warnings": said}
        return Outcome(record, text, "; ".join(said), written)

    def _wanted(self, info: recodec.Info) -> int | None:
        """How many iterations are decoded of a file; None is all there is."""
        from recodec.io.reduced_sizes import check_max_size

        given, most = self.options.get("iterations"), check_max_size(self.options.get("max_size"))
        if most is None or not self.options.get("draft") or info.details.by_rows:
            return given
        factor = draft_factor((info.width, info.height), most)
        enough = draft_iterations(info.iterations, factor) if factor > 1 else None
        return min((count for count in (given, enough) if count), default=None)


def pillow_format(target: str, name: str | None) -> str:
    """Pillow's name of the format to write. Raises a usage error if it cannot be told or written."""
    from PIL import Image

    if name is None and target == STANDARD:
        raise click.UsageError("standard output has no extension; name the format, for example --format png")
    # Whatever --format says: this is rather a second input than a picture.
    if output.is_rcd(target):
        raise click.UsageError(f"the output {target!r} ends in .rcd; for several inputs use --output-dir")
    extension = f".{name}" if name else os.path.splitext(target)[1]
    found = Image.registered_extensions().get(extension.lower(), "")
    if found not in Image.SAVE:
        raise click.UsageError(f"{extension or target!r} is not an image format that can be written; try png")
    return found
