"""Every cell with every way of reconstruction, trained alike at one small size, as in the paper's table 1.

    python bench/ablation.py run --data SHARD --valid VALID.tar --runs FOLDER
    python bench/ablation.py report FOLDER --docs docs

The networks have the default model's shape at half its width, without its learned gains: at the paper's
own shape, whose recurrent layers reach up to half the picture's size, a few minutes teach next to nothing.
``run`` trains whatever FOLDER lacks and resumes what was
interrupted; several processes may share the work with --part 0/2, --part 1/2. ``report`` times each
network and writes a table and a plot.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import click
import torch

import options
from recodec.cli.environment import describe
from recodec.eval.auc import nominal_auc
from recodec.io import outputs
from recodec.networks.pixel.config import LayerConfig, LayerKind, NetworkConfig, Reconstruction
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.journal import Console, Journal
from recodec.train.losses import LossWeights
from recodec.train.processes import Processes
from recodec.train.recipe import Validation
from recodec.train.task import Setting
from recodec.train.tasks.pixel import PixelTask
from recodec.train.tasks.pixel.recipe import PixelOptimizer, PixelPhase, PixelRecipe
from recodec.train.trainer import Trainer
from recodec.weights import load_model

CELLS: tuple[LayerKind, ...] = get_args(LayerKind)[1:]
MODES: tuple[Reconstruction, ...] = get_args(Reconstruction)
VALIDATION_IMAGES = 16
WEIGHTS = "weights.safetensors"


def small(
    cell: LayerKind, reconstruction: Reconstruction, hidden_kernel: int = 1, **extra: Any
) -> NetworkConfig:
    """The network of one pair. An associative LSTM goes into the decoder alone, as in the paper."""
    in_encoder: LayerKind = "lstm" if cell == "associative-lstm" else cell
    return NetworkConfig(
        depth=32,
        iterations=16,
        reconstruction=reconstruction,
        front_end="dct8",
        shortcut=True,
        encoder=(
            LayerConfig("conv", 32, 1),
            LayerConfig(in_encoder, 64, 3, hidden_kernel, resample=2),
            LayerConfig(in_encoder, 64, 3, hidden_kernel),
        ),
        decoder=(
            LayerConfig(cell, 80, 3, hidden_kernel, resample=2),
            LayerConfig(cell, 48, 3, hidden_kernel),
        ),
        **extra,
    )


def name_of(cell: LayerKind, mode: Reconstruction) -> str:
    """Model ids have room for 32 characters."""
    return f"{cell.removesuffix('-lstm')}-{mode}"


def recipes(steps: int) -> Iterator[PixelRecipe]:
    """All twelve pairs, then what the default and later work added, one at a time, to one of them."""
    for cell in CELLS:
        for mode in MODES:
            yield recipe(name_of(cell, mode), small(cell, mode), steps)
    base, network = "lstm-additive", small("lstm", "additive")
    plain = recipe(base, network, steps)
    (phase,) = plain.phases
    for cell in ("lstm", "gru", "residual-gru"):
        with_gains = small(cell, "additive", gains=True, gain_slope=0.25)
        yield recipe(f"{cell}-additive-gains", with_gains, steps)
    yield recipe("residual-gru-additive-gains-own", replace(with_gains, own_projections=True), steps)
    yield recipe(f"{base}-no-shortcut", replace(network, shortcut=False), steps)
    yield recipe(f"{base}-hidden3", small("lstm", "additive", hidden_kernel=3), steps)
    yield recipe(f"{base}-prime3", replace(network, priming=3), steps)
    yield recipe(f"{base}-diffusion1", replace(network, priming=1, diffusion=1), steps)
    seen = small("lstm", "residual-scaling", gain_input="residual")
    yield recipe("lstm-residual-scaling-sees", seen, steps)
    losses = {
        "ssim-weighted": LossWeights(l1=0.0, ssim_weighted_l1=1.0),
        "ms-ssim": LossWeights(l1=1.0, ms_ssim=0.2),
        "ssim": LossWeights(l1=1.0, ssim=0.2),
    }
    for name, loss in losses.items():
        yield replace(plain, model=f"{base}-{name}", phases=(replace(phase, loss=loss),))
    yield replace(plain, model=f"{base}-sampled", phases=(replace(phase, noise=(1.0, 0.0)),))
    yield replace(plain, model=f"{base}-high-entropy", data=CropOptions(selection="high-entropy"))


def recipe(model: str, network: NetworkConfig, steps: int) -> PixelRecipe:
    phase = PixelPhase(
        steps=steps, crop=64, batch=8, iterations=16, unroll="random", learning_rate=3e-3, warm_up_steps=50
    )
    return PixelRecipe(
        model=model,
        network=network,
        phases=(phase,),
        optimizer=PixelOptimizer(ema=0.995),
        validation=Validation(every_minutes=1e6, images=VALIDATION_IMAGES),
    )


def train(recipe: PixelRecipe, data: Photographs, valid: Photographs, folder: Path, console: Console) -> None:
    processes = Processes(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    folder.mkdir(parents=True, exist_ok=True)
    task = PixelTask(recipe, Setting(data, valid, processes, Journal(folder / "log.jsonl", console)))
    trainer = Trainer(task, folder)
    trainer.resume()
    if not trainer.run():
        raise click.ClickException(f"stopped in {recipe.model}; run the same command again to go on")
    if not trainer.validate():
        raise click.ClickException(f"{recipe.model} cannot be judged; see {folder / 'log.jsonl'}")
    task.export(folder / WEIGHTS, trainer.averaged(), {})
    result = {
        "model": recipe.model,
        "parameters": sum(p.numel() for p in task.network.parameters()),
        "steps": trainer.progress.step,
        "minutes": trainer.progress.seconds / 60,
        "phase": asdict(recipe.phases[0]),
        "curve": task.figures(),
        "environment": describe(),
    }
    # There only when it is whole: a model with a result is not trained again.
    outputs.write(folder / "result.json", json.dumps(result, indent=1).encode())


@click.group()
def main() -> None:
    """Compare cells and ways of reconstruction at equal cost."""


@main.command()
@click.option("--data", "sources", multiple=True, required=True, type=click.Path(path_type=Path))
@click.option("--valid", multiple=True, required=True, type=click.Path(path_type=Path))
@click.option("--runs", required=True, type=click.Path(path_type=Path), help="Folder of what is trained.")
@click.option("--steps", default=2000, show_default=True)
@click.option("--part", default="0/1", show_default=True, help="Which share of the work this process does.")
@options.threads()
@click.option("--only", multiple=True, help="Train only these models.")
def run(
    sources: tuple[Path, ...],
    valid: tuple[Path, ...],
    runs: Path,
    steps: int,
    part: str,
    only: tuple[str, ...],
) -> None:
    """Train what is missing."""
    number, parts = (int(one) if one.isdecimal() else -1 for one in part.partition("/")[::2])
    if not 0 <= number < parts:
        raise click.UsageError(f"the part is {part!r}; give for example 0/4 to 3/4")
    if unknown := set(only) - {r.model for r in recipes(steps)}:
        raise click.UsageError(f"there is no model {min(unknown)!r} to train")
    data, judged = Photographs(sources), Photographs(valid)
    console = Console(sys.stdout)
    chosen = [r for r in recipes(steps) if not only or r.model in only]
    for plan in chosen[number::parts]:
        folder = runs / plan.model
        if (folder / "result.json").exists():
            continue
        console.say(plan.model)
        train(plan, data, judged, folder, console)


def milliseconds(network: RecurrentCodec, iterations: int = 4, repeats: int = 5) -> tuple[float, float]:
    """Median time of one iteration of encoder and decoder, and of the decoder, on 768 by 512 pixels."""
    target = network.front_end.analyse(torch.rand(1, 3, 512, 768) - 0.5)
    both, decoding = [], []
    for _ in range(repeats):
        encoder = decoder = None
        start, decoder_time = time.perf_counter(), 0.0
        with torch.inference_mode():
            for _ in range(iterations):
                codes, encoder = network.encode_step(target, encoder, decoder)
                before = time.perf_counter()
                decoder = network.decode_step(codes, decoder)
                decoder_time += time.perf_counter() - before
        both.append((time.perf_counter() - start) / iterations)
        decoding.append(decoder_time / iterations)
    return 1000 * statistics.median(both), 1000 * statistics.median(decoding)


def summary(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    network = load_model(folder / WEIGHTS).network
    both, decoding = milliseconds(network)
    curve = result["curve"]
    return result | {
        "ms_ssim_auc": nominal_auc(curve["ms_ssim"]),
        "psnr_auc": nominal_auc(curve["psnr"]),
        "ms_per_iteration": both,
        "decoder_ms_per_iteration": decoding,
    }


@main.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--docs", required=True, type=click.Path(path_type=Path), help="Where table and plot go.")
@options.threads()
def report(folder: Path, docs: Path) -> None:
    """Write ablation.json and, into --docs, ablation.svg and the table for ablation.md."""
    found = [folder / r.model for r in recipes(1) if (folder / r.model / "result.json").exists()]
    if not found:
        raise click.ClickException(f"{folder} holds no finished model; use 'run' first")
    rows = [summary(path) for path in found]
    (folder / "ablation.json").write_text(json.dumps(rows, indent=1))
    docs.mkdir(exist_ok=True)
    plot(rows, docs / "ablation.svg")
    click.echo(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| model | MS-SSIM AUC | PSNR AUC | MS-SSIM at .25 / .5 / 1 / 2 bpp | parameters | ms | min |",
        "|---|--:|--:|---|--:|--:|--:|",
    ]
    for row in sorted(rows, key=lambda row: -row["ms_ssim_auc"]):
        points = " / ".join(f"{row['curve']['ms_ssim'][k - 1]:.3f}".lstrip("0") for k in (2, 4, 8, 16))
        lines.append(
            f"| {row['model']} | {row['ms_ssim_auc']:.4f} | {row['psnr_auc']:.2f} | {points} "
            f"| {row['parameters']:,} | {row['ms_per_iteration']:.0f} / {row['decoder_ms_per_iteration']:.0f} "
            f"| {row['minutes']:.1f} |"
        )
    return "\n".join(lines)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "recodec"  # the same file for the same numbers
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    pairs = {name_of(cell, mode): (cell, mode) for cell in CELLS for mode in MODES}
    colours = dict(zip(CELLS, ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True))
    styles = dict(zip(MODES, ("-", "--", ":"), strict=True))
    for row in rows:
        if row["model"] not in pairs:
            continue
        cell, mode = pairs[row["model"]]
        for axis, metric in zip(axes, ("ms_ssim", "psnr"), strict=True):
            values = row["curve"][metric]
            rates = [0.125 * (k + 1) for k in range(len(values))]
            axis.plot(rates, values, styles[mode], color=colours[cell], label=row["model"])
    for axis, label in zip(axes, ("MS-SSIM", "PSNR, dB"), strict=True):
        axis.set(xlabel="nominal bits per pixel", ylabel=label)
        axis.grid(alpha=0.3)
    axes[1].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
