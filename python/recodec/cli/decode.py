"""``recodec decode``."""

from __future__ import annotations

import functools
import io
import os
import struct
from typing import TYPE_CHECKING, Any, Unpack

import click

import recodec
from recodec.cli import jobs, models, options, output
from recodec.cli.jobs import Job, Outcome
from recodec.cli.output import STANDARD, OutputError

if TYPE_CHECKING:
    from PIL import Image


# Formats that Pillow writes without the alpha channel, or with all of it on or off, and says nothing.
_DROPS_ALPHA = ("BMP", "DIB", "GIF", "PPM", "SPIDER")


@click.command()
@options.apply(
    options.paths,
    click.option("--iterations", type=click.IntRange(min=1), metavar="K", help="Stop after K iterations."),
    click.option("--strict", is_flag=True, help="Refuse a file that was cut."),
    click.option(
        "--format", "format_name", metavar="NAME", help="Kind of image, e.g. png; needed if OUT is -."
    ),
    options.device,
    options.max_pixels,
    options.output_dir,
    options.reporting,
)
def decode(
    paths: tuple[str, ...],
    iterations: int | None,
    strict: bool,
    format_name: str | None,
    device: str,
    max_pixels: int,
    output_dir: str | None,
    **reporting: Unpack[options.Reporting],
) -> None:
    """Decode .rcd files to images.

    One input and one output, whose extension names the format, or any number of inputs with
    --output-dir (PNG unless --format says otherwise).
    """
    planned = jobs.plan(paths, output_dir, f".{(format_name or 'png').lower()}", as_json=reporting["as_json"])
    encoders = {job: pillow_format(job.target, format_name) for job in planned}
    load = functools.cache(models.load)

    def work(job: Job) -> Outcome:
        data = output.read(job.source)
        info = recodec.info(data)
        codec = load(info.model, device)
        image = codec.decode(data, iterations=iterations, strict=strict, max_pixels=max_pixels)
        output.write(job.target, to_bytes(image, encoders[job]))
        shown = min(info.iterations, iterations or info.iterations)
        if info.truncated:
            jobs.warn(job.source, f"the file was cut; decoded the {shown} iterations it still holds")
        record = {"output": job.target, "width": info.width, "height": info.height, "iterations": shown}
        text = f"{job.source} -> {job.target}: {info.width} x {info.height}, {shown} iterations"
        return Outcome({**record, "truncated": info.truncated}, text)

    jobs.run(planned, work, **reporting)


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


def to_bytes(image: Image.Image, format_name: str) -> bytes:
    """An image file in memory, with the metadata that the picture carries.

    Raises :class:`OutputError` if the format cannot hold it, its alpha channel included.
    """
    if image.mode in ("LA", "RGBA") and format_name in _DROPS_ALPHA:
        raise OutputError(f"a {format_name} file cannot hold the alpha channel; choose png or webp")
    # Pillow writes most metadata only if it is handed over once more.
    metadata: dict[str, Any] = {
        key: image.info[key] for key in ("icc_profile", "exif", "xmp") if key in image.info
    }
    buffer = io.BytesIO()
    try:
        image.save(buffer, format_name, **metadata)
    # What Pillow's writers raise for sizes, modes and metadata that a format has no room for.
    except (OSError, ValueError, OverflowError, RuntimeError, struct.error) as error:
        raise OutputError(
            f"the picture cannot be written as {format_name}: {error}; choose png or webp"
        ) from error
    return buffer.getvalue()
