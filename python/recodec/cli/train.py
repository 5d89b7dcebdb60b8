"""``recodec train``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from recodec.cli import jobs, options
from recodec.outputs import make_folder

_WORKERS_PER_GPU = 8


@click.command()
@click.argument("recipe", metavar="RECIPE")
@options.photographs(required=True)
@options.validation
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for checkpoint, log, pictures and weights. A checkpoint found there is resumed.",
)
@click.option("--minutes", type=options.POSITIVE, help="Stop after this long with a checkpoint.")
@click.option("--steps", type=click.IntRange(min=1), help="Stop after so many steps with a checkpoint.")
@click.option("--start-from", metavar="ID", help="Model whose weights a new run starts from.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each process.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes that decode photographs; 0 is a thread. Default: 0 on a CPU, 8 for each GPU.",
)
@options.quiet
def train(
    recipe: str,
    sources: tuple[Path, ...],
    validation: tuple[Path, ...],
    folder: Path,
    minutes: float | None,
    steps: int | None,
    start_from: str | None,
    threads: int | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Train a model from a recipe: a TOML file, or the name of one that comes with recodec.

    Writes FOLDER/<model>.safetensors when the recipe ends, time is up or SIGTERM arrives; the same command
    goes on. Several processes or GPUs: torchrun --nproc-per-node N -m recodec train ...
    """
    import torch

    from recodec.train.export import export
    from recodec.train.journal import Teller
    from recodec.train.photographs import Photographs
    from recodec.train.processes import join_processes
    from recodec.train.recipe import Recipe, find_recipe
    from recodec.train.trainer import Trainer
    from recodec.weights import load_model

    if threads:
        torch.set_num_threads(threads)
    with jobs.one_line_errors("train"), join_processes() as processes:
        make_folder(folder)
        path = find_recipe(recipe)
        plan = Recipe.load(path)
        photographs = Photographs(sources)
        teller = Teller(sys.stdout if processes.first and not quiet else None)
        teller.say(f"{plan.model}: {len(photographs)} photographs, {processes.count} x {processes.device}")
        trainer = Trainer(
            plan,
            photographs,
            folder,
            processes,
            validation=Photographs(validation) if validation else None,
            workers=_WORKERS_PER_GPU if workers is None and processes.device.type == "cuda" else workers or 0,
            teller=teller,
        )
        if trainer.resume():
            ignored = "; --start-from is for new runs" if start_from else ""
            teller.say(f"resumed at step {trainer.progress.step}{ignored}")
        elif start_from:
            trainer.start_from(load_model(start_from))
        finished = trainer.run(minutes, steps)
        if processes.first:
            weights = folder / f"{plan.model}.safetensors"
            export(trainer, weights, path, sources, validation, finished)
            # Who sends a signal waits for seconds, then kills.
            if not trainer.stopped_by_signal and trainer.validate():
                export(trainer, weights, path, sources, validation, finished)
            if trainer.unreadable:
                teller.say(
                    f"{len(trainer.unreadable)} unreadable were skipped, {min(trainer.unreadable)} first"
                )
            teller.say(f"weights: {weights}")
            teller.say("the recipe is complete" if finished else "run the same command again to go on")
