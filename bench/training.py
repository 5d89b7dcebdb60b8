"""Training steps per second: the default network and the paper's full size, every way to compute them.

    python bench/training.py [--out training.json] [--network default] [--batch N]

A step is forward, backward and Adam on crops that are already there. Every way starts from the same
weights, and its first losses must agree with the plain ones before its speed is printed. Rates are set
against the matrix product of the same run, in the number type of that way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
from torch.utils.flop_counter import FlopCounterMode

from recodec.cli.environment import describe
from recodec.networks.config import NetworkConfig
from recodec.networks.paper import paper_config
from recodec.networks.recurrent import RecurrentCodec
from recodec.train.acceleration import accelerate
from recodec.train.losses import LossWeights, ReconstructionLoss
from recodec.train.recipe import Compute, Recipe, find_recipe
from recodec.train.trainer import Objective


@dataclass(frozen=True)
class Workload:
    """One network and the crops of a step."""

    network: NetworkConfig
    crop: int
    batch: int
    iterations: int


def workloads(cuda: bool) -> dict[str, Workload]:
    default = Recipe.load(find_recipe("dev-1")).network
    return {
        "default": Workload(default, 128, 64 if cuda else 4, 8),
        "full": Workload(paper_config("lstm"), 32, 128 if cuda else 4, 16),
        "full-gru": Workload(paper_config("gru"), 32, 128 if cuda else 4, 16),
    }


# Tolerances are relative to the loss of the first step.
WAYS: dict[str, tuple[Compute | None, float]] = {
    "plain": (None, 1e-3),
    "trainer, float32": (Compute("float32", "off"), 1e-3),
    "trainer, float32, compiled": (Compute("float32", "on"), 1e-3),
    "trainer, bfloat16": (Compute("bfloat16", "off"), 3e-2),
    "trainer, bfloat16, compiled": (Compute("bfloat16", "on"), 3e-2),
}


class Run:
    """One network in training."""

    def __init__(self, work: Workload, compute: Compute | None, device: torch.device):
        torch.manual_seed(0)
        network = RecurrentCodec(work.network)
        self.pixels = torch.rand(work.batch, 3, work.crop, work.crop).to(device) - 0.5
        if compute is None:
            network.to(device)
        else:
            accelerate(network, compute, device)
        self.objective = Objective(network, ReconstructionLoss(LossWeights())).to(device)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=device.type == "cuda")
        self.iterations = work.iterations

    def step(self) -> torch.Tensor:
        losses: torch.Tensor = self.objective(self.pixels, 0, self.iterations, None)
        self.optimizer.zero_grad()
        losses.mean().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return losses.detach()


def two_losses(run: Run) -> torch.Tensor:
    """Losses of the first two steps: the second shows whether gradients are right."""
    return torch.stack([run.step(), run.step()])


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device, budget: float) -> float:
    """Median time of a call, after one to warm up."""
    work()
    synchronize(device)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 50):
        start = time.perf_counter()
        work()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return median(times)


def matmul_rate(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of a large matrix product."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / seconds(lambda: a @ b, device, 2.0)


def flops_of_a_step(work: Workload) -> int:
    with FlopCounterMode(display=False) as counter:
        Run(work, None, torch.device("cpu")).step()
    return int(counter.get_total_flops())


def measure(
    name: str, work: Workload, device: torch.device, budget: float, ways: set[str]
) -> list[dict[str, Any]]:
    flops = flops_of_a_step(work)
    # Only where it is asked for: a CPU without bfloat16 takes minutes.
    low_too = any("bfloat16" in way for way in ways)
    types = (torch.float32, torch.bfloat16) if low_too else (torch.float32,)
    rates = {dtype: matmul_rate(dtype, device) for dtype in types}
    expected = two_losses(Run(work, None, device))
    rows: list[dict[str, Any]] = []
    for way, (compute, tolerance) in WAYS.items():
        if way not in ways:
            continue
        run = Run(work, compute, device)
        error = float(((two_losses(run) - expected).abs() / expected).max())
        match = error <= tolerance
        if not match:
            click.echo(f"{name:9} {way:28} MISMATCH: losses differ by {error:.1e} of their size")
            rows.append({"network": name, "way": way, "match": False, "error": error})
            continue
        took = seconds(run.step, device, budget)
        low = compute is not None and compute.precision == "bfloat16"
        peak = rates[torch.bfloat16 if low else torch.float32]
        click.echo(
            f"{name:9} {way:28} ok {work.batch / took:8.2f} crops/s "
            f"{rows[0]['seconds_per_step'] / took if rows else 1:5.2f} x plain  {flops / took / 1e12:7.3f} TFLOP/s "
            f"{100 * flops / took / peak:4.0f} % of matmul"
        )
        rows.append(
            {
                "network": name,
                "way": way,
                "match": match,
                "error": error,
                "batch": work.batch,
                "crop": work.crop,
                "iterations": work.iterations,
                "seconds_per_step": took,
                "crops_per_second": work.batch / took,
                "tflops": flops / took / 1e12,
                "share_of_matmul": flops / took / peak,
            }
        )
    return rows


@click.command()
@click.option("--out", type=click.Path(path_type=Path))
@click.option(
    "--network", "networks", multiple=True, help="default, full, full-gru; all of them if not given."
)
@click.option("--way", "ways", multiple=True, help="Ways to compute; all of them if not given.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops in a step.")
@click.option("--threads", type=click.IntRange(min=1))
@click.option("--seconds", "budget", default=20.0, show_default=True, help="Time for each way.")
def main(
    out: Path | None,
    networks: tuple[str, ...],
    ways: tuple[str, ...],
    batch: int | None,
    threads: int | None,
    budget: float,
) -> None:
    """Measure training speed."""
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # As the trainer sets it, before anything is measured.
    torch.set_float32_matmul_precision("high")
    rows = []
    for name, work in workloads(device.type == "cuda").items():
        if networks and name not in networks:
            continue
        if batch:
            work = Workload(work.network, work.crop, batch, work.iterations)
        rows += measure(name, work, device, budget, set(ways or WAYS))
    if out:
        out.write_text(json.dumps({"environment": describe(), "device": str(device), "rows": rows}, indent=1))
    if not all(row["match"] for row in rows):
        raise click.ClickException("some results do not match the plain ones")


if __name__ == "__main__":
    main()
