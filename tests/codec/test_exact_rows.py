"""Files without loss that begin with a preview: any prefix is a picture, and the whole is exact."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

import recodec
import recodec.pillow
from recodec import _core
from recodec.container.core import EXACT, STRIP, attached_chunk, end_chunk
from recodec.pillow import RecodecImageFile
from tests.cli.running import run
from tests.mutations import chunk_ranges
from tests.refused import assert_refused
from tests.slow_coder import decode_file
from tests.slow_container import Reader, RejectedError, check_strip, read_chunks, read_header

ROWS, STRIPS = 16, 3


@pytest.fixture(autouse=True)
def strips_of_sixteen_rows(monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> None:
    monkeypatch.setattr("recodec.families.lossless.engine._STRIP_PIXELS", ROWS * picture.width)


@pytest.fixture
def data(picture: Image.Image, tiny_model: str) -> bytes:
    return recodec.encode(picture, model=tiny_model, lossless=True, preview=1.5, effort="best")


def pixels(data: bytes, **options: Any) -> NDArray[Any]:
    return recodec.decode(data, like="numpy", **options)


def types(data: bytes) -> list[int]:
    return [data[start] for start, _ in chunk_ranges(data)]


def without_end(data: bytes) -> bytes:
    return data[: chunk_ranges(data)[-1][0]]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_mode_comes_back(picture: Image.Image, tiny_model: str, mode: str) -> None:
    image = picture.convert(mode)
    if mode.endswith("A"):
        image.putalpha(picture.convert("L"))
    image.info["icc_profile"], image.info["xmp"] = b"a profile", b"<x/>"
    data = recodec.encode(image, model=tiny_model, lossless=True, preview=1.5)
    info = recodec.verify(data)
    assert (info.mode, info.lossless, info.strips, info.metadata) == (mode, True, STRIPS, ("icc", "xmp"))
    # What tells of exact rows comes first, and they before what no picture needs.
    codes = [1] * info.iterations
    alpha = [3] if mode.endswith("A") else []
    assert types(data) == [EXACT, 2, *alpha, *codes, *[STRIP] * STRIPS, 5, 0]
    shown = recodec.decode(data)
    assert (shown.mode, shown.tobytes(), shown.info["xmp"]) == (mode, image.tobytes(), b"<x/>")


@pytest.mark.parametrize("size", [(1, 1), (1, 99), (300, 1), (17, 31), (16, 16)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sizes(size: tuple[int, int], channels: int, tiny_model: str) -> None:
    samples = np.random.default_rng(5).integers(0, 256, (*size, channels), np.uint8)
    data = recodec.encode(samples, model=tiny_model, lossless=True, preview=0.01)
    info = recodec.verify(data)
    assert (info.iterations, info.lossless) == (1, True)
    np.testing.assert_array_equal(pixels(data), samples)
    *_, last = recodec.progressive(data, like="numpy")
    np.testing.assert_array_equal(last, samples)


def test_the_preview_is_the_lossy_picture(picture: Image.Image, tiny_model: str, data: bytes) -> None:
    info = recodec.info(data)
    lossy = recodec.encode(picture, model=tiny_model, iterations=info.iterations)
    assert 8 * sum(info.chunk_bytes) / info.pixels < 1.5 + 8 * 6 * info.iterations / info.pixels
    assert recodec.truncate(data, iterations=info.iterations) == lossy
    np.testing.assert_array_equal(pixels(data, iterations=info.iterations), pixels(lossy))
    for number, shown in enumerate(recodec.progressive(lossy, like="numpy"), 1):
        np.testing.assert_array_equal(pixels(data, iterations=number), shown)


def test_alpha_is_not_counted_in_the_preview(picture: Image.Image, tiny_model: str) -> None:
    plain = recodec.encode(picture, model=tiny_model, lossless=True, preview=1.5)
    picture.putalpha(Image.fromarray(np.random.default_rng(1).integers(0, 256, (45, 61), np.uint8)))
    data = recodec.encode(picture, model=tiny_model, lossless=True, preview=1.5)
    assert recodec.info(data).chunk_bytes == recodec.info(plain).chunk_bytes


def test_any_prefix_is_a_picture(picture: Image.Image, data: bytes) -> None:
    original, info = np.asarray(picture), recodec.info(data)
    lossy = pixels(data, iterations=info.iterations)
    shown = list(recodec.progressive(io.BytesIO(data), like="numpy"))
    assert len(shown) == info.iterations + STRIPS
    ends = [end for (_, end), kind in zip(chunk_ranges(data), types(data), strict=True) if kind == STRIP]
    assert [info.prefix_bytes(info.iterations), *ends] == sorted({info.prefix_bytes(info.iterations), *ends})
    for strips, end in enumerate([info.prefix_bytes(info.iterations), *ends]):
        known = min(strips * ROWS, len(original))
        for cut in (end, end + 2):
            cut_picture = pixels(data[:cut])
            np.testing.assert_array_equal(cut_picture[:known], original[:known])
            np.testing.assert_array_equal(cut_picture[known:], lossy[known:])
            np.testing.assert_array_equal(cut_picture, shown[info.iterations - 1 + strips])
            found = recodec.info(data[:cut])
            assert (found.truncated, found.strips, found.lossless) == (True, strips, strips == STRIPS)
            for function in (lambda part: pixels(part, strict=True), recodec.verify):
                with pytest.raises(recodec.TruncatedError, match="cut after"):
                    function(data[:cut])


def test_of_whole_files_nothing_lossy_is_computed(
    picture: Image.Image, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("must not be called")

    monkeypatch.setattr("recodec.families.recurrent.decoder.RecurrentDecoder.take", fail)
    assert recodec.decode(data).tobytes() == picture.tobytes()


def test_lists_of_files(picture: Image.Image, data: bytes, tiny_model: str) -> None:
    codec = recodec.load(tiny_model)
    found = codec.decode([data, without_end(data), recodec.encode(picture, model=tiny_model)], like="numpy")
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()
    assert codec.encode([picture, picture], lossless=True, preview=1.5, effort="best") == [data, data]


def test_damage_is_found_before_it_is_shown(data: bytes) -> None:
    found = [
        part for part, kind in zip(chunk_ranges(data), types(data), strict=True) if kind in (EXACT, STRIP)
    ]
    assert len(found) == 1 + STRIPS
    for start, end in found:
        for at in (start, start + 3, start + 7, end - 1):
            # As a chunk that nobody knows, the last strip is missing, which is no damage, but said.
            if at == found[-1][0]:
                continue
            damaged = bytearray(data)
            damaged[at] ^= 0x20
            for function in (recodec.decode, recodec.verify, lambda part: list(recodec.progressive(part))):
                with pytest.raises(recodec.FormatError):
                    function(bytes(damaged))


def test_a_strip_that_is_missing_is_said(data: bytes, tmp_path: Path) -> None:
    *_, (start, end), _ = chunk_ranges(data)
    path = tmp_path / "a.rcd"
    path.write_bytes(data[:start] + data[end:])
    info = recodec.verify(path)
    assert (info.truncated, info.strips, info.lossless) == (False, 2, False)
    assert "2 of 3 strips; the rows below these are lossy" in run("decode", path, tmp_path / "a.png").stderr


def test_strips_at_the_place_of_others(data: bytes, tiny_model: str, picture: Image.Image) -> None:
    flat = recodec.encode(Image.new("RGB", picture.size), model=tiny_model, lossless=True, preview=1)
    for file in (data, flat):
        strips = [part for part, kind in zip(chunk_ranges(file), types(file), strict=True) if kind == STRIP]
        (a, b), (_, c) = strips[0], strips[1]
        swapped = file[:a] + file[b:c] + file[a:b] + file[c:]
        missing = file[:a] + file[b:]
        twice = file[:b] + file[a:b] + file[b:]
        for wrong in (swapped, missing, twice):
            with pytest.raises(recodec.FormatError):
                recodec.decode(wrong)


def remade(data: bytes, order: list[int]) -> bytes:
    """The chunks of a file in another order, -1 for one of type 99."""
    parts = [data[start:end] for start, end in chunk_ranges(data)]
    header = data[: chunk_ranges(data)[0][0]]
    chosen = [_core.write_chunk(99, b"x") if at == -1 else parts[at] for at in order]
    return header + b"".join(chosen) + end_chunk(sum(part[0] == 1 for part in chosen))


def test_chunks_at_the_wrong_place(data: bytes) -> None:
    codes = types(data).count(1)
    inner = list(range(1, codes + 1))
    first, second, third = codes + 1, codes + 2, codes + 3
    assert recodec.verify(remade(data, [0, -1, *inner, -1, first, -1, second, third])).lossless
    for order, words in (
        ([*inner, 0, first, second, third], "exact chunk stands behind other chunks"),
        ([-1, 0, *inner, first, second, third], "exact chunk stands behind other chunks"),
        ([0, 0, *inner, first, second, third], "exact chunk stands behind other chunks"),
        ([*inner, first, second, third], "without the exact chunk before it"),
        ([0, first, *inner, second, third], "without code chunks before it"),
        ([0, *inner[:-1], first, inner[-1]], "a code chunk comes after strips"),
        ([0, *inner, first, second, third, third], "more strips than the 3 of its picture"),
    ):
        assert_refused(remade(data, order), recodec.FormatError, words)
        with pytest.raises(recodec.FormatError, match=words):
            recodec.truncate(remade(data, order), max_bytes=10**6)
        with pytest.raises(RejectedError):
            decode_file(remade(data, order))


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "01",
        "00100273",
        "09100273",
        "01100973",
        "01000273",
        "01800a0273",
        "01100271",
        "01100253",
        "01100274",
    ],
)
def test_claims_about_strips(data: bytes, fields: str) -> None:
    (start, end), *_ = chunk_ranges(data)
    wrong = data[:start] + attached_chunk(EXACT, bytes.fromhex(fields)) + data[end:]
    assert_refused(wrong, recodec.FormatError)
    with pytest.raises(RejectedError):
        decode_file(wrong)


def opened(data: bytes) -> RecodecImageFile:
    image = Image.open(io.BytesIO(data), formats=["RECODEC"])
    assert isinstance(image, RecodecImageFile)
    return image


def test_limits_hold_on_every_way(
    data: bytes, picture: Image.Image, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {
        "decode": lambda **limits: recodec.decode(data, **limits),
        "verify": lambda **limits: recodec.verify(data, **limits),
        "progressive": lambda **limits: next(recodec.progressive(data, **limits)),
        "encode": lambda **limits: recodec.encode(
            picture, model=tiny_model, lossless=True, preview=1, **limits
        ),
    }
    for way in ways.values():
        for limits in ({"max_pixels": 100}, {"max_memory": 1 << 20}):
            with pytest.raises(recodec.LimitError):
                way(**limits)
    lossy = recodec.truncate(data, iterations=1)
    # What strips take comes on top of what the lossy picture takes.
    taken = 64 << 20
    monkeypatch.setattr("recodec.families.lossless.fields.StripFields.memory", lambda *_: taken)
    least = next(n for n in range(1 << 20, 1 << 31, 1 << 20) if accepts(lossy, n))
    assert accepts(lossy, least)
    assert not accepts(data, least)
    assert not accepts(data, least + taken - (1 << 20))
    assert accepts(data, least + taken)
    monkeypatch.setattr("recodec.pillow.MAX_MEMORY", least)
    with pytest.raises(OSError, match="max_memory"):
        opened(data).load()


def accepts(data: bytes, max_memory: int) -> bool:
    try:
        recodec.verify(data, max_memory=max_memory)
    except recodec.LimitError:
        return False
    return True


def test_truncating_drops_strips_first(data: bytes) -> None:
    info = recodec.info(data)
    sizes = [len(data)]
    for strips in range(STRIPS - 1, -1, -1):
        cut = recodec.truncate(data, max_bytes=sizes[-1] - 1)
        found = recodec.verify(cut)
        assert (found.iterations, found.strips, found.lossless) == (info.iterations, strips, False)
        # Nothing tells of what does not follow.
        assert (found.exact is None) == (strips == 0)
        sizes.append(len(cut))
    assert recodec.info(recodec.truncate(data, max_bytes=sizes[-1] - 1)).iterations < info.iterations
    for whole in ({"max_bytes": len(data)}, {"bpp": 1000}):
        assert recodec.truncate(data, **whole) == data
    assert recodec.truncate(without_end(data), bpp=1000) == data
    assert recodec.truncate(data, iterations=99) == recodec.truncate(data, iterations=info.iterations)


def test_metadata_stay_behind_the_strips(picture: Image.Image, tiny_model: str) -> None:
    picture.info["xmp"] = b"<x/>"
    data = recodec.encode(picture, model=tiny_model, lossless=True, preview=1)
    assert recodec.truncate(data, max_bytes=len(data)) == data
    cut = recodec.truncate(data, max_bytes=len(data) - 1)
    assert types(cut)[-3:] == [STRIP, 5, 0]


def test_slow_reader_agrees(data: bytes, picture: Image.Image) -> None:
    header, planes, truncated = decode_file(data)
    info = recodec.info(data)
    assert (len(planes), truncated, len(header.exact.strips)) == (info.iterations, False, STRIPS)
    expected = {"rows": ROWS, "effort": 2, "channels": 3, "depth": 8, "count": STRIPS}
    assert vars(header.exact.fields) == expected
    for number, payload in enumerate(header.exact.strips):
        rows = np.asarray(picture)[ROWS * number : ROWS * (number + 1)]
        check_strip(payload, STRIP, number, rows.tobytes())


def test_a_reader_that_knows_no_strips_shows_the_preview(data: bytes) -> None:
    """As those of revision 1.9 and before, which skip what they do not know."""
    reader = Reader(data)
    header = read_header(reader)
    chunks = list(read_chunks(reader))
    info = recodec.info(data)
    assert (header.family, header.bit_depth) == (1, 8)
    assert [payload for kind, payload in chunks if kind == 0] == [bytes([info.iterations])]
    assert sum(kind == 1 for kind, _ in chunks) == info.iterations


def test_pillow(data: bytes, picture: Image.Image, tmp_path: Path, tiny_model: str) -> None:
    picture.save(tmp_path / "a.rcd", model=tiny_model, lossless=True, preview=1.5, effort="best")
    assert (tmp_path / "a.rcd").read_bytes() == data
    with opened(data) as image:
        assert image.n_iterations == recodec.info(data).iterations
        assert image.tobytes() == picture.tobytes()
    with opened(data) as image:
        image.verify()
    with opened(data) as image:
        image.iterations = 1
        assert image.tobytes() == recodec.decode(data, iterations=1).tobytes()
    with opened(data) as image:
        image.draft(None, (6, 6))
        image.load()
        drafted = recodec.decode(data, iterations=image.iterations, max_size=image.size)
        assert (image.tobytes(), image.size) == (drafted.tobytes(), drafted.size)
        assert image.iterations < image.n_iterations
        assert max(image.size) < max(picture.size)


def test_pillow_shows_what_comes_before_damage(
    data: bytes, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = bytearray(data)
    damaged[chunk_ranges(data)[-2][1] - 3] ^= 1
    with pytest.raises(OSError, match="strip 3 is damaged"):
        opened(bytes(damaged)).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    shown = np.asarray(opened(bytes(damaged)))
    np.testing.assert_array_equal(shown[: 2 * ROWS], np.asarray(picture)[: 2 * ROWS])


def test_commands(tmp_path: Path, picture: Image.Image, tiny_model: str) -> None:
    source, coded, shown, cut = (tmp_path / name for name in ("a.png", "a.rcd", "b.png", "cut.rcd"))
    picture.save(source)
    made = run("encode", "--lossless", "--preview", 1.5, "--model", tiny_model, source, coded)
    assert "iterations, 3 of 3 strips" in made.stderr
    said = run("info", coded).output
    assert "strips   3 of 16 rows, effort default" in said
    assert "lossless every sample" in said
    record = json.loads(run("info", "--json", coded).output)
    expected = {"strips": 3, "strips_present": 3, "strip_rows": 16, "effort": "default", "lossless": True}
    assert expected.items() <= record.items()
    assert "3 of 3 strips" in run("verify", coded).output
    run("decode", coded, shown)
    assert Image.open(shown).tobytes() == picture.tobytes()
    record = json.loads(run("decode", "--json", "--iterations", 1, coded, shown).output)
    assert (record["lossless"], record["warnings"]) == (False, [])
    size = coded.stat().st_size
    run("truncate", "--max-bytes", size - 1, coded, cut)
    assert "lossless no, 2 of 3 strips are there" in run("info", cut).output
    assert "2 of 3 strips; the rows below these are lossy" in run("decode", cut, shown).stderr
    cut.write_bytes(coded.read_bytes()[:-20])
    assert "the file was cut" in run("decode", cut, shown).stderr


def test_lossy_files_are_what_they_were(picture: Image.Image, tiny_model: str) -> None:
    data = recodec.encode(picture, model=tiny_model, iterations=2)
    info = recodec.info(data)
    assert (info.exact, info.strips, info.lossless) == (None, 0, False)
    assert types(data) == [1, 1, 0]
