"""Systems of the zoo beside other codecs: levels and stages are points, and nobody loads what was not asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import WeightsError
from recodec.eval.run import Plan
from recodec.eval.zoo_codecs import ZooCodec
from tests.cli.running import run
from tests.zoo.autoencoder_models import saved_model

QUICK = ("--metric", "psnr", "-q")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("RECODEC_WEIGHTS", str(folder))
    for name in ("rounded", "staged"):
        saved_model(folder, name)
    return folder


def codec_of(name: str) -> ZooCodec:
    (codec,) = Plan((), (name,), ("psnr",)).build()
    assert isinstance(codec, ZooCodec)
    return codec


@pytest.mark.parametrize(("name", "points"), [("rounded", 2), ("staged", 3)])
def test_levels_and_stages_are_points(models: Path, picture: Image.Image, name: str, points: int) -> None:
    codec, original = codec_of(name), np.asarray(picture)
    assert tuple(codec.ladder) == tuple(range(1, points + 1))
    climbed = list(codec.climb(original, codec.ladder))
    assert [coded.setting for coded in climbed] == list(codec.ladder)
    for coded in climbed:
        assert codec.encode(original, coded.setting) == coded.file
        for decoded in (codec.decode(coded.file), recodec.decode(coded.file, like="numpy")):
            np.testing.assert_array_equal(decoded, coded.pixels)
        info = recodec.verify(coded.file)
        assert info.model == name
        assert info.iterations == (coded.setting if name == "staged" else 1)
    assert len({len(coded.file) for coded in climbed}) == points
    # Those that are missing from a folder of results, alone.
    (last,) = codec.climb(original, codec.ladder[-1:])
    assert (last.setting, last.file) == (climbed[-1].setting, climbed[-1].file)


def test_fingerprints_tell_weights_apart(models: Path) -> None:
    before = codec_of("rounded").fingerprint()
    assert codec_of("rounded").fingerprint() == before
    (models / "rounded.safetensors").write_bytes((models / "staged.safetensors").read_bytes())
    assert codec_of("rounded").fingerprint() != before


@pytest.mark.parametrize("option", ["--codec", "--model"])
def test_the_command_compares_them(models: Path, tmp_path: Path, picture: Image.Image, option: str) -> None:
    picture.save(tmp_path / "a.png")
    out = tmp_path / "out"
    names = (option, "rounded", "--codec", "jpeg420", "--codec", "staged")
    run("eval", tmp_path / "a.png", *names, *QUICK, "--against", "staged", "--out", out)
    found = json.loads((out / "results.json").read_text())
    assert {name: len(points) for name, points in found["mean"].items()} == {
        "rounded": 2, "staged": 3, "jpeg420": 16
    }  # fmt: skip
    for name in ("rounded", "staged"):
        for point in found["images"][0]["codecs"][name]:
            assert point["bpp"] == pytest.approx(8 * point["bytes"] / (61 * 45))


def test_what_cannot_be_compared_is_refused(models: Path, tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "a.png")
    files = (tmp_path / "a.png", *QUICK, "--out", tmp_path / "out")
    unknown = run("eval", *files, "--codec", "nosuch", code=2).stderr
    assert all(name in unknown for name in ("nosuch", "jpeg420", "rounded", "staged"))
    for name in ("mlp", "lossless"):
        assert "--lossless" in run("eval", *files, "--codec", name, code=2).stderr
        assert "loses nothing" in run("eval", *files, "--model", name, code=4).stderr
        with pytest.raises(WeightsError, match="loses nothing"):
            Plan((), (name,), ("psnr",)).build()


def test_nobody_loads_what_was_not_asked_for(models: Path) -> None:
    """``import recodec`` nothing of the zoo; a system no other, and no training."""
    code = """if True:
        import sys
        import recodec
        recodec.info, recodec.models(), recodec.verify
        print([name for name in sys.modules if "recodec.zoo" in name or "autoencoder" in name])
        from recodec.eval.run import Plan
        Plan(("jpeg420",), (), ("psnr",)).build()
        print([name for name in sys.modules if "recodec.zoo" in name or "autoencoder" in name])
        Plan((), ("rounded",), ("psnr",)).build()
        print([name for name in sys.modules if "zoo.mlp." in name or "recodec.train" in name])
        from recodec.weights import load_model
        print("recodec.zoo.learned.engine" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.splitlines() == ["[]", "[]", "[]", "True"]
