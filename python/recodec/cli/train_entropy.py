"""``recodec train-entropy``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from recodec.cli import completion, jobs, options
from recodec.errors import OutputError

_IMAGES = 1000
_MINUTES = 45.0


@click.command("train-entropy")
@click.argument("model", metavar="MODEL", shell_complete=completion.models)
@options.photographs
@options.validation
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for checkpoint, log, report and weights. A checkpoint found there is resumed.",
)
@click.option(
    "--network",
    default="context",
    show_default=True,
    type=click.Choice(["context", "binary-rnn", "progressive"]),
    help="The network; the last two are those of the paper, which give a report and no model.",
)
@click.option("--name", metavar="NEW-ID", help="Id of the model written.  [default: MODEL-entropy]")
@click.option(
    "--minutes",
    type=options.POSITIVE,
    default=_MINUTES,
    show_default=True,
    help="How long to train, after collecting codes.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Train so many steps instead.")
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=_IMAGES,
    show_default=True,
    help="Photographs that give codes.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--width",
    type=click.IntRange(min=1),
    help="Features of a layer.  [default: those of --start-from, or 64]",
)
@click.option(
    "--embedding-width",
    type=click.IntRange(min=1),
    help="Numbers that stand for the codes of a position.  [default: those of --start-from, or as --width]",
)
@click.option(
    "--start-from",
    metavar="MODEL",
    shell_complete=completion.models,
    help="Begin with the entropy network of this model, by id or weights file; for embedded planes.",
)
@click.option("--threads", type=click.IntRange(1, options.MOST_PROCESSES), help="CPU threads.")
@options.training_device
@options.tensorboard
@options.quiet
def train_entropy(
    model: str,
    sources: tuple[Path, ...],
    validation: tuple[Path, ...],
    folder: Path,
    network: str,
    name: str | None,
    minutes: float,
    steps: int | None,
    images: int,
    seed: int,
    width: int | None,
    embedding_width: int | None,
    start_from: str | None,
    threads: int | None,
    device: str,
    tensorboard: bool,
    quiet: bool,
) -> None:
    """Train an entropy network for the codes of MODEL, an id or a weights file, which itself stays as it is.

    Writes FOLDER/NEW-ID.safetensors, the model with its network, and FOLDER/report.json with bits per pixel on the
    --valid photographs. SIGTERM and Ctrl-C stop with a checkpoint; the same command goes on.
    """
    import torch

    from recodec.model_search import DEFAULT_MODEL, weights_file
    from recodec.train.recipe import recipe_from_dict
    from recodec.train.run import train
    from recodec.train.tasks.entropy.embedded import entropy_widths
    from recodec.train.tasks.entropy.report import check_name
    from recodec.weights import load_model

    if threads:
        torch.set_num_threads(threads)
    with jobs.one_line_errors("train-entropy"):
        model = DEFAULT_MODEL if model == "default" else model
        source = weights_file(model)
        name = name or f"{source.stem}-entropy"
        check_name(name)
        weights = folder / f"{name}.safetensors"
        if weights.exists() and weights.samefile(source):
            raise OutputError(f"{weights} is the model itself; give another --name or --out")
        widths = entropy_widths(load_model(start_from)) if start_from else {}
        given = {"width": width, "embedding_width": embedding_width}
        widths |= {option: value for option, value in given.items() if value is not None}
        length = {"steps": steps} if steps else {"minutes": minutes}
        recipe = recipe_from_dict(
            {
                "model": name,
                "task": "entropy",
                "codes_of": model,
                "kind": network,
                "images": images,
                "seed": seed,
                **widths,
                "phases": [length],
            }
        )
        train(
            recipe,
            sources,
            folder,
            validation=validation,
            start_from=start_from,
            device=device,
            tensorboard=tensorboard,
            stream=None if quiet else sys.stdout,
            command=f"recodec train-entropy {source.stem}",
        )
