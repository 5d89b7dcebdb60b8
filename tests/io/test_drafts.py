"""``draft``: small pictures of the first chunks alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import TargetError
from recodec.io.drafts import draft_factor, draft_iterations
from tests.cli.running import run


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, model=tiny_model, iterations=8)


def test_half_the_width_takes_all_and_an_eighth_a_quarter() -> None:
    assert [draft_factor((800, 600), (side, side)) for side in (900, 400, 200, 100)] == [1, 1, 2, 4]
    assert draft_factor((600, 800), (600, 100)) == 4
    assert [draft_iterations(8, factor) for factor in (0.5, 1, 2, 3, 1000)] == [8, 8, 4, 3, 1]


def test_a_draft_is_the_first_chunks_made_smaller(data: bytes) -> None:
    small = recodec.decode(data, like="numpy", max_size=10, draft=True)
    assert np.array_equal(small, recodec.decode(data, like="numpy", max_size=10, iterations=3))
    assert not np.array_equal(small, recodec.decode(data, like="numpy", max_size=10))
    start = data[: recodec.info(data).prefix_bytes(3)]
    assert recodec.info(start).iterations == 3
    assert recodec.decode(data, max_size=40, draft=True) == recodec.decode(data, max_size=40)
    fewer = recodec.decode(data, like="numpy", max_size=10, draft=True, iterations=2)
    assert np.array_equal(fewer, recodec.decode(data, like="numpy", max_size=10, iterations=2))


def test_rows_are_left_alone_or_all_there(tiny_model: str, picture: Image.Image) -> None:
    exact = recodec.encode(picture, lossless=True)
    assert recodec.decode(exact, max_size=10, draft=True) == recodec.decode(exact, max_size=10)
    both = recodec.encode(picture, lossless=True, preview=2, model=tiny_model)
    lossy = recodec.truncate(both, iterations=recodec.info(both).iterations)
    small = recodec.decode(both, max_size=10, draft=True)
    assert small == recodec.decode(lossy, max_size=10, draft=True)
    assert small != recodec.decode(both, max_size=10)


def test_without_a_size_there_is_none(data: bytes) -> None:
    with pytest.raises(TargetError, match="max_size"):
        recodec.decode(data, draft=True)


def test_the_command(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.rcd").write_bytes(data)
    result = run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--max-size", 10, "--draft", "--json")
    record = json.loads(result.stdout)
    assert (record["iterations"], record["width"], record["height"]) == (3, 10, 7)
    with Image.open(tmp_path / "a.png") as image:
        assert image.convert("RGB") == recodec.decode(data, max_size=10, draft=True)
    record = json.loads(
        run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--max-size", 40, "--draft", "--json").stdout
    )
    assert record["iterations"] == 8
    assert "--max-size" in run("decode", tmp_path / "a.rcd", tmp_path / "b.png", "--draft", code=2).stderr
    assert not (tmp_path / "b.png").exists()
