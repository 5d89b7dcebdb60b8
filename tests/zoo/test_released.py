"""The zoo's trained systems: another process reads the same symbols of a file, and its picture is worth a look."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec import zoo
from recodec.container.core import CODES
from recodec.container.reader import Reader
from recodec.eval.metrics import psnr
from recodec.families.registry import read_file_header
from recodec.limits import Limits

LEARNED = [system.id for system in zoo.systems() if system.weights is not None]
# Of the demo's photograph at the lowest level; what an untrained network shows is below 15 dB.
LEAST = 22.0

READ = """
import sys
import recodec
from tests.zoo.test_released import told

data = open(sys.argv[1], "rb").read()
print(told(data))
recodec.decode(data).save(sys.argv[2])
"""


def told(data: bytes) -> str:
    """Digest of all latents of a file."""
    reader = Reader(data)
    symbols: Any = read_file_header(reader.header()).checker(Limits())
    symbols.take([chunk.payload for chunk in reader.chunks() if chunk.type == CODES])
    return sha256(b"".join(stage.latents.tobytes() for stage in symbols.stages)).hexdigest()


@pytest.mark.parametrize("patch", [0, 32])
@pytest.mark.parametrize("system", LEARNED)
def test_another_process_shows_the_same(system: str, patch: int, tmp_path: Path) -> None:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as image:
        original = np.asarray(image.convert("RGB"))[:160, :224]
    (tmp_path / "a.rcd").write_bytes(data := zoo.encode(system, original, patch=patch))
    arguments = [sys.executable, "-c", READ, tmp_path / "a.rcd", tmp_path / "a.png"]
    found = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    assert found.strip() == told(data)
    with Image.open(tmp_path / "a.png") as image:
        shown = np.asarray(image)
    own = recodec.decode(data, like="numpy")
    assert int(np.abs(shown.astype(int) - own).max()) <= 1
    assert psnr(original, shown) > LEAST
