"""Training speed: steps of every kind in every way to compute them, what a step spends, two processes against one.

    python bench/training.py ways [--network dev-1] [--out training.json]
    python bench/training.py stages [--out stages.json]
    python bench/training.py processes [--out processes.json]

``ways``: every way starts from the same weights, and its first losses must agree with the plain ones before its
speed is printed. Rates are set against the matrix product of the same run, in the number type of that way.
``stages``: where the time of a step goes, data included. ``processes``: whole runs of the command.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

import options
import result_file
from recodec.networks.pixel.config import LayerKind
from recodec.networks.pixel.paper import paper_config
from recodec.ops.backend import use_backend
from recodec.train.data.photographs import Photographs
from recodec.train.journal import Console, Journal
from recodec.train.optimizer import make_optimizer
from recodec.train.processes import Processes
from recodec.train.recipe import Compute, Recipe, find_recipe, load_recipe
from recodec.train.task import LOSS, Moment, Setting, Task
from recodec.train.tasks import make_task
from recodec.train.tasks.pixel import PixelRecipe

_SIDE, _PHOTOGRAPHS = 512, 6


@dataclass(frozen=True)
class Way:
    """How steps are computed; tolerances are relative to the loss of the first step."""

    compute: Compute
    backend: str
    tolerance: float

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.compute.precision == "bfloat16" else torch.float32


WAYS = {
    "plain": Way(Compute("float32", "off"), "reference", 1e-3),
    "float32": Way(Compute("float32", "off"), "auto", 1e-3),
    "float32, compiled": Way(Compute("float32", "on"), "auto", 1e-3),
    "bfloat16": Way(Compute("bfloat16", "off"), "auto", 3e-2),
    "bfloat16, compiled": Way(Compute("bfloat16", "on"), "auto", 3e-2),
}


def recipes(cuda: bool) -> dict[str, Recipe]:
    """The recipes that are measured, with the phase that is."""
    default = load_recipe(find_recipe("dev-1"))
    assert isinstance(default, PixelRecipe)
    phase = replace(default.phases[0], crop=128, batch=64 if cuda else 4, iterations=8)
    full = replace(phase, crop=32, batch=128 if cuda else 4, iterations=16)
    found: dict[str, Recipe] = {"dev-1": replace(default, phases=(phase,))}
    cells: tuple[LayerKind, ...] = ("lstm", "gru")
    for cell in cells:
        found[f"full-{cell}"] = replace(default, network=paper_config(cell), phases=(full,))
    return {**found, "dev-latent": load_recipe(find_recipe("dev-latent"))}


def photographs(folder: Path) -> Path:
    """Something to take crops from: noise that is smoother here and rougher there."""
    rng = np.random.default_rng(1)
    for number in range(_PHOTOGRAPHS):
        small = Image.fromarray(rng.integers(0, 256, (_SIDE // 8, _SIDE // 8, 3), dtype=np.uint8))
        pixels = np.asarray(small.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.int16)
        pixels = pixels + rng.integers(-20, 21, pixels.shape)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


class Run:
    """One task in training."""

    def __init__(self, recipe: Recipe, way: Way, folder: Path, device: torch.device):
        self.way, self.phase = way, recipe.phases[0]
        journal = Journal(folder / "log.jsonl", Console(None))
        setting = Setting(Photographs([folder]), None, Processes(0, 1, device), journal)
        self.task: Task[Any] = make_task(replace(recipe, compute=way.compute), setting)
        self.task.place()
        groups = [group.parameters for group in self.task.parameter_groups()]
        self.optimizer = make_optimizer(recipe.optimizer, groups, device)
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-4
        self.batches = self.task.batches(self.phase, 0, 0)
        self.data = next(self.batches).data
        self.average = [p.detach().clone() for p in self.task.parameters()]

    def step(self) -> float:
        with use_backend(self.way.backend):  # type: ignore[arg-type]
            loss = self.task(self.data, Moment(0, 0, 0.5))[LOSS]
            self.optimizer.zero_grad()
            loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def stages(self) -> dict[str, float]:
        """Seconds of each part of a step."""
        clock, taken = time.perf_counter(), {}

        def lap(name: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            taken[name], clock = now - clock, now

        self.data = next(self.batches).data
        lap("wait for crops")
        loss = self.task(self.data, Moment(0, 0, 0.5))[LOSS]
        lap("forward")
        self.optimizer.zero_grad()
        loss.backward()
        lap("backward")
        torch.nn.utils.clip_grad_norm_(self.task.parameters(), 1.0)
        lap("clip")
        self.optimizer.step()
        lap("optimiser")
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.task.parameters()), 1e-3)
        lap("average, once in ema_every steps")
        return taken


def seconds(work: Callable[[], object], device: torch.device, budget: float) -> float:
    """Median time of a call, after one to warm up."""

    def timed() -> float:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    timed()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 50):
        times.append(timed())
    return median(times)


def matmul_rate(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of a large matrix product."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / seconds(lambda: a @ b, device, 2.0)


def measure(
    name: str, recipe: Recipe, names: list[str], folder: Path, device: torch.device, budget: float
) -> list[dict[str, Any]]:
    with FlopCounterMode(display=False) as counter:
        plain = Run(recipe, WAYS["plain"], folder, device)
        # The second loss shows whether gradients are right.
        expected = [plain.step(), plain.step()]
    flops = counter.get_total_flops() / 2
    rates = {dtype: matmul_rate(dtype, device) for dtype in {WAYS[way].dtype for way in names}}
    rows: list[dict[str, Any]] = []
    for way in names:
        run = Run(recipe, WAYS[way], folder, device)
        losses = [run.step(), run.step()]
        error = max(abs(a - b) / abs(b) for a, b in zip(losses, expected, strict=True))
        match = error <= WAYS[way].tolerance
        row: dict[str, Any] = {"recipe": name, "way": way, "match": match, "error": error}
        rows.append(row)
        if not match:
            click.echo(f"{name:10} {way:20} MISMATCH: losses differ by {error:.1e} of their size")
            continue
        took = seconds(run.step, device, budget)
        gain = rows[0].get("seconds_per_step", took) / took
        row |= {
            "batch": run.phase.batch,
            "seconds_per_step": took,
            "samples_per_second": run.phase.batch / took,
            "gain": gain,
            "tflops": flops / took / 1e12,
            "share_of_matmul": flops / took / rates[WAYS[way].dtype],
        }
        click.echo(
            f"{name:10} {way:20} ok {run.phase.batch / took:8.2f} crops/s {gain:5.2f} x {rows[0]['way']}  "
            f"{flops / took / 1e12:7.3f} TFLOP/s {100 * row['share_of_matmul']:4.0f} % of matmul"
        )
        run.batches.close()
    return rows


def write(out: Path | None, device: torch.device, rows: list[dict[str, Any]]) -> None:
    result_file.write(out, {"device": str(device), "rows": rows})


@click.group()
@options.threads(None)
def main() -> None:
    """Measure training speed."""
    # As the trainer sets it, before anything is measured.
    torch.set_float32_matmul_precision("high")


def here() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@main.command()
@options.out
@click.option(
    "--network", "networks", multiple=True, help="dev-1, full-lstm, full-gru, dev-latent; default: all."
)
@click.option("--way", "ways", multiple=True, type=click.Choice(list(WAYS)), help="Default: all.")
@click.option("--seconds", "budget", default=20.0, show_default=True, help="Time for each way.")
def ways(out: Path | None, networks: tuple[str, ...], ways: tuple[str, ...], budget: float) -> None:
    """Steps in every way, beside the plain one."""
    device, rows = here(), []
    with tempfile.TemporaryDirectory() as folder:
        photographs(Path(folder))
        for name, recipe in recipes(device.type == "cuda").items():
            if not networks or name in networks:
                rows += measure(name, recipe, list(ways or WAYS), Path(folder), device, budget)
    write(out, device, rows)
    if not all(row["match"] for row in rows):
        raise click.ClickException("some results do not match the plain ones")


@main.command()
@options.out
@click.option("--steps", default=15, show_default=True)
def stages(out: Path | None, steps: int) -> None:
    """Where a step of the latent codec's transform spends its time."""
    device = here()
    with tempfile.TemporaryDirectory() as folder:
        photographs(Path(folder))
        run = Run(recipes(device.type == "cuda")["dev-latent"], WAYS["float32"], Path(folder), device)
        run.stages()
        laps = [run.stages() for _ in range(steps)]
        run.batches.close()
    rows = [{"stage": name, "seconds": median(lap[name] for lap in laps)} for name in laps[0]]
    for row in rows:
        click.echo(f"{row['stage']:34} {1e3 * float(row['seconds']):7.1f} ms")  # type: ignore[arg-type]
    write(out, device, rows)


@main.command()
@options.out
@click.option("--steps", default=40, show_default=True, help="Of each run.")
@click.option("--recipe", default="dev-latent", show_default=True)
def processes(out: Path | None, steps: int, recipe: str) -> None:
    """One process and two, of one thread each, at the same global batch."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "photographs"
        data.mkdir()
        photographs(data)
        for count in (1, 2):
            run = Path(folder) / f"run-{count}"
            command = [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"),
                *("-m", "recodec", "train", recipe, "--data", str(data), "--out", str(run)),
                *("--steps", str(steps), "--threads", "1", "--quiet"),
            ]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
            # The first stretch has the warm-up of the library in it.
            speed = [line["samples_per_second"] for line in log if line["event"] == "train"][-1]
            rows.append({"processes": count, "crops_per_second": speed})
            click.echo(
                f"{count} processes  {speed:.2f} crops/s  {speed / rows[0]['crops_per_second']:.2f} x one"
            )
    write(out, torch.device("cpu"), rows)


if __name__ == "__main__":
    main()
