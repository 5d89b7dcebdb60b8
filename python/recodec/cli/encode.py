"""``recodec encode``."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack

import click

import recodec
from recodec import folders
from recodec.cli import jobs, options, output
from recodec.cli.jobs import Job, Outcome
from recodec.cli.workers import Codecs


@click.command()
@options.apply(
    options.paths,
    options.encode_target,
    options.convert,
    options.strip,
    options.entropy,
    options.model,
    options.device,
    options.dtype,
    options.max_pixels,
    options.max_memory,
    options.output_dir,
    options.processes,
    options.resume,
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
    entropy: Literal["auto", "network", "adaptive"],
    model: str,
    device: str,
    dtype: str,
    max_pixels: int,
    max_memory: int,
    output_dir: str | None,
    processes: int,
    resume: bool,
    **reporting: Unpack[options.Reporting],
) -> None:
    """Encode photographs as .rcd files.

    One input and one output, or any number of inputs with --output-dir. A folder stands for every image in
    and below it; outputs go to the same places below --output-dir.

    Metadata for which a size limit leaves no room even beside a single iteration is dropped: XMP first,
    then EXIF, then ICC.
    """
    settings = options.chosen_target(
        {"quality": quality, "bpp": bpp, "max_bytes": max_bytes, "psnr": psnr, "iterations": iterations}
    )
    options.check_resume(resume, reporting["no_overwrite"])
    as_json = reporting["as_json"]
    planned = jobs.plan(paths, output_dir, ".rcd", inputs=folders.image_suffixes(), as_json=as_json)
    if output_dir is None:
        output.require_rcd(planned[0].target, "; for several inputs use --output-dir")
    codecs = Codecs(device, dtype)
    with jobs.one_line_errors(f"model {model}", planned if as_json else ()):
        codecs.load(model)
    chosen: dict[str, Any] = {
        "entropy": entropy,
        "max_pixels": max_pixels,
        "max_memory": max_memory,
        **settings,
    }
    work: jobs.Work = _Encode(codecs, model, chosen, convert, strip, max_pixels)
    if resume:
        work = jobs.Resuming(work, max_pixels)
    jobs.run(planned, work, processes=processes, **reporting)


@dataclass(frozen=True, slots=True)
class _Encode:
    codecs: Codecs
    model: str
    settings: dict[str, Any]
    convert: bool
    strip: bool
    max_pixels: int

    def __call__(self, job: Job) -> Outcome:
        from PIL import Image

        from recodec.bitstream import METADATA_NAMES
        from recodec.images import open_image, read_picture

        # --max-pixels is the limit here; Pillow's own would stop below it.
        Image.MAX_IMAGE_PIXELS = None
        # In memory, because pipes cannot seek.
        picture = read_picture(
            open_image(io.BytesIO(output.read(job.source)), self.max_pixels, convert=self.convert),
            self.max_pixels,
            convert=self.convert,
            strip=self.strip,
        )
        with warnings.catch_warnings():
            # Reported file by file.
            warnings.simplefilter("ignore", recodec.MetadataDroppedWarning)
            data = self.codecs.load(self.model).encode(picture, **self.settings)
        return outcome(job, data, [METADATA_NAMES[kind] for kind in picture.metadata])


def outcome(job: Job, data: bytes, metadata: Sequence[str]) -> Outcome:
    """Describe a .rcd file that is to be written; say what it lacks of the ``metadata`` there was."""
    info = recodec.info(data)
    dropped = [name for name in metadata if name not in info.metadata]
    warning = f"the size limit left no room for its metadata ({', '.join(dropped)})" if dropped else ""
    record = {
        "output": job.target,
        "bytes": len(data),
        "bpp": info.bpp,
        "iterations": info.iterations,
        "dropped": dropped,
    }
    iterations = output.counted(info.iterations, "iteration")
    text = f"{job.source} -> {job.target}: {len(data)} bytes, {info.bpp:.3f} bpp, {iterations}"
    return Outcome(record, text, warning, data)
