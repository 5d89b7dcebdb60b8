"""``recodec train-entropy``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from recodec.cli import jobs, options
from recodec.outputs import OutputError, make_folder

_IMAGES = 1000
_MINUTES = 45.0


@click.command("train-entropy")
@click.argument("model", metavar="MODEL")
@options.photographs(required=False)
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
    "--width", type=click.IntRange(min=1), default=64, show_default=True, help="Features of a layer."
)
@click.option(
    "--embedding-width",
    type=click.IntRange(min=1),
    help="Numbers that stand for the codes of a position.  [default: as --width]",
)
@click.option(
    "--tables-from",
    "other",
    metavar="ID",
    help="Take the entropy network of a model with the same codes instead of training one.",
)
@options.device
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
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
    width: int,
    embedding_width: int | None,
    other: str | None,
    device: str,
    threads: int | None,
    quiet: bool,
) -> None:
    """Train an entropy network for the codes of MODEL, which itself stays as it is.

    Writes FOLDER/NEW-ID.safetensors, the model with its network, and FOLDER/report.json with bits per pixel on the --valid
    photographs. SIGTERM and Ctrl-C stop with a checkpoint; the same command goes on.
    """
    if other is not None and (sources or validation):
        raise click.UsageError("--tables-from trains nothing; leave --data and --valid out")
    if other is not None and network != "context":
        raise click.UsageError("--tables-from takes a context network; leave --network out")
    if other is None and not (sources and validation):
        raise click.UsageError("give --data and --valid, or --tables-from")

    import torch

    from recodec.codec import Codec
    from recodec.errors import DeviceError
    from recodec.train import entropy_report
    from recodec.train.entropy import EntropyRecipe, EntropyTrainer, Kind
    from recodec.train.journal import Journal, Teller
    from recodec.train.photographs import Photographs
    from recodec.weights import DEFAULT_MODEL, find_model, load_model

    if threads:
        torch.set_num_threads(threads)
    with jobs.one_line_errors("train-entropy"):
        found = load_model(DEFAULT_MODEL if model == "default" else model)
        name = name or f"{found.id}-entropy"
        entropy_report.check_name(name)
        weights = folder / f"{name}.safetensors"
        if weights.exists() and weights.samefile(find_model(found.id)):
            raise OutputError(f"{weights} is the model itself; give another --name or --out")
        teller = Teller(None if quiet else sys.stdout)
        if other is not None:
            source = load_model(other)
            tables = entropy_report.tables_from(found, source)
            make_folder(folder)
            notes = {**source.notes.get("entropy", {}), "taken_from": f"{source.id} {source.hash.hex()}"}
            entropy_report.write_model(weights, found, tables, notes)
            teller.say(f"weights: {weights}")
            return
        kind: Kind = network  # type: ignore[assignment]
        recipe = EntropyRecipe(kind, minutes, steps or 0, images, seed, width, embedding_width or 0)
        try:
            place = Codec(found, device).device
        except DeviceError as error:
            raise click.UsageError(str(error)) from error
        photographs, judges = Photographs(sources), Photographs(validation)
        make_folder(folder)
        trainer = EntropyTrainer(
            found, recipe, photographs, folder, Journal(folder / "log.jsonl", teller), place
        )
        teller.say(f"{found.id}: {len(photographs)} photographs on {place}")
        if trainer.resume():
            teller.say(f"resumed at step {trainer.step}")
        if not trainer.run():
            teller.say("run the same command again to go on")
            return
        averaged = trainer.averaged_network()
        report = entropy_report.measure(found, averaged, judges, place)
        for line in report.lines():
            teller.say(line)
        trainer.journal.record("report", step=trainer.step, **report.to_dict())
        notes = entropy_report.training_notes(trainer, sources, validation, report)
        entropy_report.write_report(folder, notes)
        if network == "context":
            entropy_report.write_model(weights, found, averaged.tables(), notes)  # type: ignore[operator]
            teller.say(f"weights: {weights}")
