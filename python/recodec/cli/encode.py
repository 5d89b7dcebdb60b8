"""``recodec encode``."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Unpack

import click

import recodec
from recodec.cli import jobs, models, options, output
from recodec.cli.jobs import Job, Outcome


@click.command()
@options.apply(
    options.paths,
    options.encode_target,
    options.convert,
    options.strip,
    options.model,
    options.device,
    options.max_pixels,
    options.max_memory,
    options.output_dir,
    options.reporting,
)
def encode(
    paths: tuple[str, ...],
    quality: float | None,
    bpp: float | None,
    max_bytes: int | None,
    psnr: float | None,
    iterations: int | None,
    convert: bool,
    strip: bool,
    model: str,
    device: str,
    max_pixels: int,
    max_memory: int,
    output_dir: str | None,
    **reporting: Unpack[options.Reporting],
) -> None:
    """Encode photographs as .rcd files.

    One input and one output, or any number of inputs with --output-dir. Metadata for which a size
    limit leaves no room even beside a single iteration is dropped: XMP first, then EXIF, then ICC.
    """
    settings = options.chosen_target(
        {"quality": quality, "bpp": bpp, "max_bytes": max_bytes, "psnr": psnr, "iterations": iterations}
    )
    as_json = reporting["as_json"]
    planned = jobs.plan(paths, output_dir, ".rcd", as_json=as_json)
    if output_dir is None:
        output.require_rcd(planned[0].target, "; for several inputs use --output-dir")
    with jobs.one_line_errors(f"model {model}", planned if as_json else ()):
        codec = models.load(model, device)

    from PIL import Image

    from recodec.bitstream import METADATA_NAMES
    from recodec.images import open_image, read_picture

    # --max-pixels is the limit here; Pillow's own would stop below it.
    Image.MAX_IMAGE_PIXELS = None
    # Reported below, file by file.
    warnings.simplefilter("ignore", recodec.MetadataDroppedWarning)

    def work(job: Job) -> Outcome:
        # In memory, because pipes cannot seek.
        picture = read_picture(
            open_image(io.BytesIO(output.read(job.source)), max_pixels, convert=convert),
            max_pixels,
            convert=convert,
            strip=strip,
        )
        data = codec.encode(picture, max_pixels=max_pixels, max_memory=max_memory, **settings)
        output.write(job.target, data)
        return written(job, data, [METADATA_NAMES[kind] for kind in picture.metadata])

    jobs.run(planned, work, **reporting)


def written(job: Job, data: bytes, metadata: Sequence[str]) -> Outcome:
    """Describe a .rcd file that was written; say what it lacks of the ``metadata`` there was."""
    info = recodec.info(data)
    dropped = [name for name in metadata if name not in info.metadata]
    if dropped:
        jobs.warn(job.source, f"the size limit left no room for its metadata ({', '.join(dropped)})")
    record = {
        "output": job.target,
        "bytes": len(data),
        "bpp": info.bpp,
        "iterations": info.iterations,
        "dropped": dropped,
    }
    text = (
        f"{job.source} -> {job.target}: {len(data)} bytes, {info.bpp:.3f} bpp, {info.iterations} iterations"
    )
    return Outcome(record, text)
