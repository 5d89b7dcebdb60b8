"""Files and the models that they name: hashes, number types, dead zones, entropy models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import (
    DeviceError,
    FormatError,
    RecodecError,
    TargetError,
    WeightsError,
)
from recodec.families.recurrent.family import read_planes
from recodec.io.pictures import read_picture
from recodec.networks.entropy.model import EntropyModel, EntropyModelConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.runtime.placement import chosen_device
from recodec.runtime.samples import Samples
from recodec.runtime.tiling import Region, grid_shape
from recodec.weights import load_model, save_model
from tests.codec.files import header_of
from tests.conftest import any_size
from tests.zoned import ZONED


def test_another_model_of_the_same_name_is_refused(data: bytes) -> None:
    other = header_of() + data[recodec.info(data).header_bytes :]
    with pytest.raises(WeightsError, match="0000000000000000"):
        recodec.decode(other)


def test_a_missing_model_is_named(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECODEC_WEIGHTS")
    with pytest.raises(WeightsError, match="'tiny'"):
        recodec.decode(data)
    assert recodec.info(data).model == "tiny"
    assert recodec.verify(data).iterations == 8


@pytest.mark.parametrize("content", [b"", b"\x8e", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RCD", bytes(100)])
def test_foreign_files_are_refused(content: bytes) -> None:
    for function in (recodec.decode, recodec.info, recodec.verify):
        with pytest.raises(FormatError):
            function(content)


def test_low_precision_decodes_to_nearly_the_same_picture(tiny_model: str, data: bytes) -> None:
    expected = recodec.decode(data, like="numpy").astype(int)
    low = recodec.load(tiny_model, dtype="bfloat16").decode(data, like="numpy").astype(int)
    assert np.abs(low - expected).mean() < 2.0
    with pytest.raises(DeviceError, match="dtype"):
        recodec.load(tiny_model, dtype="int8")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_files_name_the_type_that_they_were_made_in(
    tiny_model: str, picture: Image.Image, dtype: str
) -> None:
    data = recodec.load(tiny_model, dtype=dtype).encode(picture, iterations=2)
    assert recodec.info(data).details.arithmetic == dtype
    # Whoever computes in another type reads it all the same.
    assert recodec.decode(data).size == picture.size


def test_a_device_that_is_not_there_is_named(tiny_model: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA, so the device is there")
    with pytest.raises(DeviceError, match="'cuda'"):
        recodec.load(tiny_model, device="cuda")


def test_codes_decode_to_what_was_encoded(tiny_model: str, picture: Image.Image, data: bytes) -> None:
    network = load_model(tiny_model).network
    source = read_picture(picture, any_size)
    with torch.inference_mode():
        region = Region(0, 0, *grid_shape(source.width, source.height, 16))
        samples = Samples(source.samples, 16, torch.device("cpu"))
        features = network.front_end.analyse(samples.pixels(region)[None])
        encoder = decoder = None
        for plane in read_planes(data):
            codes, encoder = network.encode_step(features, encoder, decoder)
            np.testing.assert_array_equal(codes[0].numpy().astype(np.int8), plane)
            decoder = network.decode_step(codes, decoder)


@pytest.fixture
def zoned_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> str:
    """A random model whose codes are mostly 0, next to one that sends signs with the same decoder."""
    torch.manual_seed(4)
    config = replace(ZONED, iterations=6)
    network = RecurrentCodec(config)
    pixels = torch.from_numpy(np.asarray(picture)[:32, :48].copy()).permute(2, 0, 1)[None] / 255 - 0.5
    network.calibrate(pixels)
    network.fit_dead_zones(pixels, (0.1, 0.2))
    save_model(tmp_path / "zoned.safetensors", network, {})
    signs = RecurrentCodec(replace(config, dead_zone=False))
    signs.load_state_dict(network.state_dict(), strict=False)
    save_model(tmp_path / "signs.safetensors", signs, {})
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    return "zoned"


def test_files_with_dead_zones_hold_zeros_and_need_no_other_decoder(
    zoned_model: str, picture: Image.Image
) -> None:
    data = recodec.encode(picture, model=zoned_model, iterations=6)
    signs = recodec.encode(picture, model="signs", iterations=6)
    info = recodec.info(data)
    assert (info.details.entropy, recodec.info(signs).details.entropy) == ("adaptive-3", "adaptive-1")
    assert info.model_hash == recodec.info(signs).model_hash
    codes = np.stack(read_planes(data))
    assert set(np.unique(codes)) == {-1, 0, 1}
    assert 0.03 < np.abs(codes).mean() < 0.4
    assert np.abs(read_planes(signs)).all()
    assert recodec.truncate(data, iterations=2) == recodec.encode(picture, iterations=2, model=zoned_model)


@pytest.fixture
def contextual_model(zoned_model: str, tmp_path: Path) -> str:
    """The same model with an entropy network of random weights."""
    torch.manual_seed(5)
    model = load_model(zoned_model)
    config = model.network.config
    tables = EntropyModel(EntropyModelConfig(config.depth, 3, config.iterations, width=16, groups=2))
    for name in ("own", "direct"):
        torch.nn.init.normal_(getattr(tables, name), std=0.2)
    save_model(tmp_path / "contextual.safetensors", model.network, {}, tables.tables())
    return "contextual"


def test_entropy_networks_change_bytes_but_not_codes(
    contextual_model: str, zoned_model: str, picture: Image.Image
) -> None:
    codec = recodec.load(contextual_model)
    data = codec.encode(picture, iterations=6)
    adaptive = codec.encode(picture, iterations=6, entropy="adaptive")
    assert (recodec.info(data).details.entropy, recodec.info(adaptive).details.entropy) == (
        "network-1",
        "adaptive-3",
    )
    assert codec.encode(picture, iterations=6, entropy="network") == data
    assert len(data) != len(adaptive)
    for shown, other in zip(codec.progressive(data), codec.progressive(adaptive), strict=True):
        assert shown.tobytes() == other.tobytes()
    without = recodec.load(zoned_model)
    assert codec.model.hash != without.model.hash
    assert codec.decode(adaptive).tobytes() == without.decode(without.encode(picture, iterations=6)).tobytes()


def test_files_of_entropy_networks_are_verified_with_their_model(
    contextual_model: str, picture: Image.Image, tmp_path: Path
) -> None:
    data = recodec.encode(picture, model=contextual_model, iterations=3)
    assert recodec.verify(data).iterations == 3
    damaged = bytearray(data)
    damaged[-20] ^= 1
    with pytest.raises(RecodecError):
        recodec.verify(bytes(damaged))
    (tmp_path / "contextual.safetensors").unlink()
    with pytest.raises(WeightsError, match="contextual"):
        recodec.verify(data)


def test_what_lacks_an_entropy_network_says_so(zoned_model: str, picture: Image.Image) -> None:
    codec = recodec.load(zoned_model)
    with pytest.raises(WeightsError, match="no entropy network"):
        codec.encode(picture, entropy="network")
    with pytest.raises(TargetError, match="entropy is 'best'"):
        codec.encode(picture, entropy="best")  # type: ignore[typeddict-item]


def test_decoders_show_what_the_encoder_of_dead_zones_saw(zoned_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, model=zoned_model, iterations=6)
    network = load_model(zoned_model).network
    shown = recodec.progressive(data, like="torch")
    with torch.inference_mode():
        region = Region(0, 0, *grid_shape(*picture.size, 16))
        samples = Samples(read_picture(picture, any_size).samples, 16, torch.device("cpu"))
        target = network.front_end.analyse(samples.pixels(region)[None])
        encoder = decoder = None
        for plane, image in zip(read_planes(data), shown, strict=True):
            codes, encoder = network.encode_step(target, encoder, decoder)
            np.testing.assert_array_equal(codes[0].numpy().astype(np.int8), plane)
            decoder = network.decode_step(codes, decoder)
            expected = (255 * (network.pixels(decoder.reconstruction)[0, :, :45, :61] + 0.5)).clamp(0, 255)
            assert float((image - expected).abs().max()) <= 0.51


def test_auto_is_a_device_that_is_there(
    tiny_model: str, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = recodec.load(tiny_model, device="auto")
    assert codec.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert codec.decode(codec.encode(picture)).size == picture.size
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert chosen_device("auto") == kind
        assert chosen_device("cuda:1") == "cuda:1"


def test_a_codec_says_what_it_is(tiny_model: str) -> None:
    codec = recodec.load(tiny_model, dtype="bfloat16", backend="reference")
    assert repr(codec) == (
        f"Codec('tiny', architecture='{codec.model.architecture}', device='cpu', dtype='bfloat16', "
        f"backend='reference', hash='{codec.hash.hex()}')"
    )
    assert repr(recodec.load("lossless")).startswith(
        "Codec('lossless', architecture='lossless', device='cpu'"
    )
