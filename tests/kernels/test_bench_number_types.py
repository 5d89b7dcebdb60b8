"""What narrow number types do to pictures, on one picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

BENCH = Path(__file__).parents[2] / "bench"
CLEAN = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / script), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=CLEAN)


def test_pictures_are_nearly_the_same(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "photo.png")
    path = tmp_path / "out.json"
    done = run("number_types.py", str(tmp_path), "--model", "rnn-1", "--out", str(path))
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
