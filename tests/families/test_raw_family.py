"""What a family needs to be one: an object of the protocol and a line in the registry, and nothing else changes."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import recodec
import recodec.pillow
from recodec.cli import main
from recodec.families import registry

from . import raw_family


@pytest.fixture(autouse=True)
def raw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        registry.FAMILIES, raw_family.NUMBER, registry.Place(raw_family.__name__, "RAW", "raw")
    )


@pytest.fixture
def data(picture: Image.Image) -> bytes:
    return recodec.encode(picture, model="raw")


def test_it_is_no_longer_than_its_code() -> None:
    lines = Path(raw_family.__file__).read_text().splitlines()
    code = [line for line in lines[lines.index("class Raw:") :] if line.strip()]
    assert len(code) <= 60


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_encodes_and_decodes(picture: Image.Image, mode: str) -> None:
    image = picture.convert(mode)
    data = recodec.encode(image, model="raw")
    assert recodec.decode(data).tobytes() == image.tobytes()
    np.testing.assert_array_equal(recodec.decode(data, like="numpy").squeeze(), np.asarray(image))
    assert recodec.load("raw").decode([data, data])[1].mode == mode


def test_says_what_it_is(data: bytes) -> None:
    assert "raw" in recodec.models()
    info = recodec.verify(data)
    assert (info.family, info.model, info.iterations, info.truncated) == ("raw", "raw", 1, False)
    assert recodec.info(data) == info
    assert info.to_dict()["family"] == "raw"


def last_picture(data: bytes, **options: Any) -> Image.Image:
    return list(recodec.progressive(data, **options))[-1]


def test_damage_and_limits_are_found(data: bytes, picture: Image.Image) -> None:
    damaged = bytearray(data)
    damaged[-100] ^= 1
    for function in (recodec.verify, recodec.decode, last_picture):
        with pytest.raises(recodec.ChecksumError):
            function(bytes(damaged))
        with pytest.raises(recodec.LimitError):
            function(data, max_pixels=100)
    with pytest.raises(recodec.LimitError):
        recodec.encode(picture, model="raw", max_pixels=100)
    with pytest.raises(recodec.TargetError, match="needs at least"):
        recodec.encode(picture, model="raw", max_bytes=100)
    with pytest.raises(recodec.WeightsError, match="family 'raw'"):
        recodec.load("rnn-1").decode(data)


def test_truncates_and_shows_progressively(data: bytes, picture: Image.Image) -> None:
    assert recodec.truncate(data, iterations=1) == data
    shown = list(recodec.progressive(io.BytesIO(data)))
    assert [image.tobytes() for image in shown] == [picture.tobytes()]
    cut = data[: recodec.info(data).prefix_bytes(1)]
    assert recodec.decode(cut).tobytes() == picture.tobytes()
    with pytest.raises(recodec.TruncatedError):
        recodec.verify(cut)


def test_saves_and_opens_in_pillow(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "raw.rcd", model="raw", psnr=99)
    with Image.open(tmp_path / "raw.rcd") as image:
        assert (image.size, image.mode) == (picture.size, "RGB")
        assert image.tobytes() == picture.tobytes()
    with Image.open(tmp_path / "raw.rcd") as image:
        image.verify()


def test_runs_in_commands(tmp_path: Path, picture: Image.Image) -> None:
    source, coded, shown = (str(tmp_path / name) for name in ("a.png", "a.rcd", "b.png"))
    picture.save(source)
    for line in (["encode", "--model", "raw", source, coded], ["info", coded], ["decode", coded, shown]):
        result = CliRunner().invoke(main, line)
        assert result.exit_code == 0, result.output
    assert Image.open(shown).tobytes() == picture.tobytes()


def test_runs_in_eval(tmp_path: Path, picture: Image.Image) -> None:
    (tmp_path / "pictures").mkdir()
    picture.save(tmp_path / "pictures" / "a.png")
    line = ["eval", "--model", "raw", "--metric", "psnr", "--viewer", "1", "--quiet"]
    result = CliRunner().invoke(main, [*line, "--out", str(tmp_path / "out"), str(tmp_path / "pictures")])
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    points = results["images"][0]["codecs"]["recodec-raw"]
    assert points[0]["bytes"] > picture.width * picture.height * 3


def test_a_codec_without_weights_travels() -> None:
    codec = pickle.loads(pickle.dumps(recodec.load("raw")))
    assert codec.id == "raw"
