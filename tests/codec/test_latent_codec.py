"""Pictures through the latent codec: files, prefixes, tiles, odd sizes, both entropy coders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import recodec
from recodec import _core
from recodec.container.reader import Reader
from recodec.errors import LimitError, WeightsError
from recodec.eval.metrics import psnr
from recodec.families.recurrent.family import RECURRENT, read_planes
from recodec.runtime import seamless
from recodec.weights import load_model, save_model
from tests.latent_models import latent_model, latent_network, smooth_pixels
from tests.plane_files import read_header, write_header


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> recodec.Codec:
    folder = tmp_path_factory.mktemp("weights")
    latent_model(folder)
    return recodec.load(folder / "tiny-latent.safetensors")


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    pixels = smooth_pixels(1, height, width, seed)[0].permute(1, 2, 0)
    return ((pixels + 0.5) * 255).round().byte().numpy()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 16), (75, 49)])
@pytest.mark.parametrize("entropy", ["adaptive", "network"])
def test_pictures_of_any_size_come_back(codec: recodec.Codec, size: tuple[int, int], entropy: str) -> None:
    image = picture(*size)
    data = codec.encode(image, iterations=8, entropy=entropy)
    shown = np.asarray(codec.decode(data))
    assert shown.shape == image.shape
    info = recodec.info(data)
    assert info.details.entropy == {"adaptive": "adaptive-4", "network": "network-4"}[entropy]
    if min(size) > 16:
        assert psnr(image, shown) > 18


def test_both_coders_hold_the_same_codes(codec: recodec.Codec) -> None:
    image = picture(60, 90)
    found = []
    for entropy in ("adaptive", "network"):
        data = codec.encode(image, iterations=8, entropy=entropy)
        fields = RECURRENT.read(Reader(data).header()).fields
        assert (fields.tile_rows, fields.tile_columns, fields.tile_halo, fields.depth) == (1, 1, 0, 40)
        assert codec.model is not None
        found.append(read_planes(data, codec.model.coder_part(fields)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_prefix_is_a_picture_and_the_progressive_one(codec: recodec.Codec) -> None:
    image = picture(64, 80)
    data = codec.encode(image, iterations=8)
    shown = [np.asarray(frame) for frame in codec.progressive(data)]
    assert len(shown) == 8
    for count, frame in enumerate(shown, start=1):
        cut = recodec.truncate(data, iterations=count)
        np.testing.assert_array_equal(np.asarray(codec.decode(cut)), frame)
    assert psnr(image, shown[-1]) > psnr(image, shown[0]) + 3


def test_tiles_leave_no_trace(codec: recodec.Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(16 * 11, 16 * 14)
    data = codec.encode(image, iterations=8)
    whole = np.asarray(codec.decode(data)).astype(int)
    monkeypatch.setattr(seamless, "TILE_SIDE", 4)
    assert codec.encode(image, iterations=8) == data
    # Convolutions of other sizes may add in another order.
    assert np.abs(np.asarray(codec.decode(data)).astype(int) - whole).max() <= 1


def test_a_lists_files_are_those_of_its_pictures(codec: recodec.Codec) -> None:
    images = [picture(48, 48, seed) for seed in range(3)] + [picture(20, 33)]
    assert codec.encode(images, iterations=5) == [codec.encode(image, iterations=5) for image in images]


def test_pictures_computed_together_are_those_computed_alone(
    codec: recodec.Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(48, 48, seed) for seed in range(3)] + [picture(20, 33), picture(48, 48, 4)]
    alone = [codec.encode(image, iterations=5) for image in images]
    shown = [np.asarray(codec.decode(data)).astype(int) for data in alone]
    monkeypatch.setattr(codec.engine, "at_once", 2)
    assert codec.encode(images, iterations=5) == alone
    for one, other in zip(codec.decode(alone), shown, strict=True):
        assert np.abs(np.asarray(one).astype(int) - other).max() <= 1


def test_embedded_planes_have_one_tile(codec: recodec.Codec) -> None:
    values, _ = read_header(codec.encode(picture(40, 40), iterations=1))
    values.tile_columns = 2
    with pytest.raises(_core.CoreError, match="tiles is 2; embedded planes have one"):
        write_header(values)


def test_targets_are_kept(codec: recodec.Codec) -> None:
    image = picture(96, 96)
    data = codec.encode(image, bpp=1.0)
    assert 8 * len(data) <= 1.0 * 96 * 96
    better = codec.encode(image, psnr=18.0)
    assert psnr(image, np.asarray(codec.decode(better))) >= 18.0


def test_little_memory_is_refused(codec: recodec.Codec) -> None:
    image = picture(64, 64)
    with pytest.raises(LimitError, match="raise max_memory"):
        codec.encode(image, max_memory=1 << 20)


def test_codes_cannot_be_read_without_the_model(codec: recodec.Codec) -> None:
    data = codec.encode(picture(32, 32), iterations=2, entropy="adaptive")
    with pytest.raises(WeightsError, match="need embedded planes, which model 'tiny-latent'"):
        read_planes(data)


def test_a_threshold_of_zero_is_refused(tmp_path: Path) -> None:
    network = latent_network()
    network.planes.threshold[1] = 0
    save_model(tmp_path / "broken.safetensors", network, {})
    with pytest.raises(WeightsError, match="a threshold of the quantiser is not above 0"):
        load_model(tmp_path / "broken.safetensors")


def test_a_damaged_order_is_refused(tmp_path: Path) -> None:
    network = latent_network()
    network.planes.chunk_of[2] = network.planes.chunk_of[2].flip(0)
    save_model(tmp_path / "broken.safetensors", network, {})
    with pytest.raises(WeightsError, match="channel 2 are not in order from the top"):
        load_model(tmp_path / "broken.safetensors")
