"""The report's tables of lossy systems, made anew: real files, decoded elsewhere, beside JPEG at equal bytes.

    python bench/zoo_autoencoders.py SOURCE... [--systems ID]... [--train NPY] [--out PATH] [--sheet PNG]

A SOURCE that is an .npy file (N x H x W x 3, such as the 32 x 32 pictures of CIFAR-10) becomes one mosaic in which
every picture is coded by itself, so that a header stands once; JPEG and JPEG 2000 code the same mosaic. Any other
SOURCE (a folder, a tar file, a picture) is photographs, coded as patches of 32 pixels and as whole pictures. --train
has the small pictures that the floors, KLTs of 4 x 4 and 8 x 8 pixels, are found on. What is not there is skipped, and
why is said.

Every size is that of a file, every picture what another process decoded from it, after comparing its symbols with
those that were encoded. Rivals have the largest file that is not larger. Raw is what the symbols take without entropy
coding. PSNR is the mean over pictures; a second figure that of their mean error.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch

import options
import result_file
from recodec import ssim, zoo
from recodec.errors import RecodecError, WeightsError
from recodec.eval import metrics
from recodec.model_search import SEARCH_PATH_VARIABLE, find_model
from recodec.zoo.learned.header import Settings
from zoo_files import Row, through_files
from zoo_klt import FLOORS, save_floor
from zoo_pictures import Pixels, cells_of, mosaic_of, mosaic_shape, named_pictures, small_pictures
from zoo_rivals import NAMES, Rivals
from zoo_sheet import draw_sheet

PATCH = 32
# Of small pictures, for rivals alone.
RATES = (1.0, 1.25, 1.5)

Scores = dict[str, Any]


def small_scores(original: Pixels, decoded: Pixels, size: int) -> Scores:
    """Of N×H×W×3 pictures in one file."""
    errors = np.square(original.astype(np.float64) - decoded).mean((1, 2, 3))
    x, y = (torch.from_numpy(cells).permute(0, 3, 1, 2).float() / 255 for cells in (original, decoded))
    return {
        "bytes": size,
        "bpp": 8 * size / original[..., 0].size,
        "psnr": float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9)))),
        "psnr_of_mean": float(10 * np.log10(255**2 / errors.mean())),
        "ssim": float(ssim.mean_ssim(x, y).mean()) if ssim.fitting_scales(x) else None,
    }


def photo_scores(originals: Sequence[Pixels], decoded: Sequence[tuple[int, Pixels] | None]) -> Scores | None:
    """Means over photographs; None where one has no file that small."""
    pairs = [
        (original, found) for original, found in zip(originals, decoded, strict=True) if found is not None
    ]
    if len(pairs) < len(originals):
        return None
    columns: dict[str, list[Any]] = {
        "bytes": [size for _, (size, _) in pairs],
        "bpp": [8 * size / original[..., 0].size for original, (size, _) in pairs],
        "psnr": [metrics.psnr(original, pixels) for original, (_, pixels) in pairs],
        "ssim": [metrics.mean_ssim(original, pixels) for original, (_, pixels) in pairs],
        "ms_ssim": [metrics.ms_ssim(original, pixels) for original, (_, pixels) in pairs],
    }
    return {name: None if None in values else statistics.fmean(values) for name, values in columns.items()}


def measure_small(pictures: Pixels, systems: Sequence[str], refine: int) -> Scores:
    """One table, of small pictures, and the decoded mosaics by label."""
    count, height, width, _ = pictures.shape
    if (height, width) != (PATCH, PATCH):
        raise click.ClickException(f"the small pictures are {width} x {height}; give some of 32 x 32")
    rows, columns = mosaic_shape(count, height, width)
    if rows * columns < count:
        click.echo(
            f"skipped: the last {count - rows * columns} of {count} pictures, to fill a mosaic", err=True
        )
    cells = pictures[: rows * columns]
    mosaic = mosaic_of(pictures, rows, columns)
    rivals = Rivals(mosaic)

    def rival_scores(most_bytes: int) -> dict[str, Scores | None]:
        found = {name: rivals.within(name, most_bytes) for name in NAMES}
        return {
            name: pair and small_scores(cells, cells_of(pair[1], rows, columns), pair[0])
            for name, pair in found.items()
        }

    table: list[Scores] = []
    for system in systems:
        coded = through_files(system, {"mosaic": mosaic}, Settings(patch=PATCH, refine=refine))
        for row, files in coded.items():
            file = files["mosaic"]
            scores = small_scores(cells, cells_of(file.pixels, rows, columns), file.bytes)
            table.append({**described(row), "scores": scores, "rivals": rival_scores(file.bytes)})
            print_row(table[-1], SMALL, header=len(table) == 1)
    fixed = []
    for rate in RATES:
        fixed.append(
            {
                "label": f"at {rate} bpp",
                "raw": rate,
                "rivals": rival_scores(int(rate * cells[..., 0].size / 8)),
            }
        )
        print_row(fixed[-1], SMALL, header=not table and len(fixed) == 1)
    return {"pictures": rows * columns, "mosaic": [rows, columns], "systems": table, "rivals at rates": fixed}


def measure_photos(pictures: Mapping[str, Pixels], systems: Sequence[str], patch: int, refine: int) -> Scores:
    """One table, of photographs coded as patches or whole."""
    originals, table = list(pictures.values()), []
    rivals = [Rivals(original) for original in originals]
    for system in systems:
        for row, files in through_files(system, pictures, Settings(patch=patch, refine=refine)).items():
            found = [(file.bytes, file.pixels) for file in files.values()]
            scores = photo_scores(originals, found)
            equal = {
                name: photo_scores(
                    originals,
                    [rival.within(name, size) for rival, (size, _) in zip(rivals, found, strict=True)],
                )
                for name in NAMES
            }
            table.append({**described(row), "scores": scores, "rivals": equal})
            print_row(table[-1], PHOTOS, header=len(table) == 1)
    return {"pictures": list(pictures), "patch": patch, "systems": table}


def described(row: Row) -> Scores:
    return {
        "label": row.label, "system": row.system, "level": row.level, "stages": row.stages, "raw": row.raw
    }  # fmt: skip


def cell(scores: Scores | None, name: str, digits: int) -> str:
    value = scores and scores[name]
    return "–" if value is None else f"{value:.{digits}f}"


class Column(NamedTuple):
    title: str
    score: str
    digits: int


# Of pictures, and what stands behind PSNR in the columns of other codecs.
SMALL = (
    (
        Column("PSNR", "psnr", 2),
        Column("of mean MSE", "psnr_of_mean", 2),
        Column("SSIM", "ssim", 4),
    ),
    Column("of mean MSE", "psnr_of_mean", 2),
)
PHOTOS = (
    (
        Column("PSNR", "psnr", 2),
        Column("SSIM", "ssim", 4),
        Column("MS-SSIM", "ms_ssim", 4),
    ),
    Column("MS-SSIM", "ms_ssim", 4),
)


def print_row(entry: Scores, kind: tuple[tuple[Column, ...], Column], *, header: bool) -> None:
    columns, beside = kind
    if header:
        rivals = [f"{name}, dB / {beside.title}" for name in NAMES]
        titles = ["system", "bpp raw", "bpp coded", *(column.title for column in columns), *rivals]
        print(f"| {' | '.join(titles)} |\n|---|{'--:|' * (len(titles) - 1)}")
    scores = entry.get("scores")
    cells = [
        entry["label"],
        "–" if entry["raw"] is None else f"{entry['raw']:.3f}",
        cell(scores, "bpp", 3),
        *(cell(scores, column.score, column.digits) for column in columns),
        *(
            f"{cell(entry['rivals'][name], 'psnr', 2)} / {cell(entry['rivals'][name], beside.score, beside.digits)}"
            for name in NAMES
        ),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def there(systems: Sequence[str]) -> list[str]:
    """Those whose weights are there; of none that are named, all of the zoo that lose something."""
    found = []
    for system in systems or [one.id for one in zoo.systems() if one.id != "mlp"]:
        try:
            find_model(system)
            found.append(system)
        except WeightsError as error:
            click.echo(f"skipped: {system}: {error}", err=True)
    return found


def floors(training: Path | None, folder: Path) -> list[str]:
    """Ids of those that could be made."""
    if training is None or not training.exists():
        click.echo(f"skipped: the KLT's floors: {training or '--train'} is not there", err=True)
        return []
    pictures = small_pictures(training)
    for floor in FLOORS:
        save_floor(floor, pictures, folder)
    others = os.environ.get(SEARCH_PATH_VARIABLE)
    os.environ[SEARCH_PATH_VARIABLE] = os.pathsep.join([str(folder), *([others] if others else [])])
    return [floor.id for floor in FLOORS]


@click.command()
@click.argument("sources", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--systems", multiple=True, metavar="ID", help="All of the zoo that lose something, by default."
)
@click.option("--train", "training", type=click.Path(path_type=Path), metavar="NPY", help="For the floors.")
@options.limit()
@click.option("--refine", type=click.IntRange(min=0), default=0, show_default=True, metavar="STEPS")
@options.threads()
@options.out
@click.option(
    "--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Draw some small pictures, enlarged."
)
def main(
    sources: tuple[Path, ...],
    systems: tuple[str, ...],
    training: Path | None,
    limit: int | None,
    refine: int,
    out: Path | None,
    sheet: Path | None,
) -> None:
    """Code SOURCES by systems of the zoo, KLTs, JPEG and JPEG 2000."""
    record: Scores = {"refine": refine, "sources": {}}
    with tempfile.TemporaryDirectory() as folder:
        chosen = there(systems)
        made = floors(training, Path(folder))
        for source in sources:
            if not source.exists():
                click.echo(f"skipped: {source}: there is no such file or folder", err=True)
                continue
            try:
                if source.suffix == ".npy":
                    pictures = small_pictures(source)
                    print(f"\n{source.name}, one mosaic of pictures coded by themselves\n")
                    record["sources"][source.name] = measure_small(pictures, [*made, *chosen], refine)
                    if sheet and chosen:
                        draw_sheet(pictures, chosen, refine).save(sheet, optimize=True)
                    continue
                photographs = named_pictures(source, limit)
            except RecodecError as error:
                click.echo(f"skipped: {source}: {error}", err=True)
                continue
            tables = {}
            for name, patch in (("patches", PATCH), ("whole", 0)):
                print(f"\n{source.name}, {len(photographs)} photographs, {name}\n")
                tables[name] = measure_photos(photographs, [*made, *chosen], patch, refine)
            record["sources"][source.name] = tables
    result_file.write(out, record)


if __name__ == "__main__":
    main()
