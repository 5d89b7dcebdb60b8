"""Trials of all kernels: what they launch is what the operators define, at the shapes that the networks have."""

from __future__ import annotations

import operator
import time

import pytest
import torch

from recodec.kernels import binarizer, conv_gru, conv_lstm, feedback, layers, projection, reconstruct
from recodec.kernels.compile import find_compile_cases
from recodec.kernels.layers import LINEAR, Layer, Linear
from recodec.kernels.tuner import trials, tune
from recodec.kernels.tuner.linear_trials import linear_trial
from recodec.kernels.tuner.precompile import Wanted, precompile
from recodec.kernels.tuner.trials import plans
from recodec.kernels.tuner.tune import checker
from recodec.kernels.tuning import Tiles
from recodec.ops.backend import use_backend

# Kernels are launched on it; nothing else here needs one.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CPU = torch.device("cpu")

SMALL = {
    "rnn-1-shortcut": (5, 20),
    "rnn-1-embedding": (5, 20),
    "rnn-1-feedback": (13, 20),
    "rnn-1-output": (5, 192),
    "rnn-1-binarizer": (33, 20),
    "paper-output": (5, 3),
    "paper-binarizer": (20, 12),
}


@pytest.mark.parametrize("layer", LINEAR, ids=lambda layer: layer.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_trials_hold_kernels_to_the_reference(layer: Linear, dtype: torch.dtype) -> None:
    inputs, channels = SMALL[layer.name]
    small = layer._replace(inputs=inputs, channels=channels, height=3, width=7)
    assert small.masking == layer.masking
    trial = linear_trial(small, dtype, DEVICE, 2)
    fits = checker(trial)
    results = trial.run(Tiles(16, 16, 16))
    assert fits(results)
    for result in results:
        result.add_(1)
        assert not fits(results)
        result.sub_(1)


def test_what_is_used_most_comes_first_and_nothing_comes_twice() -> None:
    found = plans(torch.float16, CPU)
    worths = [plan.worth for plan in found]
    assert worths == sorted(worths, reverse=True)
    keys = [(plan.operator, *sorted(plan.shape.items())) for plan in found]
    assert len(keys) == len(set(keys))
    first = {plan.operator for plan in found if plan.worth == worths[0]}
    assert first == {
        "conv_gru_gates",
        "residual_conv_gru_candidate",
        "conv_lstm_step",
        "projection",
        "feedback",
        "reconstruct",
    }


def test_every_kernel_that_compiles_is_tuned() -> None:
    compiled = {compile_case.name.split()[0] for compile_case in find_compile_cases()}
    assert compiled == {plan.operator for plan in plans(torch.float16, CPU)}


def test_plans_have_the_shapes_that_launches_ask_tiles_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, int]]] = []

    def note(operator: str, shape: dict[str, int], *_: object) -> Tiles:
        asked.append((operator, dict(shape)))
        return Tiles(64, 32, 16)

    for module in (binarizer, conv_gru, conv_lstm, feedback, projection, reconstruct):
        monkeypatch.setattr(module, "tiles_for", note)
    tiny = Layer("tiny", 5, 8, 3, 1, 1, 2, 2, 3)
    monkeypatch.setattr(trials, "SHIPPED", (tiny,))
    monkeypatch.setattr(trials, "PAPER", (tiny._replace(kernel=2),))
    monkeypatch.setattr(trials, "FOLDED", tiny._replace(inputs=16))
    small = [
        layer._replace(inputs=SMALL[layer.name][0], channels=SMALL[layer.name][1], height=2, width=3)
        for layer in LINEAR
    ]
    monkeypatch.setattr(trials, "LINEAR", tuple(small))
    for plan in plans(torch.float16, DEVICE):
        asked.clear()
        trial = plan.make()
        assert (trial.operator, trial.shape) == (plan.operator, plan.shape)
        name = {
            "conv_gru_gates": "residual_conv_gru_step" if len(trial.arguments) == 10 else "conv_gru_step",
            "conv_gru_candidate": "conv_gru_step",
            "residual_conv_gru_candidate": "residual_conv_gru_step",
        }.get(plan.operator, plan.operator)
        with use_backend("triton"):
            getattr(torch.ops.recodec, name)(*trial.arguments)
        assert (plan.operator, plan.shape) in asked


def test_sizes_grow_with_the_batch() -> None:
    assert all(layer.sizes(2)["pixels"] == 2 * layer.height * layer.width for layer in layers.LINEAR)


def test_candidates_are_compiled_by_other_processes_until_the_time_is_over() -> None:
    tasks = [(Wanted("float16", 1, index, 1.0), Tiles(16, 16, 16 << index)) for index in range(3)]
    # In the place of a launch: any function of two arguments that other processes can import.
    done = precompile(tasks, 2, time.monotonic() + 60, operator.ne)
    assert {one: [tiles] for one, tiles in tasks} == done
    assert precompile(tasks, 2, time.monotonic() + 60, operator.eq) == {}
    assert precompile([(tasks[0][0], Tiles(16, 16, 16))] * 500, 1, time.monotonic(), operator.ne) == {}


def test_what_is_worth_more_gets_more_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "shared_memory", lambda _: 227 << 10)
    found = plans(torch.float16, CPU)
    ends = [Wanted("float16", 1, index, found[index].worth) for index in (0, -1)]
    order = [one for one, _ in tune.in_order(ends, CPU)]
    assert order[:8] == [ends[0]] * 8
    assert order[:18].count(ends[1]) == 2
