"""Fixtures of the entropy task's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.train.data.photographs import Photographs
from recodec.weights import Model, load_model, save_model
from tests.zoned import ZONED


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs, one of them smaller than a window, and a file that only looks like one."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("entropy-photos")
    for index, size in enumerate([(220, 170), (300, 90), (130, 200), (60, 40)]):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    return folder


@pytest.fixture(scope="session")
def photographs(photos: Path) -> Photographs:
    return Photographs([photos])


@pytest.fixture(scope="session")
def codec_folder(tmp_path_factory: pytest.TempPathFactory, photographs: Photographs) -> Path:
    """A folder with "zoned", an untrained codec whose dead zones are fitted, so that its codes say something."""
    torch.manual_seed(3)
    network = RecurrentCodec(ZONED)
    pixels = (
        torch.from_numpy(np.array(photographs.read(0).resize((160, 160)))).permute(2, 0, 1)[None] / 255 - 0.5
    )
    network.calibrate(pixels)
    network.fit_dead_zones(pixels, (0.1, 0.2))
    folder = tmp_path_factory.mktemp("zoned")
    save_model(folder / "zoned.safetensors", network, {"made": "for tests"})
    return folder


@pytest.fixture
def zoned(codec_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(codec_folder))
    return load_model("zoned")
