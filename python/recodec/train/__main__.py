"""``python -m recodec.train RECIPE --data SHARD_OR_FOLDER --out FOLDER``."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from recodec.errors import RecodecError
from recodec.train.data import Photographs
from recodec.train.loop import Trainer
from recodec.train.recipe import Recipe
from recodec.weights import save_model


@click.command()
@click.argument("recipe_path", metavar="RECIPE", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "sources",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Tar shard or folder of photographs; may be repeated.",
)
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for checkpoint, log and weights. Training resumes from a checkpoint found there.",
)
@click.option("--minutes", type=float, help="Stop after this long with a checkpoint.")
@click.option("--threads", type=int, help="CPU threads to use.")
def main(
    recipe_path: Path, sources: tuple[Path, ...], folder: Path, minutes: float | None, threads: int | None
) -> None:
    """Train a model; writes FOLDER/<model>.safetensors when the recipe ends or time is up."""
    if threads:
        torch.set_num_threads(threads)
    try:
        recipe = Recipe.load(recipe_path)
        photographs = Photographs(sources)
        click.echo(f"{len(photographs.images)} photographs, {len(photographs.unreadable)} unreadable")
        trainer = Trainer(recipe, photographs, folder)
        if trainer.resume():
            click.echo(f"resumed at step {trainer.step}")
        finished = trainer.run(minutes, click.echo)
    except RecodecError as error:
        raise click.ClickException(str(error)) from error
    weights = folder / f"{recipe.model}.safetensors"
    notes = {
        "recipe": recipe_path.read_text(),
        "photographs": len(photographs.images),
        "steps": trainer.step,
        "finished": finished,
    }
    save_model(weights, trainer.averaged_network(), notes)
    click.echo(f"weights: {weights}")
    click.echo(
        "the recipe is complete" if finished else f"stopped at step {trainer.step}; run again to go on"
    )


if __name__ == "__main__":
    main()
