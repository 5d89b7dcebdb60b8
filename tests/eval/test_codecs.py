"""Every codec of the evaluation does what the interface says."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, features

import recodec
from recodec.eval import codecs
from recodec.eval.codecs import CLASSIC, ImageCodec, RecodecModel
from recodec.eval.jpeg import encode_jpeg
from recodec.eval.metrics import psnr


def usable(codec: ImageCodec) -> ImageCodec:
    if why := codec.unavailable():
        pytest.skip(f"{codec.name}: {why}")
    return codec


@pytest.mark.parametrize("codec", CLASSIC, ids=lambda codec: codec.name)
def test_ladder_rises(codec: ImageCodec, picture: Image.Image) -> None:
    usable(codec)
    original = np.asarray(picture.resize((122, 90)))
    ends = list(codec.climb(original, [codec.ladder[0], codec.ladder[-1]]))
    assert [coded.setting for coded in ends] == [codec.ladder[0], codec.ladder[-1]]
    for coded in ends:
        assert coded.pixels.shape == original.shape
        assert coded.pixels.dtype == np.uint8
        np.testing.assert_array_equal(codec.decode(coded.file), coded.pixels)
        assert coded.encode_s > 0
        assert coded.decode_s > 0
    assert len(ends[0].file) < len(ends[1].file)
    assert psnr(original, ends[0].pixels) < psnr(original, ends[1].pixels)


def test_names_are_distinct_and_fingerprints_tell_versions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [codec.name for codec in CLASSIC]
    assert len(set(names)) == len(names)
    before = CLASSIC[0].fingerprint()
    assert before != CLASSIC[1].fingerprint()
    monkeypatch.setattr(codecs, "version", lambda package: "0.0")
    assert CLASSIC[0].fingerprint() != before


def test_jpeg_is_that_of_every_other_comparison(picture: Image.Image) -> None:
    assert CLASSIC[0].encode(np.asarray(picture), 30) == encode_jpeg(picture, 30)


def test_jpeg2000_keeps_its_rate_and_transforms_colour(picture: Image.Image) -> None:
    codec = usable(next(codec for codec in CLASSIC if codec.name == "jpeg2000"))
    original = np.asarray(picture.resize((244, 180)))
    file = codec.encode(original, 1.0)
    assert 8 * len(file) <= 1.01 * 244 * 180
    # COD marker: style, progression, layers, then the byte that says if there is a colour transform,
    # and after four more the wavelet: 0 is 9/7.
    at = file.index(b"\xff\x52") + 4
    assert file[at + 4] == 1
    assert file[at + 9] == 0


def test_model_encodes_once_for_all_prefixes(tiny_model: str, picture: Image.Image) -> None:
    model = RecodecModel(recodec.load(tiny_model), iterations=3)
    assert model.name == "recodec-tiny"
    assert tuple(model.ladder) == (1, 2, 3)
    original = np.asarray(picture)
    whole = model.encode(original, 3)
    for coded, chunks in zip(model.climb(original, (1, 3)), (1, 3), strict=True):
        assert coded.setting == chunks
        assert coded.file == recodec.truncate(whole, iterations=chunks)
        np.testing.assert_array_equal(model.decode(coded.file), coded.pixels)


def test_missing_codecs_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise codecs.PackageNotFoundError(package)

    monkeypatch.setattr(codecs, "version", missing)
    monkeypatch.setattr(features, "check", lambda feature: False)
    for codec in CLASSIC:
        assert any(
            part in (codec.unavailable() or "") for part in ("no " + codec.name[:4].upper(), "extra eval")
        )
