"""Tiles: they cover the picture, and give what the whole picture gives where the halo is wide enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recodec.errors import LimitError
from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.reach import reach_of
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.runtime.states import Workplace
from recodec.runtime.tiled_network import Samples, TiledDecoder, TiledEncoder
from recodec.runtime.tiling import Region, TileGrid, plan_tiles
from recodec.weights import load_model
from tests.zoned import ZONED

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns", "halo"),
    [(1, 1, 1, 1, 0), (7, 5, 7, 5, 2), (10, 3, 3, 1, 1), (9, 31, 2, 4, 5), (8, 8, 3, 3, 100)],
)
def test_cores_cover_every_position_once(height: int, width: int, rows: int, columns: int, halo: int) -> None:
    count = np.zeros((height, width), int)
    for tile in TileGrid(height, width, rows, columns, halo).tiles():
        tile.core.of(count)[...] += 1
        own = np.arange(height * width).reshape(height, width)
        assert np.array_equal(tile.inner.of(tile.window.of(own)), tile.core.of(own))
        assert tile.window.height >= min(height, tile.core.height + halo)
    assert (count == 1).all()


def test_small_pictures_stay_whole() -> None:
    assert plan_tiles(64, 20, 8, 64) == TileGrid(64, 20)
    grid = plan_tiles(65, 200, 8, 64)
    assert (grid.rows, grid.columns) == (2, 4)
    assert grid.halo == 8


def test_halos_follow_the_kernels() -> None:
    config = NetworkConfig(
        depth=4,
        iterations=4,
        reconstruction="additive",
        front_end="dct8",
        encoder=(LayerConfig("lstm", 8, 3, 1, resample=2), LayerConfig("conv", 8, 5)),
        decoder=(LayerConfig("lstm", 8, 3, 1, resample=2), LayerConfig("gru", 8, 3, 1)),
    )
    # Decoder: 1 position, then 1 at half the distance. Encoder: half a position, then 2.
    assert reach_of(config).decoder == 2
    assert reach_of(config).encoder == 4
    wider = replace(config, decoder=(LayerConfig("lstm", 8, 3, 3, resample=2), config.decoder[1]))
    assert reach_of(wider).decoder == 5
    assert reach_of(replace(wider, iterations=100)).decoder == 8
    # Linear encoders and masking look at one position.
    config = replace(config, encoder=(), shortcut=True, reconstruction="masking")
    assert reach_of(config).decoder == reach_of(config).encoder == 2
    # Feedback reaches half a position further with every iteration: 1.5 + 3 halves.
    assert reach_of(replace(config, feedback=4)).decoder == 3
    assert reach_of(replace(config, feedback=4, iterations=6)).decoder == 4


def samples(height: int, width: int, stride: int, channels: int = 3) -> Samples:
    generator = torch.Generator().manual_seed(4)
    coarse = torch.rand(1, channels, height // 6 + 2, width // 6 + 2, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0].clamp(0, 1)
    return Samples((255 * smooth).to(torch.uint8), stride, CPU, torch.float64)


def assemble(
    decoder: TiledDecoder, height: int, width: int, planes: list[NDArray[np.int8]] | None
) -> torch.Tensor:
    picture = torch.full((3, 16 * height, 16 * width), torch.nan, dtype=torch.float64)
    for region, pixels in decoder.pixels() if planes is None else decoder.decode(planes):
        region.scaled(16).of(picture)[:] = pixels
    return picture


def zoned_network(linear_encoder: bool) -> RecurrentCodec:
    """Random weights, codes that are mostly 0, and all that looks at what is decoded so far."""
    torch.manual_seed(2)
    config = ZONED if linear_encoder else replace(ZONED, encoder=ZONED.decoder[:1])
    network = RecurrentCodec(config)
    others = samples(80, 96, 16).samples[None] / 255 - 0.5
    network.calibrate(others)
    network.fit_dead_zones(others, (0.2, 0.3))
    return network


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["signs", "dead zones", "dead zones, linear encoder"])
@torch.inference_mode()
def test_tiles_equal_the_whole_picture(tiny_model: str, batch: int, channels: int, kind: str) -> None:
    network = load_model(tiny_model).network if kind == "signs" else zoned_network("linear" in kind)
    network = network.double()
    height, width, iterations = 9, 11, 4
    source = samples(16 * height - 5, 16 * width - 9, 16, channels)
    place = Workplace(CPU, torch.float64, batch)
    grids = [TileGrid(height, width), TileGrid(height, width, 3, 2, reach_of(network.config).decoder)]
    results = []
    for grid in grids:
        encoder = TiledEncoder(network, source, grid, place)
        planes = []
        for _ in range(iterations):
            planes.append(encoder.next_plane())
            encoder.decode(planes[-1])
        decoder = TiledDecoder(network, grid.tiles(), place)
        for plane in planes:
            decoder.advance(plane)
        pictures = [
            assemble(decoder, height, width, None),
            assemble(decoder, height, width, planes),
            assemble(encoder.decoder, height, width, None),
        ]
        results.append((planes, pictures))
    (whole, (picture, *others)), (tiled, tiled_pictures) = results
    np.testing.assert_array_equal(np.stack(tiled), np.stack(whole))
    density = np.abs(np.stack(whole)).mean(axis=(1, 2, 3))
    assert (density == 1).all() if kind == "signs" else ((density > 0.02) & (density < 0.7)).all()
    for other in (*others, *tiled_pictures):
        torch.testing.assert_close(other, picture, rtol=0, atol=1e-9)


@torch.inference_mode()
def test_states_are_kept_in_half_precision_where_they_must_be(tiny_model: str) -> None:
    network = load_model(tiny_model).network
    grid = TileGrid(6, 8, 2, 2, 2)
    source = samples(96, 128, 16)
    source = Samples(source.samples, 16, CPU)
    # Values per position: 2 x 16 in the encoder; 2 x 16, four times 2 x 8 and four DCT blocks in the decoder.
    windows = [tile.window for tile in grid.tiles(reach_of(network.config).encoder)]
    whole = 4 * (2 * 16 + 2 * 16 + 4 * 2 * 8 + 4 * 192) * sum(w.height * w.width for w in windows)
    pictures = []
    for limit in (whole, whole - 1):
        encoder = TiledEncoder(network, source, grid, Workplace(CPU, torch.float32, 1, limit))
        for _ in range(4):
            encoder.decode(encoder.next_plane())
        pictures.append(assemble(encoder.decoder, 6, 8, None))
    original = source.pixels(Region(0, 0, 6, 8))
    errors = [float((picture - original).square().mean()) for picture in pictures]
    assert errors[1] == pytest.approx(errors[0], rel=0.02)
    assert not torch.equal(*pictures)
    encoder = TiledEncoder(network, source, grid, Workplace(CPU, torch.float32, 1, whole // 2 - 1))
    with pytest.raises(LimitError, match="raise max_memory"):
        encoder.decode(encoder.next_plane())


def test_samples_repeat_the_last_row_and_column() -> None:
    source = samples(20, 35, 16)
    pixels = source.pixels(Region(0, 1, 2, 2))
    assert pixels.shape == (3, 32, 32)
    torch.testing.assert_close(
        pixels[:, :20, :19], source.samples[:, :, 16:].double() / 255 - 0.5, rtol=0, atol=1e-7
    )
    assert torch.equal(pixels[:, 20:], pixels[:, 19:20].expand(-1, 12, -1))
    assert torch.equal(pixels[:, :, 19:], pixels[:, :, 18:19].expand(-1, -1, 13))
