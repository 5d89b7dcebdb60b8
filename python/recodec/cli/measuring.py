"""Pictures through codecs for a command, with a bar, and a line for each that is done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recodec.cli import jobs, output

if TYPE_CHECKING:
    from recodec.eval.run import Measured, Plan


def measure(
    plan: Plan, pictures: Sequence[Path], cache: Path, processes: int, viewer: int, quiet: bool
) -> list[Measured]:
    """Everything about every picture, in their order, whatever order they are done in."""
    from functools import partial

    from rich.progress import Progress

    from recodec.eval.run import Task, measure_pictures

    tasks = [Task(path, index < viewer) for index, path in enumerate(pictures)]
    console = output.console(stderr=True)
    found: dict[str, Measured] = {}
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        bar = progress.add_task("measuring", total=len(tasks))
        for result in measure_pictures(plan, tasks, cache, processes, partial(progress.advance, bar)):
            found[result.file] = result
            # Points from before were not told.
            progress.update(bar, completed=len(found))
            _tell(result, quiet)
    return [found[str(path)] for path in pictures]


def _tell(result: Measured, quiet: bool) -> None:
    if result.error:
        jobs.warn(result.file, result.error)
    for codec, why in (result.failed or {}).items():
        jobs.warn(result.file, f"{codec}: {why}")
    if not quiet and not result.error:
        count = sum(map(len, (result.points or {}).values()))
        note = output.counted(count, "point") + (f", {result.reused} from before" if result.reused else "")
        print(f"{output.displayed(result.file)}: {note}", file=sys.stderr)
