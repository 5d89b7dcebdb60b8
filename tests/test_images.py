"""Pictures in and out, of every kind and size, and those that are refused."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

import recodec
from recodec.errors import ImageError, LimitError, TargetError
from recodec.io.pictures import read_picture
from tests.conftest import any_size


def test_arrays_of_any_layout_are_the_same_picture(tiny_model: str, picture: Image.Image) -> None:
    array = np.asarray(picture)
    expected = recodec.encode(array, iterations=1, model=tiny_model)
    mirrored = np.ascontiguousarray(array[::-1])[::-1]
    wide = np.repeat(array, 2, axis=1)[:, ::2]
    for same in (mirrored, wide, np.asfortranarray(array)):
        assert recodec.encode(same, iterations=1, model=tiny_model) == expected
    tensor = torch.tensor(array).float().div(255).permute(2, 0, 1)
    for other in (tensor.double(), tensor.clone().requires_grad_(), tensor.contiguous()):
        assert recodec.encode(other, iterations=1, model=tiny_model) == expected


def test_decoded_tensors_are_ordinary(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, iterations=1, model=tiny_model)
    for tensor in (recodec.decode(data, like="torch"), next(recodec.progressive(data, like="torch"))):
        assert not tensor.is_inference()
        tensor.add_(1)


def deep_png(samples: NDArray[np.uint16], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG file of 16 bits per sample, H×W×C with C from 1 to 4."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)),
        *extra,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


def deep_files() -> dict[str, bytes]:
    rng = np.random.default_rng(3)
    files = {f"c{c}.png": deep_png(rng.integers(0, 65536, (9, 7, c), np.uint16)) for c in (1, 2, 3, 4)}
    grey = rng.integers(0, 65536, (9, 7), np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "tiff")
    files["grey.tif"] = buffer.getvalue()
    files["grey.pgm"] = b"P5 7 9 65535\n" + grey.astype(">u2").tobytes()
    files["colour.ppm"] = b"P6 7 3 1023\n" + (grey % 1024).astype(">u2").tobytes()
    return files


DEEP = deep_files()


@pytest.mark.parametrize("name", DEEP)
def test_sixteen_bits_want_an_explicit_choice(tiny_model: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(DEEP[name])
    for item in (path, Image.open(io.BytesIO(DEEP[name]))):
        with pytest.raises(ImageError, match=r"(more than 8 bits|I;16).*convert=True \(--convert\)"):
            recodec.encode(item, model=tiny_model)
        info = recodec.info(recodec.encode(item, convert=True, iterations=1, model=tiny_model))
        expected = {"c1": "L", "c2": "RGBA", "c3": "RGB", "c4": "RGBA", "grey": "L", "colour": "RGB"}
        assert info.mode == expected[name.split(".")[0]]


@pytest.mark.parametrize("name", ["c1.png", "grey.tif", "grey.pgm"])
def test_sixteen_bits_are_scaled_and_rounded(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DEEP[name])
    with Image.open(tmp_path / name) as image:
        deep = np.asarray(image, np.float64)
    picture = read_picture(tmp_path / name, any_size, convert=True)
    np.testing.assert_array_equal(picture.samples[0].numpy(), np.rint(deep / 257))
    array = np.arange(65536).astype(np.uint16).reshape(256, 256)
    for item in (array, torch.from_numpy(array)[None]):
        samples = read_picture(item, any_size, convert=True).samples[0].numpy()
        np.testing.assert_array_equal(samples, np.rint(array / 257))


# Grey 700 of 1023, 8×8, of 10 bits per sample: Pillow reads these formats but writes them with 8 bits.
TEN_BITS = {
    "a.jp2": (
        "0000CYEU2`4GM<}0000KW^{RQYH%_j00000YH%_j0000jYH%`W0000MX=r3}000080000800RjJ0000001sntY;pkr"
        "000005C8xGnQCw{WB*V8Q2;Lh000002mk;82mk;800000000002mk;82mk;8000000009C0RagC0SN&C|55-"
        "9000010RRL900IA800cl#|6~9q00BdCWnpw>WFTUBAWv{*Zc0!^M<8}(a&u{KZXhx)H7+#&kN^q*00000ApimYlgHp"
        "36aZYJhNSQS0004mguj4*|Je"
    ),
    "a.avif": (
        "0000WW^{RQVRmU|00000VRmU|ZE0pPZE0a<O+hh10002%ZDn*}000000000XXk=`10000000000aA{+70000000000"
        "00000000004sdC7Z2$lO000310016oY;R)#0000)000310RR910RR926951J9{>OVC~0YKW&i*H00031000_kZf0cy"
        "000000RRADb}%tRZ)|UJ00000YH4tCZ~y=ROKEUpZvX%Q6lrsCWdHyG000002mk;82mk;85O8UDX#fBK00RmN3IG5A"
        "3}JRLLxCVb000006Ju{|a&BX6cmM(b0ssbp0000NX>e^}0000000001009I60)qqq001X#WMOm?015~=2)}Ov0tS#W"
        "5g9^b1i%0^0001xKbs6-kzf"
    ),
}


@pytest.mark.parametrize("name", TEN_BITS)
def test_ten_bits_want_an_explicit_choice(tiny_model: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(base64.b85decode(TEN_BITS[name]))
    with Image.open(path) as image:
        for item in (path, image):
            with pytest.raises(ImageError, match=r"more than 8 bits.*convert=True \(--convert\)"):
                recodec.encode(item, model=tiny_model)
    samples = read_picture(path, any_size, convert=True).samples
    assert samples.unique().tolist() == [175]
    with Image.open(path) as image:
        image.load()
        with pytest.raises(ImageError, match="more than 8 bits"):
            recodec.encode(image, model=tiny_model)
        # Of a copy nothing tells what it was made from.
        assert recodec.encode(image.copy(), iterations=1, model=tiny_model)
    Image.new("RGB", (8, 8)).save(path)
    assert recodec.encode(path, iterations=1, model=tiny_model)


def test_a_transparent_colour_of_sixteen_bits(tmp_path: Path) -> None:
    grey = np.array([[[7], [8], [300]]], np.uint16)
    path = tmp_path / "keyed.png"
    path.write_bytes(deep_png(grey, (b"tRNS", struct.pack(">H", 8))))
    alpha = read_picture(path, any_size, convert=True).alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha, [[255, 0, 255]])
    path.write_bytes(deep_png(np.repeat(grey, 3, axis=2), (b"tRNS", struct.pack(">HHH", 8, 8, 8))))
    with pytest.raises(ImageError, match="alpha channel first"):
        read_picture(path, any_size, convert=True)


def test_animations_are_refused(tiny_model: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="3 frames"):
        recodec.encode(tmp_path / "a.gif", model=tiny_model)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "ppm", "webp", "gif", "bmp", "avif"])
def test_broken_image_files_are_image_errors(
    tiny_model: str, tmp_path: Path, picture: Image.Image, suffix: str
) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, Image.registered_extensions()[f".{suffix}"])
    rng = np.random.default_rng(4)
    path = tmp_path / f"broken.{suffix}"
    for _ in range(40):
        data = bytearray(buffer.getvalue())
        for _ in range(6):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(1, len(data) + 1))])
        with contextlib.suppress(ImageError, LimitError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recodec.encode(path, iterations=1, model=tiny_model)
    path.write_bytes(b"II*\0")
    with pytest.raises(ImageError, match=path.name):
        recodec.encode(path, model=tiny_model)


def test_tiff_keeps_its_exif(tiny_model: str, tmp_path: Path, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    picture.save(tmp_path / "p.tif", exif=exif)
    decoded = recodec.decode(recodec.encode(tmp_path / "p.tif", iterations=1, model=tiny_model))
    assert decoded.size == (45, 61)
    assert dict(decoded.getexif()) == {0x010F: "Maker"}


def test_all_kinds_of_input_make_the_same_file(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    array = np.asarray(picture)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    picture.save(tmp_path / "p.png")
    files = [
        recodec.encode(item, iterations=3, model=tiny_model)
        for item in (
            picture,
            array,
            tensor,
            tensor.float() / 255,
            tmp_path / "p.png",
            str(tmp_path / "p.png"),
        )
    ]
    assert len(set(files)) == 1


def test_all_kinds_of_output_agree(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, iterations=2, model=tiny_model)
    array = recodec.decode(data, like="numpy")
    assert array.shape == (45, 61, 3)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(recodec.decode(data)), array)
    tensor = recodec.decode(data, like="torch")
    assert tensor.dtype == torch.uint8
    np.testing.assert_array_equal(tensor.permute(1, 2, 0).numpy(), array)


def test_batches_and_lists_make_lists(tiny_model: str, picture: Image.Image) -> None:
    codec = recodec.load(tiny_model)
    tensor = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
    single = codec.encode(tensor, iterations=2)
    assert codec.encode(torch.stack([tensor, tensor]), iterations=2) == [single, single]
    mixed = codec.encode([picture, picture.crop((0, 0, 9, 30))], iterations=2)
    assert mixed[0] == single
    assert [image.size for image in codec.decode(mixed)] == [(61, 45), (9, 30)]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.uint16), "uint16"),
        (np.zeros((4, 4, 3), np.uint16), "convert=True"),
        (np.zeros((4, 4, 3), np.int64), "int64; give uint8 in 0..255$"),
        (torch.zeros(3, 4, 4, dtype=torch.uint16), "convert=True"),
        (torch.zeros(5, 4, 4), r"\(5, 4, 4\)"),
        (np.zeros((4, 4, 5), np.uint8), r"\(4, 4, 5\)"),
        (np.zeros((4,), np.uint8), r"\(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (torch.zeros(4, 4), r"\(4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int32), "int32"),
        (torch.full((3, 4, 4), float("nan")), "NaN"),
        (torch.full((3, 4, 4), 1.5), "outside"),
        (torch.full((3, 4, 4), -0.1), "outside"),
        ({"not": "an image"}, "dict"),
    ],
)
def test_impossible_inputs_are_refused(tiny_model: str, bad: object, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        recodec.encode(bad, model=tiny_model)  # type: ignore[arg-type]


def test_unreadable_files_are_refused(tiny_model: str, tmp_path: Path, picture: Image.Image) -> None:
    (tmp_path / "text.png").write_text("hello")
    buffer = io.BytesIO()
    picture.save(buffer, "png")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    for path in (tmp_path / "text.png", tmp_path / "cut.png", tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError, match=path.name):
            recodec.encode(path, model=tiny_model)


def test_pictures_over_the_limit_are_refused(tiny_model: str, picture: Image.Image) -> None:
    for item in (picture, np.asarray(picture), torch.zeros(3, 45, 61)):
        with pytest.raises(LimitError, match="max_pixels"):
            recodec.encode(item, model=tiny_model, max_pixels=45 * 61 - 1)
    coded = 48 * 64
    with pytest.raises(LimitError, match="rounded up to multiples of 16"):
        recodec.encode(picture, model=tiny_model, max_pixels=coded - 1)
    data = recodec.encode(picture, iterations=8, model=tiny_model, max_pixels=coded)
    assert recodec.decode(data, max_pixels=coded).size == picture.size
    assert len(list(recodec.progressive(data, max_pixels=coded))) == 8
    recodec.verify(data, max_pixels=coded)
    for function in (recodec.decode, recodec.verify, lambda d, **k: list(recodec.progressive(d, **k))):
        with pytest.raises(LimitError, match="max_pixels"):
            function(data, max_pixels=coded - 1)


def test_long_thin_pictures_cost_what_they_take(tiny_model: str) -> None:
    line = np.zeros((1, 4096, 3), np.uint8)
    with pytest.raises(LimitError, match="65536 with sides"):
        recodec.encode(line, model=tiny_model, max_pixels=65535)
    data = recodec.encode(line, iterations=8, model=tiny_model, max_pixels=65536)
    assert recodec.decode(data, like="numpy", max_pixels=65536).shape == (1, 4096, 3)


MODES = ("L", "LA", "RGB", "RGBA")
_RANDOM = np.random.default_rng(12)
EXTREME_SIZES = [(1, 1), (1, 999), (17, 31), (999, 1)]
SIZES = [*EXTREME_SIZES, *map(tuple, _RANDOM.integers(1, 70, (12, 2)).tolist())]


@pytest.mark.parametrize("size", SIZES)
def test_every_mode_and_size(tiny_model: str, size: tuple[int, int]) -> None:
    width, height = size
    rng = np.random.default_rng(size)
    for channels, mode in enumerate(MODES, 1):
        array = rng.integers(0, 256, (height, width, channels), np.uint8)
        if width % 2:  # runs and slopes, which PNG filters are for
            array[..., -1] = np.add.outer(np.arange(height), np.arange(width)) // 3 % 256
        image = Image.fromarray(array[..., 0] if channels == 1 else array)
        assert image.mode == mode
        data = recodec.encode(image, iterations=2, model=tiny_model)
        assert recodec.encode(array, iterations=2, model=tiny_model) == data
        tensor = torch.from_numpy(array).permute(2, 0, 1)
        assert recodec.encode(tensor, iterations=2, model=tiny_model) == data
        assert recodec.encode(tensor / 255, iterations=2, model=tiny_model) == data
        info = recodec.info(data)
        assert (info.mode, info.width, info.height, info.iterations) == (mode, width, height, 2)
        decoded = recodec.decode(data)
        assert (decoded.mode, decoded.size) == (mode, size)
        out = recodec.decode(data, like="numpy")
        assert out.shape == (height, width, channels)
        np.testing.assert_array_equal(np.asarray(decoded).reshape(out.shape), out)
        np.testing.assert_array_equal(recodec.decode(data, like="torch").permute(1, 2, 0).numpy(), out)
        if mode.endswith("A"):
            np.testing.assert_array_equal(out[..., -1], array[..., -1])
            for partial in recodec.progressive(data, like="numpy"):
                np.testing.assert_array_equal(partial[..., -1], array[..., -1])


@pytest.mark.parametrize("mode", MODES)
def test_round_trips_of_five_hundred_sizes(
    tiny_model: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recodec.families.recurrent.encoder.TILE_SIDE", 4)
    channels = MODES.index(mode) + 1
    # Most are small, some have several positions along a side, a few are cut into tiles.
    sides = np.exp(_RANDOM.uniform(0, np.log(160), (500, 2))).astype(int)
    for width, height in [*EXTREME_SIZES, *sides.tolist()]:
        ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
        array = np.repeat(ramp[..., None], channels, axis=2).astype(np.uint8)
        array[..., -1] = 255 - array[..., -1]
        data = recodec.encode(array, iterations=1, model=tiny_model)
        decoded = recodec.decode(data)
        assert (decoded.mode, decoded.size) == (mode, (width, height))
        out = np.asarray(decoded).reshape(array.shape)
        if mode.endswith("A"):
            np.testing.assert_array_equal(out[..., -1], array[..., -1])


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        ("1", None, "L"),
        ("1", 255, "LA"),
        ("L", 7, "LA"),
        ("RGB", (1, 2, 3), "RGBA"),
        ("RGBX", None, "RGB"),
        ("P", None, "RGB"),
        ("P", 3, "RGBA"),
        ("P", bytes([0, 100, 255]), "RGBA"),
        ("PA", None, "RGBA"),
        ("La", None, "LA"),
        ("RGBa", None, "RGBA"),
    ],
)
def test_equivalent_modes(picture: Image.Image, mode: str, key: Any, expected: str) -> None:
    through = {"RGBa": "RGBA", "La": "LA"}.get(mode)
    image = (picture.convert(through) if through else picture).convert(mode)
    if key is not None:
        image.info["transparency"] = key
    plain = image.convert(expected)
    read = read_picture(image, any_size)
    assert read.channels == (3 if "RGB" in expected else 1)
    array = np.asarray(plain).reshape(45, 61, -1)
    np.testing.assert_array_equal(read.samples.permute(1, 2, 0).numpy(), array[..., : read.channels])
    if expected.endswith("A"):
        assert read.alpha is not None
        np.testing.assert_array_equal(read.alpha, array[..., -1])
    else:
        assert read.alpha is None


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B"])
def test_other_modes_want_an_explicit_choice(tiny_model: str, mode: str) -> None:
    image = Image.new(mode, (8, 8), 40 if mode[0] in "IF" else None)
    with pytest.raises(ImageError, match=f"mode {mode}; .*convert=True .--convert"):
        recodec.encode(image, model=tiny_model)
    grey = mode[0] in "IF"
    data = recodec.encode(image, convert=True, iterations=1, model=tiny_model)
    assert recodec.info(data).mode == ("L" if grey else "RGB")


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_must_lie_in_the_range_of_eight_bits(mode: str) -> None:
    values = np.array([[0, 255, 254.6]])
    image = Image.fromarray(values.astype(np.int32 if mode == "I" else np.float32))
    assert read_picture(image, any_size, convert=True).samples.tolist() == [
        [[0, 255, 254 if mode == "I" else 255]]
    ]
    for bad in (-1, 256, *([float("nan")] if mode == "F" else [])):
        with pytest.raises(ImageError, match=r"outside 0\.\.255"):
            read_picture(Image.new(mode, (2, 2), bad), any_size, convert=True)


def test_float_arrays_lie_in_0_to_1(tiny_model: str, picture: Image.Image) -> None:
    array = np.asarray(picture)
    scaled = recodec.encode(array / 255, convert=True, iterations=1, model=tiny_model)
    assert scaled == recodec.encode(array, iterations=1, model=tiny_model)
    with pytest.raises(ImageError, match="outside"):
        recodec.encode(array.astype(np.float32), convert=True, model=tiny_model)


def test_a_profile_of_other_colours_is_used_and_not_kept(picture: Image.Image) -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB")
    assert image is not None
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(lab).tobytes()
    read = read_picture(image, any_size, convert=True)
    assert read.metadata == {}
    difference = read.samples.permute(1, 2, 0).numpy().astype(int) - np.asarray(picture)
    assert np.abs(difference).mean() < 3
    cmyk = picture.convert("CMYK")
    cmyk.info["icc_profile"] = b"not a profile"
    plain = read_picture(cmyk, any_size, convert=True)
    assert plain.metadata == {}
    np.testing.assert_array_equal(plain.samples.permute(1, 2, 0).numpy(), np.asarray(cmyk.convert("RGB")))


def test_orientation_turns_alpha_too(tiny_model: str, picture: Image.Image) -> None:
    image = picture.convert("RGBA")
    image.putalpha(picture.getchannel(0))
    image.getexif()[0x0112] = 6
    decoded = recodec.decode(recodec.encode(image, iterations=1, model=tiny_model))
    turned = picture.getchannel(0).transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(np.asarray(decoded.getchannel("A")), np.asarray(turned))
    assert 0x0112 not in decoded.getexif()


def test_opaque_alpha_is_kept_and_cheap(tiny_model: str, picture: Image.Image) -> None:
    plain = recodec.encode(picture, iterations=1, model=tiny_model)
    opaque = recodec.encode(picture.convert("RGBA"), iterations=1, model=tiny_model)
    assert recodec.decode(opaque).mode == "RGBA"
    assert len(opaque) - len(plain) <= 100


def test_alpha_has_no_limit_of_pillow(
    tiny_model: str, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = recodec.encode(picture.convert("LA"), iterations=1, model=tiny_model)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert recodec.decode(data).mode == "LA"
    assert recodec.verify(data).alpha


def test_metadata_is_stripped_on_request(tiny_model: str, picture: Image.Image) -> None:
    plain = recodec.encode(picture, iterations=1, model=tiny_model)
    picture.info.update(icc_profile=b"profile", xmp=b"<x/>")
    picture.getexif()[0x010F] = "maker"
    assert recodec.info(recodec.encode(picture, iterations=1, model=tiny_model)).metadata == (
        "icc",
        "exif",
        "xmp",
    )
    assert recodec.encode(picture, iterations=1, strip=True, model=tiny_model) == plain


def test_metadata_is_kept_and_counted(tiny_model: str, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010F] = "recodec"
    buffer = io.BytesIO()
    picture.save(buffer, "png", exif=exif, icc_profile=b"profile" * 50)
    original = Image.open(buffer)
    data = recodec.encode(original, iterations=2, model=tiny_model)
    plain = recodec.encode(picture, iterations=2, model=tiny_model)
    assert recodec.info(data).metadata == ("icc", "exif")
    assert len(data) > len(plain) + 350
    decoded = recodec.decode(data)
    assert decoded.info["icc_profile"] == b"profile" * 50
    assert decoded.getexif()[0x010F] == "recodec"
    assert b"Exif\0\0" not in data
    assert decoded.info["exif"].startswith(b"Exif\0\0")
    buffer = io.BytesIO()
    decoded.save(buffer, "jpeg", exif=decoded.info["exif"])
    assert Image.open(buffer).getexif()[0x010F] == "recodec"
    small = recodec.truncate(data, iterations=1)
    assert recodec.info(small).metadata == ("icc", "exif")
    assert recodec.info(recodec.truncate(data, max_bytes=len(small))).iterations == 1


def test_late_and_second_profiles_are_ignored(tiny_model: str, picture: Image.Image) -> None:
    from recodec.container.core import ICC, attached_chunk

    data = recodec.encode(picture, iterations=2, model=tiny_model)
    info = recodec.info(data)
    late = data[: info.prefix_bytes(2)] + attached_chunk(ICC, b"late") + data[info.prefix_bytes(2) :]
    assert "icc_profile" not in recodec.decode(late).info
    start = info.header_bytes
    twice = data[:start] + attached_chunk(ICC, b"first") + attached_chunk(ICC, b"second") + data[start:]
    assert recodec.decode(twice).info["icc_profile"] == b"first"
    assert [image.info["icc_profile"] for image in recodec.progressive(twice)] == [b"first"] * 2


def test_orientation_goes_into_the_pixels(tiny_model: str, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "png", exif=exif)
    decoded = recodec.decode(recodec.encode(Image.open(buffer), iterations=1, model=tiny_model))
    assert decoded.size == (45, 61)
    assert decoded.getexif().get(0x0112, 1) == 1


def test_unknown_kind_of_output_is_refused(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, iterations=1, model=tiny_model)
    with pytest.raises(TargetError, match="'jax'"):
        recodec.decode(data, like="jax")
