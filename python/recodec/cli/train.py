"""``recodec train``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from recodec.cli import completion, jobs, options


@click.command()
@click.argument("recipe", metavar="RECIPE", shell_complete=completion.file_names)
@options.photographs
@options.validation
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for checkpoint, log, pictures and weights. A checkpoint found there is resumed.",
)
@click.option("--minutes", type=options.POSITIVE, help="Stop after this long, this time, with a checkpoint.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Stop with a checkpoint at this step, counted from the start of the run, however often it was resumed.",
)
@click.option("--name", metavar="ID", help="Id of the model written.  [default: as the recipe has it]")
@click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Another value for a key of the recipe, as optimizer.clip=2 or phases.1.batch=4; may be repeated.",
)
@click.option(
    "--start-from",
    metavar="MODEL",
    shell_complete=completion.models,
    help="Model, an id or a .safetensors file, that a new run starts from.",
)
@click.option(
    "--threads", type=click.IntRange(1, options.MOST_PROCESSES), help="CPU threads of each process."
)
@click.option(
    "--workers",
    type=click.IntRange(0, options.MOST_PROCESSES),
    help="Processes that decode photographs; 0 is a thread. Default: 0 on a CPU, 8 for each GPU.",
)
@options.training_device
@options.tensorboard
@options.quiet
def train(
    recipe: str,
    sources: tuple[Path, ...],
    validation: tuple[Path, ...],
    folder: Path,
    minutes: float | None,
    steps: int | None,
    name: str | None,
    overrides: tuple[str, ...],
    start_from: str | None,
    threads: int | None,
    workers: int | None,
    device: str,
    tensorboard: bool,
    quiet: bool,
) -> None:
    """Train a model from a recipe: a TOML file, or the name of one that comes with recodec.

    Writes FOLDER/<model>.safetensors when the recipe ends, time is up or SIGTERM arrives; the same command
    goes on. Several processes or GPUs: torchrun --nproc-per-node N -m recodec train ...
    """
    import torch

    from recodec.train.run import train as run

    if threads:
        torch.set_num_threads(threads)
    with jobs.one_line_errors("train"):
        run(
            recipe,
            sources,
            folder,
            validation=validation,
            name=name,
            overrides=overrides,
            start_from=start_from,
            minutes=minutes,
            steps=steps,
            workers=workers,
            device=device,
            tensorboard=tensorboard,
            stream=None if quiet else sys.stdout,
        )
