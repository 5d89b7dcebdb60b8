"""Every prefix of a file is a picture, and sizes are what was asked for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.container.reader import Reader
from recodec.container.targets import quality_to_bpp
from recodec.errors import (
    TargetError,
    TruncatedError,
)


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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_truncated_quality_is_the_encoded_one(tiny_model: str, picture: Image.Image, mode: str) -> None:
    image = picture.resize((300, 200)).convert(mode)
    image.info["xmp"] = b"<x/>" * 300
    whole = recodec.encode(image, model=tiny_model, iterations=8)
    counts = set()
    for quality in range(0, 101, 5):
        expected = recodec.encode(image, model=tiny_model, quality=quality)
        assert recodec.truncate(whole, quality=quality) == expected
        counts.add(recodec.info(expected).iterations)
    assert len(counts) > 3
    with pytest.raises(TargetError, match="quality is 101"):
        recodec.truncate(whole, quality=101)
    with pytest.raises(TargetError, match="quality and bpp are given"):
        recodec.truncate(whole, quality=10, bpp=1)
    both = recodec.encode(image, model=tiny_model, lossless=True, preview=1)
    assert recodec.info(recodec.truncate(both, quality=100)).exact is None


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
    assert recodec.info(recodec.encode(full_picture(picture), quality=0, model=tiny_model)).iterations == 1
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


def code_bytes(info: recodec.Info) -> int:
    """Without type, size and checksum of chunks that are shorter than 128 bytes."""
    return sum(size - 6 for size in info.chunk_bytes)


def test_the_header_does_not_eat_the_rate_of_a_small_picture(tiny_model: str, picture: Image.Image) -> None:
    for quality in (0, 10):
        limit = quality_to_bpp(quality, 61 * 45) * 61 * 45 / 8
        info = recodec.info(recodec.encode(picture, quality=quality, model=tiny_model))
        more = recodec.encode(picture, iterations=info.iterations + 1, model=tiny_model)
        assert code_bytes(info) <= limit < code_bytes(recodec.info(more))
        assert info.file_bytes > limit


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
    limit = quality_to_bpp(0, 61 * 45) * 61 * 45 / 8
    counts = {}
    for name, item in (("plain", picture), ("alpha", image)):
        info = recodec.info(recodec.encode(item, quality=0, strip=True, model=tiny_model))
        counts[name] = info.iterations
        assert code_bytes(info) <= limit or info.iterations == 1
    assert counts["alpha"] < counts["plain"]
    kept = recodec.info(recodec.encode(image, quality=0, model=tiny_model))
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
