"""``recodec encode``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import click

import recodec
from recodec.cli import jobs, models, options, output
from recodec.cli.jobs import Job, Outcome

if TYPE_CHECKING:
    from PIL import Image


@click.command()
@options.apply(
    options.paths,
    options.encode_target,
    options.model,
    options.device,
    options.max_pixels,
    options.output_dir,
    options.no_overwrite,
    options.as_json,
    options.quiet,
)
def encode(
    paths: tuple[str, ...],
    quality: float | None,
    bpp: float | None,
    max_bytes: int | None,
    psnr: float | None,
    iterations: int | None,
    model: str,
    device: str,
    max_pixels: int | None,
    output_dir: str | None,
    no_overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Encode photographs as .rcd files.

    One input and one output, or any number of inputs with --output-dir.
    """
    settings = options.chosen_target(
        {"quality": quality, "bpp": bpp, "max_bytes": max_bytes, "psnr": psnr, "iterations": iterations}
    )
    if max_pixels is not None:
        settings["max_pixels"] = max_pixels
    planned = jobs.plan(paths, output_dir, ".rcd")
    with jobs.one_line_errors(f"model {model}"):
        codec = models.load(model, device)

    def work(job: Job) -> Outcome:
        with open_image(job.source) as image:
            data = codec.encode(image, **settings)
        output.write(job.target, data)
        return written(job, data)

    jobs.run(planned, work, overwrite=not no_overwrite, quiet=quiet, as_json=as_json)


def open_image(source: str) -> Image.Image:
    """Open a picture from a file or from standard input. Raises :class:`ImageError` if it is none."""
    from PIL import Image, UnidentifiedImageError

    from recodec.errors import ImageError

    try:
        # In memory, because pipes cannot seek.
        return Image.open(io.BytesIO(output.read(source)))
    except UnidentifiedImageError as error:
        raise ImageError("this is not an image that Pillow can read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(str(error)) from error


def written(job: Job, data: bytes) -> Outcome:
    """Describe a .rcd file that was written."""
    info = recodec.info(data)
    record = {"output": job.target, "bytes": len(data), "bpp": info.bpp, "iterations": info.iterations}
    text = (
        f"{job.source} -> {job.target}: {len(data)} bytes, {info.bpp:.3f} bpp, {info.iterations} iterations"
    )
    return Outcome(record, text)
