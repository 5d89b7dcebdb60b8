"""Large pictures in tiles, and what they may take."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import (
    FormatError,
    LimitError,
)
from recodec.families.recurrent.family import read_planes
from tests.codec.files import header_of
from tests.plane_files import read_header, write_header


def with_tiles(data: bytes, columns: int, rows: int, halo: int) -> bytes:
    header, end = read_header(data)
    header.tile_columns, header.tile_rows, header.tile_halo = columns, rows, halo
    return write_header(header) + data[end:]


def test_tiles_do_not_touch_codes(data: bytes) -> None:
    tiled = with_tiles(data, 2, 3, 1)
    info = recodec.verify(tiled)
    assert (info.details.tile_columns, info.details.tile_rows, info.details.tile_halo) == (2, 3, 1)
    for a, b in zip(read_planes(tiled), read_planes(data), strict=True):
        np.testing.assert_array_equal(a, b)


def worst_difference(a: object, b: object) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def test_tiles_with_a_wide_halo_decode_to_the_same_picture(data: bytes) -> None:
    whole = list(recodec.progressive(data, like="numpy"))
    tiled = list(recodec.progressive(with_tiles(data, 2, 3, 2), like="numpy"))
    assert max(worst_difference(a, b) for a, b in zip(whole, tiled, strict=True)) <= 1
    last = recodec.decode(with_tiles(data, 2, 3, 2), like="numpy")
    assert worst_difference(last, tiled[-1]) <= 1
    assert worst_difference(recodec.decode(with_tiles(data, 2, 3, 0), like="numpy"), whole[-1]) > 1


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_large_pictures_are_coded_in_tiles(
    tiny_model: str, picture: Image.Image, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    picture = picture.convert(mode)
    whole = recodec.encode(picture, iterations=4, model=tiny_model)
    monkeypatch.setattr("recodec.families.recurrent.encoder.TILE_SIDE", 2)
    tiled = recodec.encode(picture, iterations=4, model=tiny_model)
    info = recodec.info(tiled)
    assert (info.details.tile_columns, info.details.tile_rows, info.details.tile_halo) == (2, 2, 2)
    for a, b in zip(read_planes(tiled), read_planes(whole), strict=True):
        # Sums in another order may turn a code that is near zero.
        assert (a != b).mean() < 0.01
    pictures = list(recodec.progressive(tiled))
    assert pictures[-1].mode == mode
    assert worst_difference(pictures[-1], recodec.decode(tiled)) <= 1
    small = recodec.encode(picture, psnr=12, model=tiny_model)
    assert recodec.info(small).iterations < 8


def test_states_that_exceed_max_memory_are_refused(
    tiny_model: str, picture: Image.Image, data: bytes
) -> None:
    with pytest.raises(LimitError, match="max_memory"):
        recodec.encode(picture, model=tiny_model, max_memory=1 << 20)
    with pytest.raises(LimitError, match="max_memory"):
        list(recodec.progressive(data, max_memory=1 << 20))


def test_a_halo_of_one_tile_has_no_use(data: bytes) -> None:
    np.testing.assert_array_equal(
        recodec.decode(with_tiles(data, 1, 1, 255), like="numpy"), recodec.decode(data, like="numpy")
    )


def test_many_tiles_with_wide_halos_are_refused(data: bytes) -> None:
    with pytest.raises(LimitError, match="4 x 3 tiles with a halo of 255"):
        recodec.decode(with_tiles(data, 4, 3, 255), max_pixels=1 << 16)


def test_too_many_chunks_are_refused_before_they_are_decoded(tiny_model: str, data: bytes) -> None:
    info = recodec.info(data)
    chunk = data[info.prefix_bytes(7) : info.prefix_bytes(8)]
    long = data[: info.prefix_bytes(8)] + chunk * 200
    for function in (recodec.decode, lambda d: list(recodec.progressive(d))):
        with pytest.raises(FormatError, match="more code chunks than the 8"):
            function(long)


def test_verifying_takes_bounded_work() -> None:
    claim = header_of(width=512, height=512, stride=2, depth=256) + bytes([1, 4, 0, 0, 0, 0])
    with pytest.raises(LimitError, match="too long"):
        recodec.verify(claim, max_pixels=512 * 512)
