"""The benchmarks of narrow number types, rehearsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

BENCH = Path(__file__).parents[1] / "bench"
CLEAN = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / script), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=CLEAN)


def test_a_rehearsal_compares_all_cells_and_times_none(tmp_path: Path) -> None:
    path = tmp_path / "fp8.json"
    done = run("fp8.py", "--rehearse", "--json", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 10
    for row in rows.values():
        # In float16, which the interpreter multiplies exactly.
        assert max(row["errors"].values()) < 1e-3
        assert 5e-3 < row["cost"] < 0.1
        assert "us" not in row


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_it_says_so_in_a_line() -> None:
    done = run("fp8.py")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: no CUDA device")
    assert done.stderr.count("\n") == 1


def test_pictures_are_nearly_the_same(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "photo.png")
    path = tmp_path / "out.json"
    done = run("number_types.py", str(tmp_path), "--json", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    pairs = json.loads(path.read_text())["pairs"]
    plain = pairs["float32 to float32"]
    assert plain["levels"] == 0
    assert len(pairs) == 1 + 3 * 3
    for name, pair in pairs.items():
        worst = max(abs(a - b) for a, b in zip(pair["psnr"], plain["psnr"], strict=True))
        assert worst < 0.3
        assert (worst > 0) == (name != "float32 to float32")
        assert (pair["levels"] > 0) == (not name.endswith("to float32"))
