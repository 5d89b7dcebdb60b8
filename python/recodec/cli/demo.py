"""``recodec demo``: the whole story on one photograph."""

from __future__ import annotations

import io
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recodec.cli import completion, jobs, loading, options, output

if TYPE_CHECKING:
    from rich.table import Table

    from recodec.codec import Codec
    from recodec.eval.comparison import Panel
    from recodec.eval.curve import Score, Step
    from recodec.eval.metrics import Pixels

# About where JPEG starts to fall apart.
_COMPARISON_BPP = 0.3

# Pixels: large enough for MS-SSIM, small enough to cost little.
_TRIAL_SIDE = 192
# The first is mostly start, and others may meet with whatever else the machine is at.
_TRIALS = 3


@click.command()
@options.apply(
    click.argument("photo", required=False, shell_complete=completion.file_names),
    options.convert,
    options.model,
    options.device,
    click.option(
        "--output-dir",
        default="demo",
        show_default=True,
        metavar="DIR",
        help="Made if missing.",
        shell_complete=completion.folder_names,
    ),
)
def demo(photo: str | None, convert: bool, model: str, device: str, output_dir: str) -> None:
    """Encode a photograph and compare every prefix of the file with JPEG.

    Writes PHOTO's name with .rcd and with -comparison.png. Without PHOTO, takes the one that comes with
    recodec, and writes photo.rcd and comparison.png.
    """
    with jobs.one_line_errors(photo or "demo"):
        _demo(photo, convert, model, device, Path(output_dir))


def _demo(photo: str | None, convert: bool, model: str, device: str, folder: Path) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from recodec.eval.comparison import draw_comparison
    from recodec.eval.curve import JpegRival, load_rgb, measure
    from recodec.io.image_files import to_bytes

    source = Path(photo) if photo else resources.files("recodec") / "demo" / "photo.png"
    original = load_rgb(io.BytesIO(source.read_bytes()), convert=convert)
    codec = loading.load(model, device)
    with jobs.one_line_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    height, width = original.shape[:2]
    count = codec.iterations
    coded = folder / f"{Path(photo or 'photo').stem}.rcd"
    compared = folder / (f"{coded.stem}-comparison.png" if photo else "comparison.png")
    console = output.console()
    console.print(
        f"Encoding {photo or 'the photograph of the package'} ({width} x {height}) once with model "
        f"{codec.id}, {output.counted(count, 'iteration')}; every prefix is then decoded and compared with "
        "the best JPEG (4:2:0, optimised tables) of at most the same size. That takes about "
        f"{_expected(codec, original)} on this machine as busy as it is now.",
        # A name that is broken at a space could not be copied.
        soft_wrap=True,
    )
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=output.console(stderr=True), transient=True) as progress:
        task = progress.add_task("encoding", total=1 + 2 * count)
        steps: list[Step] = []
        jpegs: list[tuple[Pixels, Score] | None] = []
        for step in measure(codec, original):
            steps.append(step)
            progress.update(task, advance=1 + (step.iterations == 1), description="decoding its prefixes")
        progress.update(task, description="looking for the best JPEGs")
        rival = JpegRival(original)
        for step in steps:
            jpegs.append(rival.within(step.score.bytes))
            progress.advance(task)
    console.print(_table(steps, [jpeg and jpeg[1] for jpeg in jpegs]))
    output.write(str(coded), steps[-1].file)
    sheet = draw_comparison(_panels(original, steps, jpegs))
    output.write(str(compared), to_bytes(sheet, "PNG")[0])
    # A name with a line break in it cannot be copied.
    console.print(f"Wrote {coded} and {compared}", soft_wrap=True)
    if photo is None:
        console.print("A photograph of yours: recodec demo PHOTO")


def _expected(codec: Codec, original: Pixels) -> str:
    """About how long all of it takes, from doing it with a part of the picture."""
    from recodec.eval.curve import JpegRival, measure

    part = original[:_TRIAL_SIDE, :_TRIAL_SIDE]
    spent = []
    for _ in range(_TRIALS):
        start = time.perf_counter()
        rival = JpegRival(part)
        for step in measure(codec, part):
            rival.within(step.score.bytes)
        spent.append(time.perf_counter() - start)
    seconds = min(spent) * original.size / part.size
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} minutes"


def _table(steps: list[Step], jpegs: list[Score | None]) -> Table:
    from rich.table import Table

    table = Table()
    for name in ("chunk", "bytes", "bpp", "PSNR", "MS-SSIM", "JPEG bytes", "PSNR", "MS-SSIM"):
        table.add_column(name, justify="right")
    for step, jpeg in zip(steps, jpegs, strict=True):
        ours, theirs = _cells(step.score), _cells(jpeg)
        table.add_row(str(step.iterations), ours[0], f"{step.score.bpp:.3f}", *ours[1:], *theirs)
    return table


def _cells(score: Score | None) -> tuple[str, str, str]:
    if score is None:
        return "-", "-", "-"
    similarity = "-" if score.ms_ssim is None else f"{score.ms_ssim:.4f}"
    return str(score.bytes), f"{score.psnr:.2f}", similarity


def _panels(original: Pixels, steps: list[Step], jpegs: list[tuple[Pixels, Score] | None]) -> list[Panel]:
    from recodec.eval.comparison import PANEL_SIDE, Panel

    comparable = [(step, jpeg) for step, jpeg in zip(steps, jpegs, strict=True) if jpeg]
    affordable = [pair for pair in comparable if pair[0].score.bpp <= _COMPARISON_BPP]
    pairs = affordable[-1:] or comparable[:1]
    title = "original: the middle, enlarged" if max(original.shape) > PANEL_SIDE else "original, enlarged"
    panels = [Panel(title, f"{original.size} bytes, 24 bpp", original)]
    if pairs:
        step, jpeg = pairs[0]
        panels.append(Panel("JPEG", _caption(jpeg[1]), jpeg[0]))
    else:
        step = steps[-1]
    return [*panels, Panel("recodec", _caption(step.score), step.pixels)]


def _caption(score: Score) -> str:
    text = f"{score.bytes} bytes, {score.bpp:.3f} bpp, {score.psnr:.2f} dB"
    return text if score.ms_ssim is None else f"{text}, MS-SSIM {score.ms_ssim:.3f}"
