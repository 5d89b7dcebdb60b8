"""The benchmark of the kernels, rehearsed: every path on a CPU, and what it must never print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from recodec.networks.pixel.folding import fold_pointwise
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.recurrent import RecurrentCodec

BENCH = Path(__file__).parents[2] / "bench"

CLEAN = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "kernels.py"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=CLEAN)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("bench") / "kernels.json"
    done = run("--core", "--rehearse", "--out", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, path


def test_a_rehearsal_compares_every_way_and_prints_no_speed(rehearsal: tuple[str, Path]) -> None:
    output, path = rehearsal
    data = json.loads(path.read_text())
    assert data["rehearsal"]
    assert not data["rates"]
    assert not data["left_out"]
    assert len(data["rows"]) == 20
    for row in data["rows"].values():
        assert row["flops"] or "bits" in row["case"]
        ways = {"eager", "eager graph", "ours graph"}
        assert set(row["ways"]) == (ways | {"compiled graph"} if row["case"].endswith("iteration") else ways)
        for entry in row["ways"].values():
            assert entry["match"]
            assert entry["median_us"] is None
    lines = output.splitlines()[2:]
    assert all(line.endswith("not timed") for line in lines)


def test_rows_that_are_there_are_not_measured_again(rehearsal: tuple[str, Path]) -> None:
    _, path = rehearsal
    done = run("--core", "--rehearse", "--out", str(path))
    assert done.returncode == 0
    assert done.stdout.startswith("20 rows of an earlier run are kept")
    assert "not timed" not in done.stdout


def test_a_budget_leaves_the_rest_out_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "kernels.json"
    done = run("--core", "--rehearse", "--budget-seconds", "1", "--out", str(path))
    assert done.returncode == 0
    assert "time is over; left out: rnn-1 decoder iteration" in done.stdout
    assert len(json.loads(path.read_text())["left_out"]) == 23


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_it_says_so_in_a_line() -> None:
    done = run("--core")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: no CUDA device")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    monkeypatch.syspath_prepend(str(BENCH))
    import kernel_cases
    import kernel_runs
    import kernel_table

    return kernel_cases, kernel_runs, kernel_table


@torch.no_grad()
def test_parts_add_up_to_the_operations_of_an_iteration(modules: tuple[Any, Any, Any]) -> None:
    kernel_cases, _, _ = modules
    iterations, layers = kernel_cases.cases(1, 512, 768)
    shipped, decoder, encoder = (
        sum(cost.flops for cost in case.costs(torch.bfloat16)) for case in iterations
    )
    for config, expected in (
        (kernel_cases.shipped_config(), [shipped]),
        (paper_config(), [decoder, encoder]),
    ):
        network = fold_pointwise(RecurrentCodec(config).to("meta"))
        target = network.front_end.analyse(torch.empty(1, 3, 512, 768, device="meta"))
        codes, encoder_state = network.encode_step(target, None, None)
        state = network.decode_step(codes, None)
        with FlopCounterMode(display=False) as counter:
            network.decode_step(codes, state)
        assert counter.get_total_flops() == expected[0]
        if config.encoder:
            with FlopCounterMode(display=False) as counter:
                network.encode_step(target, encoder_state, state)
            assert counter.get_total_flops() == expected[1]
    (cost,) = next(case for case in layers if case.name == "paper-decoder-4").costs(torch.bfloat16)
    assert cost.flops == 2 * 256 * 384 * 512 * 9 * (64 + 128)
    positions, width = 256 * 384, 128
    weights = 2 * (4 * width * 9 * (64 + width) + 4 * width)
    # x, h in and out, the grown output; c in and out in float32.
    assert cost.bytes == positions * (2 * 64 + 3 * 2 * width + 2 * 4 * width) + weights


def test_what_is_wrong_does_not_match(modules: tuple[Any, Any, Any]) -> None:
    _, kernel_runs, _ = modules
    problem = modules[0].Problem((), len, len, tuple)
    exact = torch.randn(1, 8, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plain = exact.half()
    assert kernel_runs.compare([plain], [plain], problem, [exact]).ok
    for wrong in (plain.flip(3), plain + 0.01, torch.full_like(plain, torch.nan), plain[:, :4]):
        assert not kernel_runs.compare([wrong], [plain], problem, [exact]).ok
    one = plain.clone()
    one[0, 0, 0, 0] += 0.02
    assert not kernel_runs.compare([one], [plain], problem, [exact]).ok
    assert not kernel_runs.compare([plain, plain], [plain], problem, [exact]).ok


def test_no_speed_without_a_match(modules: tuple[Any, Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    *_, kernel_table = modules
    speed = {"median_us": 12.5, "iqr_us": 0.1, "tflops": 1.0, "gbytes_per_second": 1.0}
    speed |= {"share_of_matmul": 0.5, "share_of_copy": 0.5, "times_floor": 2.0}
    ways = {
        "eager": {"match": True, "error": 1e-3, "limit": 2e-3, **speed},
        "eager graph": {"match": False, "error": 1e-1, "limit": 2e-3, **speed},
        "ours graph": {"match": None, "why": "RuntimeError: no\nmore"},
    }
    for way in ways:
        kernel_table.report("case", "bfloat16", way, {"ways": ways, "ours_times_as_fast_as": {}})
    right, wrong, failed = capsys.readouterr().out.splitlines()
    assert "12.5" in right
    assert "NO MATCH" in wrong
    assert "12.5" not in wrong
    assert failed.endswith("NOT RUN: RuntimeError: no")


def test_a_deadline_stops_what_does_not_ask(modules: tuple[Any, Any, Any]) -> None:
    _, kernel_runs, _ = modules
    with pytest.raises(kernel_runs.OutOfTimeError), kernel_runs.deadline(0.05):
        time.sleep(60)
    with kernel_runs.deadline(60):
        pass


def test_a_case_that_is_not_there_is_wrong_usage() -> None:
    done = run("--check", "--rehearse", "--only", "nosuch")
    assert done.returncode == 2
    assert "no case has 'nosuch' in its name" in done.stderr
