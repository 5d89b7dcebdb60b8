"""Autoencoders of the zoo: files of every kind come back to the same latents, whatever the picture and its cut."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec import _core
from recodec.codec import Codec
from recodec.container.core import CHECKSUM_BYTES, CODES
from recodec.container.reader import Reader
from recodec.errors import ChecksumError, DeviceError, FormatError, LimitError, TargetError, WeightsError
from recodec.weights import Model
from recodec.zoo.family import ZOO
from recodec.zoo.learned import windows
from recodec.zoo.learned.engine import LearnedEngine
from recodec.zoo.learned.header import Settings
from tests.conftest import GOLDEN
from tests.zoo import slow_latents
from tests.zoo.autoencoder_models import CONFIGS, saved_model


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    return saved_model(tmp_path, request.param)


def codec_of(model: Model, **settings: Any) -> Codec:
    return Codec(LearnedEngine(ZOO, model, "cpu", "float32", "auto", Settings(**settings)))


def whole(model: Model, image: Any, **settings: Any) -> bytes:
    codec = codec_of(model, **settings)
    return codec.encode(image, iterations=model.network.config.stages)


def payloads_of(data: bytes) -> list[bytes]:
    return [chunk.payload for chunk in Reader(data).chunks() if chunk.type == CODES]


def test_files_that_name_a_model_of_another_family_are_refused(
    tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    ours = saved_model(tmp_path, next(iter(CONFIGS)))
    shutil.copy(GOLDEN / "tiny-network.safetensors", tmp_path)
    files = [whole(ours, picture), recodec.encode(picture, model="tiny-network", iterations=1)]
    headers = [_core.read_header(data)[0] for data in files]
    for data, other in zip(files, reversed(headers), strict=True):
        header, end = _core.read_header(data)
        header.model, header.model_hash = other.model, other.model_hash
        forged = _core.write_header(header) + data[end:]
        for use in (recodec.verify, recodec.decode):
            with pytest.raises(WeightsError, match="family"):
                use(forged)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 2), (45, 61)])
def test_pictures_of_any_size_and_mode(model: Model, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for channels in (1, 2, 3, 4):
        pixels = rng.integers(0, 256, (*size, channels), np.uint8)
        data = whole(model, pixels)
        shown = recodec.decode(data, like="numpy")
        assert shown.shape == pixels.shape
        if channels in (2, 4):
            np.testing.assert_array_equal(shown[..., -1], pixels[..., -1])
        info = recodec.verify(data)
        assert (info.family, info.model, info.iterations) == ("zoo", model.id, model.network.config.stages)


def test_latents_are_what_another_decoder_finds(model: Model, picture: Image.Image) -> None:
    network, level = model.network, model.network.config.levels - 1
    config = network.config
    for stage, payload in enumerate(payloads_of(whole(model, picture, level=level))):
        planes = slice(stage * config.channels, (stage + 1) * config.channels)
        tables = [
            slow_latents.Tables(int(kind), limits.tolist(), (probabilities.int() + 32768).tolist())
            for kind, limits, probabilities in zip(
                network.tables.kinds[level, planes],
                network.tables.limits[level, planes],
                network.tables.probabilities[level, planes],
                strict=True,
            )
        ]
        grid = -(-45 // config.stride), -(-61 // config.stride)
        coded = payload[CHECKSUM_BYTES:]
        slow = slow_latents.decode(
            coded, tables, *grid, config.bits, config.quantiser == "rounded", config.rate
        )
        found = network.tables.coder(level, stage).decode(coded, *grid)
        np.testing.assert_array_equal(found, np.array(slow))


@pytest.mark.parametrize("patch", [0, 8, 32])
def test_how_a_picture_is_cut_leaves_no_trace(
    model: Model, picture: Image.Image, patch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles leave no trace; patches are each what a picture of that size would be."""
    data = whole(model, picture, patch=patch)
    shown = recodec.decode(data, like="numpy")
    if patch:
        part = np.asarray(picture)[:patch, :patch]
        alone = recodec.decode(whole(model, part), like="numpy")
        np.testing.assert_allclose(shown[:patch, :patch], alone, atol=1)
        return
    monkeypatch.setattr(windows, "_TILE_SIDE", 16)
    assert whole(model, picture) == data
    np.testing.assert_allclose(recodec.decode(data, like="numpy"), shown, atol=1)


def test_prefixes_are_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = saved_model(tmp_path, "staged")
    data = whole(model, picture)
    shown = list(recodec.progressive(io.BytesIO(data), like="numpy"))
    assert len(shown) == 3
    for stages, pixels in enumerate(shown, start=1):
        short = recodec.truncate(data, iterations=stages)
        np.testing.assert_array_equal(recodec.decode(short, like="numpy"), pixels)


def test_an_error_is_told_before_a_picture(model: Model, picture: Image.Image) -> None:
    data = bytearray(whole(model, picture))
    data[-12] ^= 16
    with pytest.raises((ChecksumError, FormatError)):
        recodec.decode(bytes(data), strict=True)
    for fields, error in (
        (b"\2\0\0", recodec.UnsupportedError),
        (b"\0\0\x0b", FormatError),
        (b"\0\0", FormatError),
        (b"\0\xff\0", FormatError),
        (b"\0\0\1", FormatError),
    ):
        header, after = _core.read_header(bytes(whole(model, picture)))
        header.fields = fields
        with pytest.raises(error):
            recodec.decode(_core.write_header(header) + bytes(data)[after:])
    with pytest.raises(LimitError):
        recodec.decode(whole(model, picture), max_pixels=45 * 61 - 1)


def test_a_system_that_is_not_here_is_named(
    model: Model, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = whole(model, picture)
    monkeypatch.delenv("RECODEC_WEIGHTS")
    for read in (recodec.decode, recodec.verify):
        with pytest.raises(WeightsError, match=model.id):
            read(data)
    assert recodec.info(data).model == model.id


def test_settings_are_checked(tmp_path: Path) -> None:
    model = saved_model(tmp_path, "bounded")
    for settings in ({"level": 1}, {"level": -1}, {"patch": 2}, {"patch": 3}, {"patch": 2048}):
        with pytest.raises(TargetError):
            codec_of(model, **settings)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"device": "meta"}, "holds no values"),
        ({"device": "nowhere"}, "'nowhere' cannot be used"),
        ({"dtype": "bfloat16"}, "dtype is bfloat16; it must be float32"),
        ({"dtype": 3}, "dtype is 3"),
    ],
)
def test_a_place_that_cannot_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    saved_model(tmp_path, "bounded")
    with pytest.raises(DeviceError, match=said):
        recodec.load("bounded", **where)


@pytest.mark.parametrize("rate", [0, 1, 15])
def test_latents_at_their_limits(rate: int) -> None:
    """Escapes as long as there are, probabilities as far as they go, contexts at their limits."""
    rng = np.random.default_rng(7)
    latents = rng.choice([-32767, -9, -8, -1, 0, 7, 8, 32767], (3, 5, 6)).astype(np.int16)
    probabilities = rng.choice([1, 7, 65535], (3, 4, 16)).astype(np.uint16)
    kinds, limits = (
        np.array([0, 1, 2], np.uint8),
        np.array([[0, 0, 5], [-40000, 0, 7], [1, 8, 65535]], np.int32),
    )
    coder = _core.LatentTables(kinds, limits, probabilities, True, rate)
    coded = coder.encode(latents)
    np.testing.assert_array_equal(coder.decode(coded, 5, 6), latents)
    tables = [
        slow_latents.Tables(*one)
        for one in zip(kinds.tolist(), limits.tolist(), probabilities.tolist(), strict=True)
    ]
    assert slow_latents.decode(coded, tables, 5, 6, 4, True, rate) == latents.tolist()
    bounded = _core.LatentTables(kinds, limits, probabilities, False, rate)
    with pytest.raises(_core.CoreError, match="no path"):
        bounded.encode(latents)
    with pytest.raises(_core.CoreError, match="no path"):
        coder.encode(np.full((3, 5, 6), -32768, np.int16))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kinds": np.array([0, 3], np.uint8)}, "kinds"),
        ({"kinds": np.array([0], np.uint8)}, "kind"),
        ({"limits": np.array([[2, 1], [0, 0]], np.int32)}, "fall"),
        ({"limits": np.array([[1], [0]], np.int32)}, "limit"),
        ({"probabilities": np.zeros((2, 3, 4), np.uint16)}, "may be 0"),
        ({"probabilities": np.ones((2, 3, 3), np.uint16)}, "2.bits"),
        ({"rate": 16}, "rate"),
    ],
)
def test_tables_that_are_none_are_refused(change: dict[str, Any], reason: str) -> None:
    parts: dict[str, Any] = {
        "kinds": np.array([0, 2], np.uint8),
        "limits": np.array([[1, 2], [0, 0]], np.int32),
        "probabilities": np.ones((2, 3, 4), np.uint16),
        "unbounded": True,
        "rate": 0,
        **change,
    }
    with pytest.raises(_core.CoreError, match=reason):
        _core.LatentTables(**parts)


def test_any_bytes_decode_or_are_refused(model: Model) -> None:
    """Whatever a range decoder is given it finds latents, or says what they cannot be."""
    rng = np.random.default_rng(2)
    coder = model.network.tables.coder(0, 0)
    refused = 0
    for count in range(60):
        data = rng.bytes(count)
        try:
            found = coder.decode(data, 6, 7)
        except _core.CoreError:
            refused += 1
            continue
        np.testing.assert_array_equal(coder.decode(coder.encode(found), 6, 7), found)
    assert refused < 60


def test_the_same_encoder_twice(model: Model, picture: Image.Image) -> None:
    assert whole(model, picture) == whole(model, picture)
    codec = codec_of(model)
    many = codec.encode([picture, picture], iterations=model.network.config.stages)
    assert many == [whole(model, picture)] * 2
