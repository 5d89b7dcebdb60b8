"""What cells with weights and products of 8 bits would gain in time. An experiment; bench/number_types.py has its cost.

    python bench/fp8.py [--seconds 10] [--json PATH]
    python bench/fp8.py --rehearse

Times the cells of rnn-1 and of the paper in bfloat16 and with weights of float8 e4m3, each with the fastest of the tiles
that ``--seconds`` suffice to try, in turns, after a comparison with float64. --rehearse does all of it but the timing,
with small cells in Triton's interpreter.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import torch
from torch import Tensor

from kernel_cases import tensors_of, widened
from kernel_runs import Runner, environment, microseconds, spread
from number_types import rounded
from recodec.ops import conv_lstm, residual_conv_gru
from recodec.ops.convolution import same_convolution
from recodec.ops.rearrange import depth_to_space

if TYPE_CHECKING:
    from recodec.kernels.layers import Layer
    from recodec.kernels.trials import Trial
    from recodec.kernels.tuning import Tiles

    Run = Callable[[Tiles], Sequence[Tensor]]

ROUNDS = 25

# ‖a − b‖/‖b‖ that bfloat16 outputs, and sums of fewer bits than float32 has, may come to.
LIMIT = 0.01


class Ways(NamedTuple):
    """A cell's step by both kernels, which take tiles, and what they should compute.

    ``cost`` is how far rounding weights and feature maps to 8 bits takes the result.
    """

    operator: str
    sizes: dict[str, int]
    runs: dict[str, Any]
    exact: dict[str, Sequence[Tensor]]
    cost: float


def cell(layer: Layer, kind: str, dtype: torch.dtype, device: torch.device) -> Ways:
    """A layer's step from a state, as an LSTM or as a residual GRU."""
    from recodec.kernels.trials import gru_trial, lstm_trial

    if kind == "lstm":
        trial = lstm_trial(layer, True, dtype, device, 1)
    else:
        trial = gru_trial(layer, True, True, dtype, device, 1, "residual_conv_gru_candidate")
    cost = distance(definition_of_8_bits(kind, trial), definition(trial))
    # What 8 bits can say, so that all that is compared is arithmetic; Triton's interpreter does not round to them.
    for feature_map in trial.arguments[:2]:
        feature_map.copy_(rounded(feature_map))
    if kind == "gru":
        # Open reset gates: r·h is h.
        trial.arguments[3][layer.channels : 2 * layer.channels] = 200
    run = (lstm_of_8_bits if kind == "lstm" else gru_of_8_bits)(layer, trial)
    exact: dict[str, Sequence[Tensor]] = {
        "bfloat16": definition(trial),
        "float8": definition_of_8_bits(kind, trial),
    }
    return Ways(trial.operator, trial.shape, {"bfloat16": trial.run, "float8": run}, exact, cost)


def grown(layer: Layer, x: Tensor) -> Tensor:
    """A buffer for what the next layer gets."""
    size = layer.factor * layer.height, layer.factor * layer.width
    buffer = x.new_empty(1, layer.channels // layer.factor**2, *size)
    return buffer.to(memory_format=torch.channels_last)


def lstm_of_8_bits(layer: Layer, trial: Trial) -> Run:
    from recodec.kernels.conv_lstm import launch_conv_lstm_step
    from recodec.kernels.fp8 import quantise, tiles_of

    x, h, c, weight, bias, hidden = trial.arguments[:6]
    (weight, hidden), scale = quantise(weight, hidden)
    h_out, c_out = torch.empty_like(h), torch.empty_like(c)
    y = grown(layer, x) if layer.factor > 1 else None

    def run(tiles: Tiles) -> list[Tensor]:
        launch_conv_lstm_step(
            x, h, c, weight, bias, hidden, h_out, c_out, y, layer.stride, layer.factor, tiles_of(tiles), scale
        )
        return [h_out, c_out] if y is None else [h_out, c_out, y]

    return run


def gru_of_8_bits(layer: Layer, trial: Trial) -> Run:
    from recodec.kernels.conv_gru import launch_conv_gru_step
    from recodec.kernels.fp8 import quantise_gru, tiles_of
    from recodec.kernels.tuning import guess

    x, h, weight, bias, hidden, candidate, *paths = trial.arguments[:8]
    (weight, hidden, candidate), scale = quantise_gru(weight, hidden, candidate)
    h_out, y = torch.empty_like(h), grown(layer, x)
    # As in the trial, the first of the two kernels has tiles that stay.
    first = tiles_of(guess("conv_gru_gates", trial.shape, "bfloat16"))

    def run(tiles: Tiles) -> list[Tensor]:
        launch_conv_gru_step(
            x, h, weight, bias, hidden, candidate, (paths[0], paths[1]), h_out, y, layer.stride, layer.factor,
            residual_conv_gru.RESIDUAL_SHARE, (first, tiles_of(tiles)), scale,
        )  # fmt: skip
        return [h_out, y]

    return run


def definition(trial: Trial) -> list[Tensor]:
    """The step in float64."""
    return list(tensors_of(trial.reference(*widened(trial.arguments))))


def definition_of_8_bits(kind: str, trial: Trial) -> list[Tensor]:
    """The step in float64 with rounded factors."""
    from recodec.kernels.fp8 import quantise, quantise_gru

    *tensors, stride, factor = widened(trial.arguments)

    def convolution(weight: Tensor, scale: Tensor, bias: Tensor | None = None, stride: int = 1) -> Any:
        weight = weight.double() * scale.double()[:, None, None, None]
        return lambda x: same_convolution(rounded(x), weight, bias, stride)

    grow = partial(depth_to_space, factor=factor)
    if kind == "lstm":
        x, h, c, weight, bias, hidden = tensors
        (weight, hidden), scale = quantise(weight, hidden)
        gates = convolution(weight, scale, bias, stride)(x) + convolution(hidden, scale)(h)
        h, c = conv_lstm.lstm_gates(gates, c)
        return [h, c, grow(h)] if factor > 1 else [h, c]
    x, h, weight, bias, hidden, candidate, *paths = tensors
    (weight, hidden, candidate), scale = quantise_gru(weight, hidden, candidate)
    y, h = residual_conv_gru.residual_gru_update(
        x,
        h,
        convolution(weight, scale, bias, stride),
        convolution(hidden, scale[: len(hidden)]),
        convolution(candidate, scale[len(hidden) :]),
        partial(same_convolution, weight=paths[0], stride=stride),
        partial(same_convolution, weight=paths[1]),
    )
    return [h, grow(y)] if factor > 1 else [h, y]


def distance(results: Sequence[Tensor], exact: Sequence[Tensor]) -> float:
    """The largest ‖a − b‖/‖b‖."""
    pairs = zip(results, exact, strict=True)
    return max(float((a.double() - b).norm() / b.norm()) for a, b in pairs)


def best_tiles(ways: Ways, way: str, seconds: float) -> Any:
    """The fastest of the tiles that there is time to try, of those that are right."""
    from recodec.kernels.tune import candidates, shared_memory
    from triton.runtime.errors import OutOfResources
    from triton.testing import do_bench

    device = torch.device("cuda", torch.cuda.current_device())
    choice = candidates(ways.operator, ways.sizes, "bfloat16", shared_memory(device))
    end, best = time.monotonic() + seconds, (float("inf"), choice[0])
    for number, tiles in enumerate(choice):
        if number and time.monotonic() > end:
            break
        try:
            if not distance(ways.runs[way](tiles), ways.exact[way]) <= LIMIT:
                continue
            took = do_bench(lambda chosen=tiles: ways.runs[way](chosen), rep=30, return_mode="median")
        except OutOfResources:
            continue
        except Exception as error:  # noqa: BLE001 - compilers raise anything
            print(f"{way} {tiles} fails: {error}", flush=True)
            continue
        if took < best[0]:
            best = took, tiles
    return best[1]


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="To look for tiles, for each cell and type.")
@click.option("--rehearse", is_flag=True, help="Small cells, interpreted, without times.")
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path))
def main(seconds: float, rehearse: bool, out: Path | None) -> None:
    """Errors and times of single cells."""
    if rehearse and os.environ.get("TRITON_INTERPRET") != "1":
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "TRITON_INTERPRET": "1"})
    from recodec.kernels.fp8 import LEAST_CAPABILITY
    from recodec.kernels.layers import FOLDED, PAPER, SHIPPED
    from recodec.kernels.tuning import Tiles

    device = torch.device("cpu" if rehearse else "cuda")
    if not rehearse and not torch.cuda.is_available():
        raise click.ClickException("no CUDA device is there to measure; --rehearse goes through all on a CPU")
    if not rehearse and torch.cuda.get_device_capability() < divmod(LEAST_CAPABILITY, 10):
        raise click.ClickException(f"this GPU is below capability {LEAST_CAPABILITY / 10}")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    rows: dict[str, Any] = {}
    wrong = 0
    for layer, kind in [*((one, "gru") for one in SHIPPED), *((one, "lstm") for one in (*PAPER, FOLDED))]:
        if rehearse:
            layer = layer._replace(inputs=8, channels=16, height=3, width=4)
        ways = cell(layer, kind, torch.float16 if rehearse else torch.bfloat16, device)
        tiles = {way: Tiles(16, 16, 32) if rehearse else best_tiles(ways, way, seconds) for way in ways.runs}
        errors = {way: distance(run(tiles[way]), ways.exact[way]) for way, run in ways.runs.items()}
        right = all(error <= LIMIT for error in errors.values())
        wrong += not right
        row: dict[str, Any] = {
            "errors": errors,
            "cost": ways.cost,
            "tiles": {k: str(v) for k, v in tiles.items()},
        }
        line = f"{layer.name:24} errors " + ", ".join(f"{way} {error:.1e}" for way, error in errors.items())
        if not rehearse and right:
            runners = {
                way: Runner(lambda run=run, chosen=tiles[way]: run(chosen), [()], graph=True)
                for way, run in ways.runs.items()
            }
            times = {way: spread(values) for way, values in microseconds(runners, 1, ROUNDS).items()}
            row["us"] = {way: {"median": median, "iqr": iqr} for way, (median, iqr) in times.items()}
            row["float8_times_as_fast"] = times["bfloat16"][0] / times["float8"][0]
            line += "; " + ", ".join(f"{way} {median:.1f} us" for way, (median, _) in times.items())
            line += f", {row['float8_times_as_fast']:.2f} times as fast"
        print(f"{line}; rounding to 8 bits changes the result by {ways.cost:.1e}", flush=True)
        rows[layer.name] = row
    if out:
        record = {"environment": environment(device), "rehearsal": rehearse, "rows": rows}
        out.write_text(json.dumps(record, indent=1) + "\n")
    if wrong:
        raise click.ClickException(f"{wrong} cells are wrong")


if __name__ == "__main__":
    main()
