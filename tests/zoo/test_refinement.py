"""Latents that are searched for: files that others read as before, never larger, never worse."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import recodec
from recodec.container.core import CHECKSUM_BYTES, CODES
from recodec.container.reader import Reader
from recodec.errors import TargetError
from recodec.networks.autoencoder.network import Autoencoder
from recodec.train.tasks.autoencoder.fitting import fit_tables
from recodec.weights import Model, load_model, save_model
from recodec.zoo.learned import refinement, windows
from recodec.zoo.learned.header import Settings
from recodec.zoo.learned.rates import RateEstimate
from recodec.zoo.learned.symbols import Stage
from recodec.zoo.system import System
from tests.zoo.autoencoder_models import CONFIGS, make_network
from tests.zoo.test_autoencoders import codec_of, whole

STEPS = 60


@cache
def taught_network(name: str) -> Autoencoder:
    """A network that has seen a picture a few times: searching means nothing to one that shows noise."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = make_network(name).requires_grad_(True)
    config = network.config
    y, x = torch.meshgrid(torch.arange(48) / 9, torch.arange(64) / 11, indexing="ij")
    pixels = 0.4 * torch.stack([x.sin() * y.cos(), (x * y).sin(), (x - y).sin().sign()])[None]
    training = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(80):
        left, error = pixels, torch.zeros(())
        for stage in range(config.stages):
            latents = network.analyse(left, stage, step % config.levels)
            straight = latents + (latents.round() - latents).detach()
            left = left - network.synthesise(straight, stage, step % config.levels)
            error = error + left.square().mean()
        training.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        training.step()
    network.half().float().requires_grad_(False)
    for level in range(config.levels):
        left = pixels
        for stage in range(config.stages):
            latents = network.quantise(network.analyse(left, stage, level))
            fit_tables(network, latents, stage, level)
            left = left - network.synthesise(latents, stage, level)
    return network


def taught(folder: Path, name: str) -> Model:
    """The same in a file."""
    path = folder / f"{name}.safetensors"
    save_model(path, taught_network(name), {"made": "for tests"})
    return load_model(path)


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    return taught(tmp_path, request.param)


def error(shown: np.ndarray, original: np.ndarray) -> float:
    return float(np.square(shown.astype(float) - original).mean())


@pytest.mark.parametrize(
    ("channels", "patch", "tune"), [(3, 0, False), (1, 0, False), (3, 32, False), (3, 0, True), (1, 32, True)]
)
def test_no_prefix_is_larger_or_worse(
    model: Model, picture: Image.Image, channels: int, patch: int, tune: bool
) -> None:
    original = np.asarray(picture if channels == 3 else picture.convert("L")).reshape(45, 61, channels)
    plain = whole(model, original, patch=patch)
    found = whole(model, original, patch=patch, refine=STEPS, tune=tune)
    assert found != plain
    recodec.verify(found)
    for stages in range(1, model.network.config.stages + 1):
        short, long = (recodec.truncate(data, iterations=stages) for data in (found, plain))
        assert len(short) <= len(long)
        shown, before = (recodec.decode(data, like="numpy") for data in (short, long))
        assert error(shown, original) <= error(before, original)
    assert error(shown, original) < error(before, original)


def test_it_is_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model, original = taught(tmp_path, "bounded"), np.asarray(picture)
    errors = [
        error(recodec.decode(whole(model, original, refine=steps), like="numpy"), original)
        for steps in (0, 10, 100)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_a_search_that_finds_nothing_changes_nothing(
    model: Model, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refinement._Search, "_search", lambda *_: None)
    assert whole(model, picture, refine=3, tune=True) == whole(model, picture)
    # Nor one whose results are never better.
    shape = (model.network.config.channels, *refinement_grid(model))
    monkeypatch.setattr(refinement._Search, "_search", lambda *_: Stage(np.zeros(shape, np.int16)))
    monkeypatch.setattr(refinement, "squared_error", lambda engine, stages, picture: 1.0)
    assert whole(model, picture, refine=3, tune=True) == whole(model, picture)


def refinement_grid(model: Model) -> tuple[int, int]:
    stride = model.network.config.stride
    return -(-45 // stride), -(-61 // stride)


def test_parts_of_a_picture_are_searched_as_the_whole(
    model: Model, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients of tiles add up to those of the picture."""
    found = whole(model, picture, refine=2)
    seen: list[torch.Tensor] = []
    real = refinement._keep_in_range

    def watching(engine: object, latents: torch.Tensor, adjustments: torch.Tensor) -> None:
        assert latents.grad is not None
        seen.append(latents.grad.clone())
        real(engine, latents, adjustments)  # type: ignore[arg-type]

    monkeypatch.setattr(refinement, "_keep_in_range", watching)
    assert whole(model, picture, refine=2) == found
    after = len(seen)
    monkeypatch.setattr(windows, "_TILE_SIDE", 16)
    whole(model, picture, refine=2)
    # The first step of the first stage: later ones begin where rounding may have gone either way.
    torch.testing.assert_close(seen[0], seen[after], rtol=1e-3, atol=1e-3)


def test_bits_are_about_those_of_files(model: Model, picture: Image.Image) -> None:
    config = model.network.config
    data = codec_of(model).encode(picture, iterations=config.stages)
    payloads = [chunk.payload for chunk in Reader(data).chunks() if chunk.type == CODES]
    for stage, payload in enumerate(payloads):
        coder = model.network.tables.coder(0, stage)
        latents = coder.decode(payload[CHECKSUM_BYTES:], *refinement_grid(model))
        values = torch.from_numpy(latents).float().requires_grad_(True)
        if config.rate == 0:
            exact = RateEstimate(model.network, 0, stage, smooth=False)
            assert exact.bits(values).item() / 8 == pytest.approx(
                len(payload) - CHECKSUM_BYTES, rel=1e-3, abs=4
            )
        RateEstimate(model.network, 0, stage).bits(values).backward()  # type: ignore[no-untyped-call]
        assert values.grad is not None
        assert torch.isfinite(values.grad).all()
        assert values.grad.abs().max() > 0


def test_the_command_searches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = taught(tmp_path, "unit")
    system = System("unit", "", "", "", "", "", "recodec.zoo.learned")
    monkeypatch.setattr("recodec.zoo.system._SYSTEMS", (system,))
    picture.save(tmp_path / "a.png")
    command = import_module("recodec.cli.zoo").command_of(system)
    names = [str(tmp_path / "a.png"), str(tmp_path / "a.rcd"), "--refine", "5", "-q"]
    done = CliRunner().invoke(command, names)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.rcd").read_bytes() == whole(model, picture, refine=5) != whole(model, picture)


def test_steps_are_checked() -> None:
    for steps in (-1, 1.5, 100_001, True):
        with pytest.raises(TargetError, match="refine"):
            Settings(refine=steps)  # type: ignore[arg-type]
