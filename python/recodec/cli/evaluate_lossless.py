"""``recodec eval --lossless``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from recodec.cli import jobs, measuring, output
from recodec.errors import ImageError
from recodec.io import folders


def evaluate_lossless(
    pictures: Sequence[Path],
    other_files: Sequence[folders.LeftOut],
    folder: Path,
    processes: int,
    *,
    convert: bool,
    quiet: bool,
) -> None:
    """Compare codecs that lose nothing; leaves with an exit code where one did, or a picture cannot be read."""
    from PIL import Image

    from recodec.cli.environment import describe
    from recodec.eval import run, tables
    from recodec.eval.exact_codecs import EXACT
    from recodec.eval.exact_summary import summarise, table_of

    # The limit is recodec's own.
    Image.MAX_IMAGE_PIXELS = None
    names = tuple(codec.name for codec in EXACT)
    missing = run.unavailable(run.Plan(names, (), (), exact=True))
    for name, why in missing.items():
        print(f"recodec: without {name}: {why}", file=sys.stderr)
    names = tuple(name for name in names if name not in missing)
    plan = run.Plan(names, (), (), threads=1, convert=convert, exact=True)
    folder.mkdir(parents=True, exist_ok=True)
    measured = measuring.measure(plan, pictures, folder / "cache", processes, 0, quiet)
    if all(result.error for result in measured):
        raise ImageError(f"none of {len(measured)} can be read as a picture; name others")
    results: dict[str, Any] = {
        "machine": describe(),
        "processes": processes,
        "codecs": {codec.name: f"{codec.description}; {codec.version}" for codec in plan.build()},
        "unavailable": missing,
        "other_files": dict(other_files),
        **summarise(measured, names),
    }
    written = {
        "lossless.json": json.dumps(results, indent=1, allow_nan=False) + "\n",
        "lossless.csv": tables.points_csv(measured, ()),
    }
    for name, text in written.items():
        # Not every name of a file is text.
        output.write(str(folder / name), text.encode(errors="backslashreplace"))
    if not quiet:
        console = output.console()
        console.print(table_of(results))
        for file, why in results["left_out"].items():
            console.print(f"not in the means: {file}: {why}")
        console.print(f"Wrote lossless.json and lossless.csv in {folder}")
    if results["left_out"]:
        click.get_current_context().exit(jobs.FAILED)
