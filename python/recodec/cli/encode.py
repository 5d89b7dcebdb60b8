"""``recodec encode``."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Unpack

import click

import recodec
from recodec.cli import jobs, options, output, planning
from recodec.cli.jobs import Job, Outcome
from recodec.cli.workers import Codecs
from recodec.io import picture_kinds


@click.command()
@options.apply(
    options.paths,
    options.output,
    options.encode_target,
    options.lossless,
    options.effort,
    options.preview,
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
    out: str | None,
    quality: float | None,
    bpp: float | None,
    max_bytes: int | None,
    psnr: float | None,
    ms_ssim: float | None,
    iterations: int | None,
    lossless: bool,
    effort: str | int | None,
    preview: float | None,
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

    One input and one output, or any number of inputs with --output-dir; one input alone becomes a .rcd file beside it,
    which replaces none. A folder stands for every image in
    and below it; outputs go to the same places below --output-dir, and files of other kinds are listed. HEIC and
    JPEG XL are read where pillow-heif and pillow-jxl-plugin are installed.

    With --lossless every sample comes back as it was, and the first bytes may be a --preview.

    Metadata for which a size limit leaves no room even beside a single iteration is dropped: XMP first,
    then EXIF, then ICC.
    """
    from recodec.lossless_mode import model_for

    settings = options.chosen_target(
        {
            "quality": quality,
            "bpp": bpp,
            "max_bytes": max_bytes,
            "psnr": psnr,
            "ms_ssim": ms_ssim,
            "iterations": iterations,
        }
    )
    mode = {"lossless": lossless, "effort": effort, "preview": preview}
    try:
        model = model_for(model, mode)
    except recodec.TargetError as error:
        raise click.UsageError(str(error)) from error
    if lossless and settings:
        raise click.UsageError(
            f"--lossless keeps every sample, whatever it takes; leave out --{next(iter(settings)).replace('_', '-')}"
        )
    options.check_resume(resume, reporting["no_overwrite"])
    as_json = reporting["as_json"]
    planning.refuse_stray_numbers(paths, reporting["quiet"])
    picture_kinds.register_plugins()
    planned = planning.plan(
        paths,
        output_dir,
        ".rcd",
        out=out,
        wanted=picture_kinds.image_chooser(),
        as_json=as_json,
        resume=resume,
    )
    if output_dir is None:
        output.require_rcd(planned[0].target, "; for several inputs use --output-dir")
    codecs = Codecs(device, dtype)
    if jobs.any_ready(planned, no_overwrite=reporting["no_overwrite"]):
        with jobs.one_line_errors(f"model {model}", planned if as_json else ()):
            codecs.load(model)
    chosen: dict[str, Any] = {
        "convert": convert,
        "strip": strip,
        "max_pixels": max_pixels,
        "max_memory": max_memory,
        **settings,
        **{name: value for name, value in mode.items() if value},
        # An option of some models only.
        **({} if entropy == "auto" else {"entropy": entropy}),
    }
    # Several files have a bar that counts them.
    bar = (
        bool(effort) and not lossless and len(planned) == 1 and not reporting["quiet"] and sys.stderr.isatty()
    )
    work: jobs.Work = _Encode(codecs, model, chosen, bar)
    if resume:
        work = jobs.Resuming(work, max_pixels, max_memory)
    jobs.run(planned, work, processes=processes, **reporting)


@contextlib.contextmanager
def _search_shown() -> Iterator[Callable[[float], object]]:
    """A bar on standard error, for as long as a search goes on."""
    from rich.progress import Progress

    with Progress(console=output.console(stderr=True), transient=True) as progress:
        bar = progress.add_task("searching", total=1.0)
        yield lambda share: progress.update(bar, completed=share)


@dataclass(frozen=True, slots=True)
class _Encode:
    codecs: Codecs
    model: str
    settings: dict[str, Any]
    bar: bool = False

    def __call__(self, job: Job) -> Outcome:
        from PIL import Image

        # --max-pixels is the limit here; Pillow's own would stop below it.
        Image.MAX_IMAGE_PIXELS = None
        picture_kinds.register_plugins()
        # In memory, because pipes cannot seek.
        source = io.BytesIO(output.read(job.source))
        with caught_warnings() as caught, contextlib.ExitStack() as shown:
            told = shown.enter_context(_search_shown()) if self.bar else None
            data = self.codecs.load(self.model).encode(source, on_progress=told, **self.settings)
        return outcome(job, data, caught)


@contextlib.contextmanager
def caught_warnings() -> Iterator[list[recodec.RecodecWarning]]:
    """What recodec says beside a file, to be reported file by file and not as a warning."""
    found: list[recodec.RecodecWarning] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", recodec.RecodecWarning)
        yield found
    for warning in caught:
        if isinstance(warning.message, recodec.RecodecWarning):
            found.append(warning.message)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def outcome(job: Job, data: bytes, noticed: Sequence[recodec.RecodecWarning]) -> Outcome:
    """Describe a .rcd file that is to be written, with what was ``noticed``, such as metadata that is left out."""
    info = recodec.info(data)
    dropped = [name for warning in noticed for name in getattr(warning, "dropped", ())]
    said = [str(warning) for warning in noticed]
    # Of the model, which is that of every file.
    of_run = [str(warning) for warning in noticed if isinstance(warning, recodec.HiddenModelWarning)]
    record = {
        "output": job.target,
        "bytes": len(data),
        "bpp": info.bpp,
        "iterations": info.iterations,
        "lossless": info.lossless,
        "dropped": dropped,
        "warnings": said,
    }
    text = f"{job.shown}: {len(data)} bytes, {info.bpp:.3f} bpp, {output.contents(info)}"
    of_file = [line for line in said if line not in of_run]
    return Outcome(record, text, "; ".join(of_file), data, tuple(of_run))
