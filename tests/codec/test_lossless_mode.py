"""Files without loss, asked for by an option: which codec makes them, and what contradicts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recodec
import recodec.pillow
from tests.cli.running import run


def is_exact(data: bytes, picture: Image.Image) -> bool:
    return recodec.info(data).family == "lossless" and recodec.decode(data).tobytes() == picture.tobytes()


@pytest.mark.parametrize("effort", ["fast", "default", "best"])
def test_every_way_in(picture: Image.Image, tiny_model: str, effort: str, tmp_path: Path) -> None:
    options: Any = {"lossless": True, "effort": effort}
    picture.save(tmp_path / "saved.rcd", **options)
    picture.save(tmp_path / "a.png")
    run("encode", "--lossless", "--effort", effort, tmp_path / "a.png", tmp_path / "command.rcd")
    files = [
        recodec.encode(picture, **options),
        recodec.encode(picture, model="lossless", effort=effort),  # type: ignore[arg-type]
        recodec.load("lossless").encode(picture, effort=effort),  # type: ignore[call-overload]
        # A model has no part in it.
        recodec.load(tiny_model).encode(picture, **options),
        *recodec.load(tiny_model).encode([picture], **options),
        (tmp_path / "saved.rcd").read_bytes(),
        (tmp_path / "command.rcd").read_bytes(),
    ]
    assert len(set(files)) == 1
    assert is_exact(files[0], picture)
    assert recodec.verify(files[0]).details.effort == effort
    assert f"effort {effort}" in run("info", tmp_path / "saved.rcd").output


def test_default_effort(picture: Image.Image) -> None:
    assert recodec.info(recodec.encode(picture, lossless=True)).details.effort == "default"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lossless": True, "bpp": 1}, "keep every sample, whatever it takes; leave out bpp"),
        ({"lossless": True, "psnr": 40}, "leave out psnr"),
        ({"lossless": True, "iterations": 1}, "leave out iterations"),
        ({"lossless": True, "quality": 5}, "leave out quality"),
        ({"lossless": True, "entropy": "adaptive"}, "leave out entropy"),
        (
            {"lossless": True, "effort": "slow"},
            "effort is 'slow'; of files without loss it is one of fast, default, best",
        ),
        ({"lossless": True, "effort": 1}, "effort is 1; of files without loss it is one of"),
        (
            {"effort": "fast"},
            r"files without loss have; give lossless=True \(--lossless\) with it, or 0 to 9",
        ),
        ({"preview": 0.25}, r"only files without loss have one; give lossless=True \(--lossless\)"),
        ({"lossless": False, "preview": 0.25}, "only files without loss have one"),
        ({"lossless": True, "model": "tiny"}, "takes none unless it has a preview; leave the model out"),
        ({"model": "lossless", "preview": 0.25}, "makes no lossy pictures; leave the model out"),
        *(
            ({"lossless": True, "preview": value}, "preview is .* must be a")
            for value in (0, -1, "1", True, float("nan"))
        ),
    ],
)
def test_contradictions(
    picture: Image.Image, tiny_model: str, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    for use in (recodec.encode, lambda image, **given: image.save(tmp_path / "a.rcd", **given)):
        with pytest.raises(recodec.TargetError, match=words):
            use(picture, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--lossless", "--bpp", 1], "leave out --bpp"),
        (["--lossless", "--max-bytes", "9k"], "leave out --max-bytes"),
        (["--effort", "best"], "give lossless=True (--lossless)"),
        (["--preview", 0.2], "give lossless=True (--lossless)"),
        (["--lossless", "--model", "tiny"], "leave the model out"),
    ],
)
def test_contradictions_in_the_command(tmp_path: Path, options: list[object], words: str) -> None:
    assert words in run("encode", *options, tmp_path / "a.png", tmp_path / "a.rcd", code=2).output


def test_a_preview_of_the_lossless_codec(picture: Image.Image) -> None:
    with pytest.raises(recodec.TargetError, match="makes no lossy pictures"):
        recodec.load("lossless").encode(picture, preview=0.25)


def test_a_thumbnail_shows_all_strips(picture: Image.Image, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("recodec.families.lossless.engine._STRIP_PIXELS", 8 * picture.width)
    picture.save(tmp_path / "a.rcd", lossless=True)
    with Image.open(tmp_path / "a.rcd") as image:
        assert image.n_iterations > 1  # type: ignore[attr-defined]
        image.thumbnail((16, 16))
    whole = picture.copy()
    whole.thumbnail((16, 16))
    # Made smaller twice, as thumbnails of JPEG are.
    np.testing.assert_allclose(np.asarray(image).astype(int), np.asarray(whole).astype(int), atol=1)
