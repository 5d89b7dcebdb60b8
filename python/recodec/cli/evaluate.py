"""``recodec eval``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recodec.cli import completion, jobs, measuring, options, output
from recodec.errors import ImageError, RecipeError, WeightsError
from recodec.io import folders
from recodec.io.picture_kinds import register_plugins
from recodec.model_search import DEFAULT_MODEL, available_models, weights_file

if TYPE_CHECKING:
    from recodec.eval.run import Plan

_RECODEC = "recodec"
_CODECS = (_RECODEC, "jpeg420", "jpeg2000", "webp", "avif420", "jxl-e7")
_METRICS = ("psnr", "ssim", "ms_ssim", "psnr_hvs", "ssimulacra2")


class _CodecType(click.ParamType[str]):
    """One of the codecs that are always there, or a model by id or weights file, systems of the zoo among them."""

    name = "codec"
    # Those that are always there.
    choices = _CODECS

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; a usage error for one that is no codec that loses something."""
        name = str(value)
        if name in self.choices:
            return name
        from recodec.families.registry import codecs_without_weights

        if name in codecs_without_weights():
            self.fail(f"{name!r} loses nothing; --lossless compares codecs that lose nothing.", param, ctx)
        try:
            there = weights_file(name).is_file()
        except WeightsError:
            there = False
        if not there:
            known = ", ".join((*self.choices, *available_models()))
            self.fail(f"there is no codec or model {name!r}; there are {known}.", param, ctx)
        return name


@click.command("eval")
@options.apply(
    click.argument(
        "sources",
        nargs=-1,
        required=True,
        metavar="FOLDER...",
        type=click.Path(exists=True, path_type=Path),
    ),
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="MODEL",
        shell_complete=completion.models,
        help="Model to judge, by id or weights file; may be repeated.",
    ),
    click.option(
        "--codec",
        "codecs",
        multiple=True,
        type=_CodecType(),
        metavar=f"[{'|'.join((*_CODECS, 'ID'))}]",
        help="Only this codec, a model or system of the zoo by id or weights file among them; may be repeated. "
        "All but those that are installed by default.",
    ),
    click.option(
        "--metric", "metrics", multiple=True, type=click.Choice(_METRICS), help="Only this metric; likewise."
    ),
    click.option(
        "--out",
        "folder",
        default="eval",
        show_default=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder for the results, made if missing. What is there already is not measured again.",
    ),
    click.option(
        "--jobs",
        "processes",
        default=1,
        show_default=True,
        type=click.IntRange(1),
        help="Pictures at a time.",
    ),
    click.option("--iterations", type=click.IntRange(min=1), help="Chunks to measure; all by default."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The first N pictures only."),
    click.option(
        "--viewer",
        default=4,
        show_default=True,
        type=click.IntRange(min=0),
        help="Pictures to show on the page.",
    ),
    click.option(
        "--against", multiple=True, metavar="NAME", help="Codec that BD-rates refer to [default: jpeg420]."
    ),
    click.option(
        "--published",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="JSON with published curves to draw (pub-*), and with measured ones to compare with.",
    ),
    click.option(
        "--lossless", is_flag=True, help="Compare codecs that lose nothing, by size and time, instead."
    ),
    options.convert,
    options.device,
    options.quiet,
)
def evaluate(
    sources: tuple[Path, ...],
    models: tuple[str, ...],
    codecs: tuple[str, ...],
    metrics: tuple[str, ...],
    folder: Path,
    processes: int,
    iterations: int | None,
    limit: int | None,
    viewer: int,
    against: tuple[str, ...],
    published: Path | None,
    lossless: bool,
    convert: bool,
    device: str,
    quiet: bool,
) -> None:
    """Compare models with other codecs on folders of pictures, at every rate.

    Writes results.json, results.csv, curves.svg and report.html, a page to look at without a network. Every
    point takes its time: about ten seconds for each of the codecs and half a megapixel, most of it for
    SSIMULACRA 2. After Ctrl-C the same command goes on.

    With --lossless it writes lossless.json and lossless.csv: recodec's efforts beside PNG, WebP, JPEG 2000, JPEG XL
    and JPEG-LS, each held to giving every sample back before its size counts.
    """
    with jobs.one_line_errors("eval"):
        from recodec.eval.run import Plan, find_pictures, threads_for

        register_plugins()
        pictures, left_out = find_pictures(sources, limit)
        if not pictures:
            raise ImageError(
                f"{', '.join(map(str, sources))}: no pictures there; name a folder that has some"
            )
        if lossless:
            from recodec.cli.evaluate_lossless import evaluate_lossless

            given = {"model": models, "codec": codecs, "metric": metrics, "iterations": iterations}
            for name, value in {**given, "against": against, "published": published}.items():
                if value:
                    raise click.UsageError(f"--lossless has no --{name}; leave it out")
            evaluate_lossless(pictures, left_out, folder, processes, convert=convert, quiet=quiet)
            return
        # A model among the codecs is one to judge.
        chosen = codecs or (_CODECS if not models else ())
        ours = [model for model in chosen if model not in _CODECS]
        judged = models or ((DEFAULT_MODEL,) if _RECODEC in chosen else ())
        plan = Plan(
            tuple(name for name in chosen or _CODECS if name != _RECODEC and name not in ours),
            tuple(dict.fromkeys((*judged, *ours))),
            metrics or _METRICS,
            device,
            iterations,
            threads_for(processes),
            convert,
        )
        reference = _read_published(published)
        _evaluate(plan, pictures, left_out, folder, processes, viewer, against, reference, quiet)


def _read_published(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        data = json.loads(path.read_text())
        if all(isinstance(point["bpp"], float | int) for entry in data.values() for point in entry["points"]):
            return dict(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecipeError(f"{path} does not hold curves: {error!r}; see docs/evaluation.md") from error
    raise RecipeError(f"{path} does not hold curves: a bpp is not a number; see docs/evaluation.md")


def _evaluate(
    plan: Plan,
    pictures: Sequence[Path],
    other_files: Sequence[folders.LeftOut],
    folder: Path,
    processes: int,
    viewer: int,
    against: Sequence[str],
    reference: dict[str, Any],
    quiet: bool,
) -> None:
    from dataclasses import replace

    from PIL import Image

    from recodec.cli.environment import describe
    from recodec.eval import bjontegaard, run, summary, tables
    from recodec.eval.report import draw_curves, draw_page

    # The limit is recodec's own.
    Image.MAX_IMAGE_PIXELS = None
    missing = run.unavailable(plan)
    if why := bjontegaard.unavailable():
        missing["BD-rate"] = why
    for name, why in missing.items():
        print(f"recodec: without {name}: {why}", file=sys.stderr)
    plan = replace(
        plan,
        codecs=tuple(name for name in plan.codecs if name not in missing),
        metrics=tuple(name for name in plan.metrics if name not in missing),
    )
    if not (plan.codecs or plan.models) or not plan.metrics:
        raise click.UsageError("nothing is left to compare; choose another --codec, --model or --metric")
    published = summary.published_curves(reference)
    if against:
        known = {codec.name for codec in plan.build()} | published.keys()
        if unknown := set(against) - known:
            names = ", ".join(sorted(known))
            raise click.UsageError(f"--against {min(unknown)}: no curve has this name; there are {names}")
    folder.mkdir(parents=True, exist_ok=True)
    measured = measuring.measure(plan, pictures, folder / "cache", processes, viewer, quiet)
    if all(result.error for result in measured):
        raise ImageError(f"none of {len(measured)} can be read as a picture; name others")

    means = summary.mean_curves(measured, plan.metrics)
    anchors = {
        name: found for name in against or ("jpeg420",) if (found := (means.codecs | published).get(name))
    }
    if "BD-rate" in missing:
        anchors = {}
    curves = {**means.codecs, **published}
    results: dict[str, Any] = {
        "machine": describe(),
        "processes": processes,
        "codecs": {codec.name: f"{codec.description}; {codec.version}" for codec in plan.build()},
        "unavailable": missing,
        "metrics": means.metrics,
        "averaged": means.pictures,
        "left_out": means.left_out,
        "other_files": dict(other_files),
        "anchors": list(anchors),
        "summary": {name: summary.summarise(c, means.metrics, anchors) for name, c in curves.items()},
        "deviations": summary.deviations(means.codecs, reference),
        "mean": means.codecs,
        "images": [run.as_json(result) for result in measured],
    }
    frames = [result.frames for result in measured if result.frames]
    page = draw_page(results, published, frames)
    written = {
        "results.json": json.dumps(results, indent=1, allow_nan=False) + "\n",
        "results.csv": tables.points_csv(measured, plan.metrics),
        "curves.svg": draw_curves(means.metrics, means.codecs, published),
        "report.html": page,
    }
    for name, text in written.items():
        # Not every name of a file is text.
        output.write(str(folder / name), text.encode(errors="backslashreplace"))
    if not quiet:
        _print(results, folder, (folder / "report.html").stat().st_size)
    if any(result.error or result.failed for result in measured):
        click.get_current_context().exit(jobs.FAILED)


def _print(results: dict[str, Any], folder: Path, page_bytes: int) -> None:
    from recodec.eval import tables

    console = output.console()
    console.print(tables.means_table(results))
    for name, largest in results["deviations"].items():
        text = ", ".join(f"{key} {value:.2g}" for key, value in largest.items() if key != "settings")
        console.print(
            f"{name}: {largest['settings']:.0f} settings differ from the published file by at most {text}"
        )
    for file, why in results["left_out"].items():
        console.print(f"not in the means: {file}: {why}")
    if other_files := results["other_files"]:
        console.print(folders.summary([folders.LeftOut(*one) for one in other_files.items()]))
    console.print(
        f"Wrote results.json, results.csv, curves.svg and report.html ({page_bytes / 1e6:.1f} MB) in {folder}"
    )
