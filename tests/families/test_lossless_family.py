"""Files of family 2: every sample comes back, whatever the picture; prefixes show the strips that are there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
import recodec.pillow
from recodec import _core
from recodec.container.core import ALPHA_IN_STRIPS, CODES, XMP, end_chunk
from recodec.container.reader import Reader
from recodec.families.lossless import engine
from recodec.families.lossless.fields import StripFields
from tests import slow_container
from tests.container.test_container import in_full
from tests.refused import assert_refused
from tests.slow_container import check_strip, read_header
from tests.strip_files import small_strips


@pytest.fixture
def strips_of_sixteen_rows(monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> None:
    monkeypatch.setattr(engine, "_STRIP_PIXELS", 16 * picture.width)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_every_mode_comes_back(picture: Image.Image, mode: str) -> None:
    image = picture.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(picture.convert("L"))
    stored = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
    shown = recodec.decode(recodec.encode(image, model="lossless"))
    assert (shown.mode, shown.tobytes()) == (stored.mode, stored.tobytes())


def test_a_short_header_says_the_same() -> None:
    samples = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    data = recodec.encode(samples, lossless=True)
    end = recodec.info(data).header_bytes
    assert end == 19
    long = in_full(data[:end])
    assert len(long) == 37
    assert read_header(slow_container.Reader(long)).strips == read_header(slow_container.Reader(data)).strips
    for header in (data[:end], long):
        np.testing.assert_array_equal(recodec.decode(header + data[end:], like="numpy"), samples)


@pytest.mark.usefixtures("strips_of_sixteen_rows")
def test_strips_are_chunks(picture: Image.Image) -> None:
    data = recodec.encode(picture, model="lossless")
    kept = np.asarray(picture)
    chunks = [chunk for chunk in Reader(data).chunks() if chunk.type == CODES]
    for number, chunk in enumerate(chunks):
        check_strip(chunk.payload, CODES, number, kept[16 * number : 16 * (number + 1)].tobytes())
    info = recodec.verify(data)
    strips = -(-picture.height // 16)
    assert (info.family, info.iterations, info.details.strips) == ("lossless", strips, strips)
    original = np.asarray(picture)
    for number, shown in enumerate(recodec.progressive(io.BytesIO(data)), start=1):
        known = 16 * number
        np.testing.assert_array_equal(np.asarray(shown)[:known], original[:known])
        assert (np.asarray(shown)[known:] == 128).all()
    cut = data[: info.prefix_bytes(2) + 5]
    np.testing.assert_array_equal(np.asarray(recodec.decode(cut))[:32], original[:32])
    with pytest.raises(recodec.TruncatedError):
        recodec.decode(cut, strict=True)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.usefixtures("strips_of_sixteen_rows")
def test_alpha_is_a_channel_of_strips(picture: Image.Image, mode: str) -> None:
    image = picture.convert(mode)
    image.putalpha(picture.convert("L"))
    image.info["xmp"] = b"<x/>"
    data = recodec.encode(image, lossless=True)
    chunks = list(Reader(data).chunks())
    assert [chunk.type for chunk in chunks] == [CODES, CODES, CODES, XMP]
    assert _core.read_header(data)[0].alpha == ALPHA_IN_STRIPS
    original = np.asarray(image)
    for number, chunk in enumerate(chunks[:3]):
        check_strip(chunk.payload, CODES, number, original[16 * number : 16 * (number + 1)].tobytes())
    info = recodec.verify(data)
    assert (info.mode, info.alpha, info.channels) == (mode, True, len(mode) - 1)
    # Below the strips that are there is nothing to be seen.
    shown = np.asarray(recodec.decode(data[: info.prefix_bytes(2)]))
    np.testing.assert_array_equal(shown[:32], original[:32])
    assert (shown[32:, :, -1] == 0).all()
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.mode, opened.tobytes()) == (mode, image.tobytes())


@pytest.mark.parametrize(
    ("model", "alpha", "wrong"),
    [
        ("lossless", True, 1),
        ("lossless", False, 2),
        ("lossless", True, 0),
        ("tiny", True, 2),
        ("mlp", True, 2),
    ],
)
def test_each_family_has_its_alpha_method(
    picture: Image.Image, tiny_model: str, model: str, alpha: bool, wrong: int
) -> None:
    if alpha:
        picture.putalpha(picture.convert("L"))
    data = recodec.encode(picture, model=model)
    header, end = _core.read_header(data)
    assert header.alpha == alpha * (2 if model == "lossless" else 1)
    body = bytearray(data[: end - 4])
    # Behind magic, version, sizes and samples.
    body[4 + 2 + 1 + 2 + 1] = wrong << 4
    edited = bytes(body) + _core.crc32c(body).to_bytes(4, "little") + data[end:]
    assert_refused(edited, recodec.UnsupportedError)


@pytest.mark.usefixtures("strips_of_sixteen_rows")
def test_damage_is_found(picture: Image.Image) -> None:
    data = recodec.encode(picture, model="lossless")
    first = recodec.info(data).prefix_bytes(1)
    for at in (first - 30, first + 40, first + 2):
        damaged = bytearray(data)
        damaged[at] ^= 4
        for function in (recodec.decode, recodec.verify):
            with pytest.raises(recodec.FormatError):
                function(bytes(damaged))


@pytest.mark.usefixtures("strips_of_sixteen_rows")
def test_strips_at_the_place_of_others(picture: Image.Image) -> None:
    for image in (picture, Image.new("RGB", picture.size)):
        data = recodec.encode(image, model="lossless")
        info = recodec.info(data)
        a, b, c = info.header_bytes, info.prefix_bytes(1), info.prefix_bytes(2)
        swapped = data[:a] + data[b:c] + data[a:b] + data[c:]
        for function in (recodec.decode, recodec.verify):
            with pytest.raises(recodec.ChecksumError, match="code chunk 1 is damaged"):
                function(swapped)


def test_a_strip_too_many_is_refused(picture: Image.Image) -> None:
    data = recodec.encode(picture, model="lossless")
    info = recodec.info(data)
    chunk = data[info.header_bytes : info.prefix_bytes(1)]
    assert chunk[0] == CODES
    longer = data[: info.header_bytes] + 2 * chunk + end_chunk(2)
    with pytest.raises(recodec.FormatError, match="more code chunks than the 1 strips"):
        recodec.decode(longer)


def test_floats_that_are_levels_come_back() -> None:
    levels = torch.arange(3 * 40 * 50).reshape(3, 40, 50) % 256
    data = recodec.encode(levels / 255, model="lossless")
    assert torch.equal(recodec.decode(data, like="torch"), levels.to(torch.uint8))
    with pytest.raises(recodec.ImageError, match="none of the 256 levels"):
        recodec.encode(levels / 256, model="lossless")


def test_limits(picture: Image.Image) -> None:
    data = recodec.encode(picture, model="lossless")
    for options in ({"max_pixels": 100}, {"max_memory": 1 << 20}):
        with pytest.raises(recodec.LimitError):
            recodec.decode(data, **options)
        with pytest.raises(recodec.LimitError):
            recodec.encode(picture, model="lossless", **options)


@pytest.mark.parametrize(
    "target", [{"quality": 60}, {"bpp": 1}, {"max_bytes": 9999}, {"psnr": 60}, {"iterations": 1}]
)
def test_targets_are_refused(picture: Image.Image, target: dict[str, float]) -> None:
    with pytest.raises(recodec.TargetError, match=f"keep every sample.*leave out {next(iter(target))}"):
        recodec.encode(picture, model="lossless", **target)


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (17, 31)])
def test_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    samples = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    path = tmp_path / "a.rcd"
    path.write_bytes(recodec.encode(samples, model="lossless"))
    np.testing.assert_array_equal(recodec.decode(path, like="numpy"), samples)


def test_fields() -> None:
    header = _core.Header()
    header.width, header.height, header.channels = 9, 400, 3
    for fields, text in (
        (StripFields(37, 0, 3), "01250073"),
        (StripFields(300, 2, 3), "01ac020273"),
    ):
        assert fields.to_bytes().hex() == text
        assert StripFields.read(fields.to_bytes(), header) == fields
        # A later revision may append fields.
        assert StripFields.read(fields.to_bytes() + b"more", header) == fields


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ("", recodec.FormatError, "are cut"),
        ("01", recodec.FormatError, "are cut"),
        ("012502", recodec.FormatError, "are cut"),
        ("00250073", recodec.UnsupportedError, "version of the lossless coder is 0"),
        ("09020073", recodec.UnsupportedError, "version of the lossless coder is 9"),
        ("01240073", recodec.FormatError, "strip rows is 36; it must lie in 37..400"),
        ("0191030073", recodec.FormatError, "strip rows is 401; it must lie in 37..400"),
        ("01250373", recodec.UnsupportedError, "effort is 3; this version knows 0 to 2"),
        ("01250074", recodec.UnsupportedError, "strips hold 4 channels of 8 bits"),
        ("01250053", recodec.UnsupportedError, "strips hold 3 channels of 6 bits"),
    ],
)
def test_bad_fields(data: str, kind: type[Exception], message: str) -> None:
    header = _core.Header()
    header.width, header.height, header.channels = 9, 400, 3
    with pytest.raises(kind, match=message):
        StripFields.read(bytes.fromhex(data), header)


@pytest.mark.parametrize(
    ("size", "least"),
    [
        ((1, 1), 1),
        ((1, 8), 1),
        ((1, 9), 2),
        ((1, 1000), 125),
        ((1000, 1000), 4),
        ((64, 255), 12),
        ((16384, 1), 1),
    ],
)
def test_strips_are_no_more_than_pixels_pay_for(size: tuple[int, int], least: int) -> None:
    header = _core.Header()
    header.width, header.height = size
    header.channels = 3
    assert StripFields.read(StripFields(least, 0, 3).to_bytes(), header).strip_rows == least
    with pytest.raises(recodec.FormatError, match=f"it must lie in {least}"):
        StripFields.read(StripFields(least - 1, 0, 3).to_bytes(), header)
    if size[0] * size[1] < 1 << 15:
        with small_strips(1, size[0]):
            data = recodec.encode(np.zeros((size[1], size[0]), np.uint8), lossless=True, effort="fast")
        assert recodec.verify(data).details.strip_rows == least
