"""The codec from image to file and back: prefixes, targets, threads, damage."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.container.reader import Reader
from recodec.errors import (
    ChecksumError,
    DeviceError,
    FormatError,
    LimitError,
    RecodecError,
    SourceError,
    TargetError,
    TruncatedError,
    WeightsError,
)
from recodec.families.recurrent.family import read_planes
from recodec.io.pictures import read_picture
from recodec.networks.entropy.model import EntropyModel, EntropyModelConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.runtime.samples import Samples
from recodec.runtime.tiling import Region, grid_shape
from recodec.weights import load_model, save_model
from tests.conftest import any_size
from tests.plane_files import PlaneFields, read_header, write_header
from tests.zoned import ZONED


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, iterations=8, model=tiny_model)


def test_info_adds_up(data: bytes) -> None:
    info = recodec.info(data)
    assert (info.width, info.height, info.channels, info.bit_depth) == (61, 45, 3, 8)
    assert (info.model, info.details.stride, info.details.depth, info.details.entropy) == (
        "tiny",
        16,
        16,
        "adaptive-1",
    )
    assert info.iterations == len(info.chunk_bytes) == 8
    assert info.header_bytes + sum(info.chunk_bytes) + 3 == info.file_bytes == len(data)
    assert not info.truncated
    assert info.bpp == 8 * len(data) / (61 * 45)
    assert info.prefix_bytes(8) + 3 == len(data)
    assert info.to_dict()["bpp"] == info.bpp


def test_quality_improves_with_every_chunk_early_on(data: bytes, picture: Image.Image) -> None:
    original = np.asarray(picture, np.float64)
    errors = [np.square(image - original).mean() for image in recodec.progressive(data, like="numpy")]
    assert len(errors) == 8
    assert errors[0] > errors[1] > errors[3] > errors[7]


def test_a_codec_has_the_methods_that_need_no_model(tiny_model: str, data: bytes) -> None:
    codec = recodec.load(tiny_model)
    assert codec.info(data) == codec.verify(data) == recodec.info(data)
    assert codec.truncate(data, iterations=2) == recodec.truncate(data, iterations=2)


def test_every_prefix_is_a_picture(data: bytes) -> None:
    pictures = list(recodec.progressive(data, like="numpy"))
    info = recodec.info(data)
    for k in range(1, 9):
        for cut in (
            data[: info.prefix_bytes(k)],
            data[: info.prefix_bytes(k) + 2],
            recodec.truncate(data, iterations=k),
        ):
            np.testing.assert_array_equal(recodec.decode(cut, like="numpy"), pictures[k - 1])
        np.testing.assert_array_equal(recodec.decode(data, like="numpy", iterations=k), pictures[k - 1])


def test_every_cut_decodes_or_says_why(data: bytes) -> None:
    info = recodec.info(data)
    first = info.prefix_bytes(1)
    for length in range(0, len(data), 7):
        cut = data[:length]
        if length < first:
            for function in (recodec.decode, recodec.info, recodec.verify):
                with pytest.raises(TruncatedError):
                    function(cut)
        else:
            assert recodec.info(cut).truncated
            assert recodec.decode(cut).size == (61, 45)
            with pytest.raises(TruncatedError):
                recodec.decode(cut, strict=True)
            with pytest.raises(TruncatedError):
                recodec.verify(cut)
    assert recodec.decode(data, strict=True).size == (61, 45)
    assert recodec.verify(data) == info


def test_truncation_makes_complete_files(data: bytes) -> None:
    for k in range(1, 9):
        short = recodec.truncate(data, iterations=k)
        assert recodec.verify(short).iterations == k
        assert recodec.truncate(data, max_bytes=len(short)) == short
        if k > 1:
            assert recodec.info(recodec.truncate(data, max_bytes=len(short) - 1)).iterations == k - 1
    assert recodec.truncate(data, iterations=99) == data
    assert recodec.truncate(data[:-2], bpp=100) == data
    with pytest.raises(TargetError, match=str(len(recodec.truncate(data, iterations=1)))):
        recodec.truncate(data, max_bytes=60)
    with pytest.raises(TargetError, match="nothing says where"):
        recodec.truncate(data)


def test_size_targets_are_never_exceeded(tiny_model: str, picture: Image.Image, data: bytes) -> None:
    sizes = [len(recodec.truncate(data, iterations=k)) for k in range(1, 9)]
    for k, size in enumerate(sizes, 1):
        assert recodec.encode(picture, max_bytes=size, model=tiny_model) == recodec.truncate(
            data, iterations=k
        )
        if k > 1:
            assert len(recodec.encode(picture, max_bytes=size - 1, model=tiny_model)) == sizes[k - 2]
    with pytest.raises(TargetError, match=f"at least {sizes[0]}"):
        recodec.encode(picture, max_bytes=sizes[0] - 1, model=tiny_model)
    with pytest.raises(TargetError, match=f"at least {sizes[0]}"):
        recodec.encode(picture, bpp=0.01, model=tiny_model)
    assert len(recodec.encode(picture, quality=0, model=tiny_model)) == sizes[0]
    pixels = 61 * 45
    rate = 8 * (sizes[3] + 1) / pixels
    assert len(recodec.encode(picture, bpp=rate, model=tiny_model)) == sizes[3]


def test_metadata_does_not_eat_the_rate_of_a_quality(tiny_model: str, picture: Image.Image) -> None:
    plain = recodec.info(recodec.encode(picture, quality=60, model=tiny_model))
    picture.info["icc_profile"] = b"profile" * 500
    tagged = recodec.info(recodec.encode(picture, quality=60, model=tiny_model))
    assert tagged.iterations == plain.iterations > 1
    with pytest.warns(recodec.MetadataDroppedWarning, match="icc"):
        small = recodec.encode(picture, bpp=0.5, model=tiny_model)
    assert recodec.info(small).metadata == ()


def full_picture(picture: Image.Image) -> Image.Image:
    """The picture with alpha and all kinds of metadata."""
    image = picture.convert("RGBA")
    image.putalpha(picture.getchannel(2))
    image.info.update(icc_profile=b"profile" * 30, xmp=b"<x/>" * 20)
    image.getexif()[0x010F] = "a maker of cameras"
    return image


def test_metadata_is_dropped_last_first(tiny_model: str, picture: Image.Image) -> None:
    image = full_picture(picture)
    whole = recodec.encode(image, iterations=1, model=tiny_model)
    bare = recodec.encode(image, iterations=1, strip=True, model=tiny_model)
    assert recodec.info(whole).metadata == ("icc", "exif", "xmp")
    kept = {}
    for limit in range(len(bare), len(whole) + 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            data = recodec.encode(image, max_bytes=limit, model=tiny_model)
            cut = recodec.truncate(whole, max_bytes=limit)
        assert len(data) <= limit
        assert len(cut) <= limit
        found = recodec.verify(data).metadata
        assert recodec.verify(cut).metadata == found
        assert all(isinstance(each.message, recodec.MetadataDroppedWarning) for each in caught)
        dropped = [each.message.dropped for each in caught if hasattr(each.message, "dropped")]
        assert dropped == [("xmp", "exif", "icc")[: 3 - len(found)]] * (2 if len(found) < 3 else 0)
        assert Reader(data).header().colour == Reader(cut).header().colour == int("icc" in found)
        assert recodec.decode(data).getchannel("A").tobytes() == picture.getchannel(2).tobytes()
        kept[len(found)] = found
    assert kept == {0: (), 1: ("icc",), 2: ("icc", "exif"), 3: ("icc", "exif", "xmp")}
    assert recodec.truncate(whole, max_bytes=len(whole)) == whole
    for function in (
        lambda: recodec.encode(image, max_bytes=len(bare) - 1, model=tiny_model),
        lambda: recodec.truncate(whole, max_bytes=len(bare) - 1),
    ):
        with pytest.raises(TargetError, match=f"at least {len(bare)}, of which .* alpha channel"):
            function()


@pytest.mark.filterwarnings("ignore::recodec.MetadataDroppedWarning")
def test_targets_hold_with_alpha_and_metadata(tiny_model: str, picture: Image.Image) -> None:
    codec = recodec.load(tiny_model)
    rng = np.random.default_rng(6)
    for _ in range(25):
        width, height = (int(side) for side in rng.integers(1, 62, 2))
        image = full_picture(picture.resize((width, height)))
        bpp = float(2 ** rng.uniform(-2, 8))
        limit = int(bpp * width * height / 8)
        for target in ({"bpp": bpp}, {"max_bytes": max(1, limit)}):
            try:
                data = codec.encode(image, **target)  # type: ignore[arg-type]
            except TargetError:
                least = codec.encode(image, iterations=1, strip=True)
                assert len(least) > limit
                continue
            assert len(data) <= max(1, limit)
            assert recodec.info(data).mode == "RGBA"


def test_alpha_counts_in_a_quality(tiny_model: str, picture: Image.Image) -> None:
    image = full_picture(picture)
    limit = 61 * 45 / 8
    counts = {}
    for name, item in (("plain", picture), ("alpha", image)):
        info = recodec.info(recodec.encode(item, quality=80, strip=True, model=tiny_model))
        counts[name] = info.iterations
        assert info.file_bytes <= limit or info.iterations == 1
    assert counts["alpha"] < counts["plain"]
    kept = recodec.info(recodec.encode(image, quality=80, model=tiny_model))
    assert (kept.iterations, kept.metadata) == (counts["alpha"], ("icc", "exif", "xmp"))


def test_psnr_is_that_of_the_colours(tiny_model: str, picture: Image.Image) -> None:
    plain, full = (
        recodec.info(recodec.encode(item, psnr=15, model=tiny_model))
        for item in (picture, full_picture(picture))
    )
    assert full.iterations == plain.iterations > 1


def test_psnr_target_is_reached_at_the_first_chunk_that_can(
    tiny_model: str, picture: Image.Image, data: bytes
) -> None:
    original = np.asarray(picture, np.float64)
    reached = [
        10 * np.log10(255**2 / np.square(image - original).mean())
        for image in recodec.progressive(data, like="numpy")
    ]
    target = float(reached[2]) - 1e-3
    expected = next(k for k, value in enumerate(reached, 1) if value >= target)
    assert recodec.info(recodec.encode(picture, psnr=target, model=tiny_model)).iterations == expected
    with pytest.raises(TargetError, match="all 8 iterations reach"):
        recodec.encode(picture, psnr=90, model=tiny_model)


def test_too_many_iterations_are_refused(tiny_model: str, picture: Image.Image, data: bytes) -> None:
    with pytest.raises(TargetError, match="iterations is 9; model tiny has 8"):
        recodec.encode(picture, iterations=9, model=tiny_model)
    with pytest.raises(TargetError, match="iterations is 0"):
        recodec.decode(data, iterations=0)


def test_sources_may_be_bytes_paths_or_files(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.rcd"
    path.write_bytes(data)
    expected = recodec.decode(data, like="numpy")
    with path.open("rb") as file:
        sources = [bytearray(data), memoryview(data), path, str(path), io.BytesIO(data), file]
        for source in sources:
            np.testing.assert_array_equal(recodec.decode(source, like="numpy"), expected)
    assert recodec.info(path) == recodec.info(data)


@pytest.mark.parametrize(
    "source",
    [None, 3, io.StringIO("text"), Path("nowhere.rcd"), Path(), np.zeros(3), ["a list"]],
    ids=["None", "number", "text", "missing", "folder", "array", "list"],
)
def test_impossible_sources_are_named(source: object) -> None:
    for function in (recodec.info, recodec.verify, recodec.decode, lambda s: list(recodec.progressive(s))):
        with pytest.raises(RecodecError) as caught:
            function(source)  # type: ignore[operator]
        assert "\n" not in str(caught.value)


def test_memory_of_any_layout_is_read(data: bytes) -> None:
    doubled = np.repeat(np.frombuffer(data, np.uint8), 2)
    assert recodec.info(memoryview(doubled)[::2]) == recodec.info(data)
    assert recodec.info(np.frombuffer(data, np.uint8)) == recodec.info(data)  # type: ignore[arg-type]


def test_blocking_mode_is_asked_for(data: bytes) -> None:
    class NotReady(Trickle):
        def read(self, size: int = -1) -> bytes:
            return None  # type: ignore[return-value]

    with pytest.raises(SourceError, match="blocking"):
        list(recodec.progressive(NotReady(data, 1)))


class Trickle(io.RawIOBase):
    """A file that hands out a few bytes at a time, and remembers how many."""

    def __init__(self, data: bytes, step: int):
        self.data, self.step, self.given = data, step, 0

    def read(self, size: int = -1) -> bytes:
        block = self.data[self.given : self.given + self.step]
        self.given += len(block)
        return block


@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_progressive_shows_each_chunk_as_it_arrives(data: bytes, step: int) -> None:
    info = recodec.info(data)
    source = Trickle(data, step)
    for k, image in enumerate(recodec.progressive(source, like="numpy"), 1):
        assert source.given - info.prefix_bytes(k) < step
        np.testing.assert_array_equal(image, recodec.decode(data, like="numpy", iterations=k))
    assert k == 8


def test_progressive_stops_at_the_end_mark(data: bytes) -> None:
    class Open(Trickle):
        def read(self, size: int = -1) -> bytes:
            assert self.given < len(self.data), "read on although the file has ended"
            return super().read(size)

    assert len(list(recodec.progressive(Open(data, 64)))) == 8


def test_endless_chunks_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.container.reader._MAX_PENDING_BYTES", 1 << 16)
    endless = (
        data[: recodec.info(data).prefix_bytes(1)] + bytes([77, 0xFF, 0xFF, 0xFF, 0x7F]) + bytes(1 << 20)
    )
    source = Trickle(endless, 4096)
    with pytest.raises(LimitError, match="single chunk"):
        list(recodec.progressive(source))
    assert source.given < 1 << 17


def test_progressive_without_a_chunk_is_an_error(data: bytes) -> None:
    for cut in (b"", data[:20], data[: recodec.info(data).header_bytes + 3]):
        with pytest.raises(TruncatedError):
            list(recodec.progressive(Trickle(cut, 5)))


def test_threads_share_a_codec(tiny_model: str, picture: Image.Image, data: bytes) -> None:
    codec = recodec.load(tiny_model)
    expected = recodec.decode(data, like="numpy")

    def work(_: int) -> tuple[bytes, bool]:
        own = codec.encode(picture, iterations=8)
        return own, bool((codec.decode(own, like="numpy") == expected).all())

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(8)))
    assert set(results) == {(data, True)}


def test_threads_share_the_default_model() -> None:
    codec = recodec.load()
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as photo:
        crops = [photo.crop((x, 100, x + 160, 228)) for x in (0, 200, 400, 600)]
    alone = codec.encode(crops, iterations=8)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda crop: codec.encode(crop, iterations=8), crops * 2)) == alone * 2


def test_damage_is_found_before_a_picture_is_shown(data: bytes) -> None:
    info = recodec.info(data)
    for k in range(1, 9):
        damaged = bytearray(data)
        damaged[info.prefix_bytes(k) - 1] ^= 0x10
        with pytest.raises(ChecksumError, match=f"code chunk {k} "):
            recodec.decode(damaged)
        with pytest.raises(ChecksumError):
            recodec.verify(damaged)
        if k > 1:
            assert recodec.decode(damaged, iterations=k - 1).size == (61, 45)


def test_damaged_metadata_is_found(tiny_model: str, picture: Image.Image) -> None:
    picture.info["icc_profile"] = b"icc" * 20
    data = recodec.encode(picture, iterations=1, model=tiny_model)
    damaged = data.replace(b"icciccicc", b"icciccicd", 1)
    assert damaged != data
    for function in (recodec.decode, recodec.verify):
        with pytest.raises(ChecksumError, match="icc"):
            function(damaged)


def test_a_lost_chunk_is_found(data: bytes) -> None:
    info = recodec.info(data)
    last = data[: info.prefix_bytes(7)] + data[info.prefix_bytes(8) :]
    with pytest.raises(FormatError, match="end mark"):
        recodec.decode(last)
    swapped = recodec.truncate(data, iterations=2)
    a, b = info.prefix_bytes(1), info.prefix_bytes(2)
    start = info.header_bytes
    swapped = data[:start] + data[a:b] + data[start:a] + data[b:]
    with pytest.raises(ChecksumError):
        recodec.decode(swapped)


def test_unknown_chunks_are_skipped_and_bytes_after_the_end_ignored(data: bytes) -> None:
    info = recodec.info(data)
    cut = info.prefix_bytes(1)
    extended = data[:cut] + bytes([77, 3]) + b"abc" + data[cut:] + b"after the end"
    np.testing.assert_array_equal(recodec.decode(extended, like="numpy"), recodec.decode(data, like="numpy"))
    assert recodec.verify(extended).iterations == 8
    assert recodec.info(extended).file_bytes == len(data) + 5


def header_of(**fields: Any) -> bytes:
    return write_header(PlaneFields(**{"width": 32, "height": 32, "model": "tiny", **fields}))


def test_huge_claims_cost_nothing(tiny_model: str) -> None:
    chunk = bytes([1, 4, 0, 0, 0, 0])
    claims = [
        header_of(width=2**16, height=2**15),
        header_of(width=2**30, height=2**30),
        header_of(width=10_000, height=8_000),
        header_of(width=5_000, height=5_000, stride=1, depth=256),
    ]
    for claim in claims:
        assert recodec.info(claim + chunk).iterations == 1
        for function in (recodec.decode, recodec.verify, lambda d: list(recodec.progressive(d))):
            with pytest.raises((LimitError, WeightsError), match=r"limit|model"):
                function(claim + chunk)
        with pytest.raises(LimitError):
            recodec.verify(claim + chunk)


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
