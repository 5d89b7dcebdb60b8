"""Samples of more than 8 bits want an explicit choice."""

from __future__ import annotations

import base64
import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import recodec
import recodec.pillow
from recodec.errors import ImageError
from recodec.io.pictures import read_picture
from tests.conftest import any_size
from tests.io.images import deep_png


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


def tiff(*tags: tuple[int, int], pixels: bytes, order: str = "<") -> bytes:
    """A grey TIFF file of 8x6 in one strip."""
    known = {256: 8, 257: 6, 259: 1, 262: 1, 273: 8, 277: 1, 278: 6, 279: len(pixels)} | dict(tags)
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(known.items()))
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(pixels))
    return header + pixels + struct.pack(order + "H", len(known)) + entries + bytes(4)


GREYS = np.linspace(0, 4095, 48).astype(np.uint16).reshape(6, 8)


def read(data: bytes) -> NDArray[np.uint8]:
    return read_picture(io.BytesIO(data), any_size, convert=True).samples[0].numpy()


def test_twelve_bits_of_tiff_are_scaled_by_what_they_are(tiny_model: str) -> None:
    pairs = GREYS.astype(np.uint32).reshape(-1, 2)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1
    )
    data = tiff((258, 12), pixels=packed.astype(np.uint8).tobytes())
    np.testing.assert_array_equal(read(data), np.rint(GREYS / 4095 * 255))
    # Loaded by the caller, and by Pillow before it saves.
    image = Image.open(io.BytesIO(data))
    image.load()
    expected = recodec.encode(read(data), model=tiny_model)
    assert recodec.encode(image, model=tiny_model, convert=True) == expected
    image.save(buffer := io.BytesIO(), "RECODEC", model=tiny_model, convert=True)
    assert buffer.getvalue() == expected
    with pytest.raises(ImageError, match="more than 8 bits"):
        recodec.encode(image, model=tiny_model)


@pytest.mark.parametrize("bits", [10, 14])
def test_other_depths_of_tiff_are_refused(tiny_model: str, bits: int) -> None:
    with pytest.raises(ImageError, match=f"TIFF file of {bits} bits per sample, which Pillow cannot read"):
        read(tiff((258, bits), pixels=bytes(48 * bits // 8)))


@pytest.mark.parametrize("maximum", [1023, 4095, 16383, 65535])
@pytest.mark.parametrize("plain", [False, True])
def test_greys_of_pgm_are_scaled_by_their_maximum(maximum: int, plain: bool) -> None:
    samples = np.linspace(0, maximum, 48).astype(np.uint16)
    body = " ".join(map(str, samples)).encode() if plain else samples.astype(">u2").tobytes()
    data = b"P%d 8 6 %d\n" % (2 if plain else 5, maximum) + body
    expected = samples.reshape(6, 8) / maximum * 255
    # Pillow rounds to 16 bits first.
    assert np.abs(read(data) - expected).max() <= 0.51
    with pytest.raises(ImageError, match=r"more than 8 bits|mode I"):
        read_picture(io.BytesIO(data), any_size)


def test_plain_colours_of_sixteen_bits_are_noticed() -> None:
    data = b"P3 8 6 1023\n" + b" 700" * (3 * 48)
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_picture(io.BytesIO(data), any_size)
    assert read(data).tolist() == [[174] * 8] * 6


def test_half_floats_of_dds_are_noticed() -> None:
    pixel_format = struct.pack("<II4s5I", 32, 4, b"DX10", 0, 0, 0, 0, 0)
    header = struct.pack("<7I", 124, 0x1007, 4, 4, 16, 0, 1) + bytes(44) + pixel_format + bytes(20)
    data = b"DDS " + header + struct.pack("<5I", 95, 3, 0, 1, 0) + bytes(16)
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_picture(io.BytesIO(data), any_size)


def test_white_is_zero() -> None:
    samples = (GREYS * 16).astype(np.uint16)
    inverted = read(tiff((258, 16), (262, 0), pixels=samples.tobytes()))
    np.testing.assert_array_equal(inverted, 255 - read(tiff((258, 16), pixels=samples.tobytes())))
    floats = (GREYS / 4095).astype("<f4").tobytes()
    inverted = read(tiff((258, 32), (339, 3), (262, 0), pixels=floats))
    np.testing.assert_array_equal(inverted, 255 - read(tiff((258, 32), (339, 3), pixels=floats)))


def test_fits_is_refused(tmp_path: Path) -> None:
    cards = ["SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 6", "END"]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    (tmp_path / "a.fits").write_bytes(header + GREYS.astype(">i2").tobytes().ljust(2880, b"\0"))
    with pytest.raises(ImageError, match="FITS"):
        read_picture(tmp_path / "a.fits", any_size, convert=True)


def test_depth_of_a_file_in_memory_that_is_loaded(tiny_model: str) -> None:
    for name in ("c2.png", "c3.png", "grey.tif"):
        image = Image.open(io.BytesIO(DEEP[name]))
        image.load()
        with pytest.raises(ImageError, match="more than 8 bits"):
            recodec.encode(image, model=tiny_model)
        with pytest.raises(OSError, match="more than 8 bits"):
            image.save(io.BytesIO(), "RECODEC", model=tiny_model)


@pytest.mark.parametrize("kind", ["QOI", "XBM", "ICO", "ICNS", "TGA", "DDS", "PCX", "PPM", "MSP"])
def test_eight_bits_of_other_formats_are_no_more(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    image = picture.resize((64, 64)).convert("1" if kind in ("XBM", "MSP") else "RGB")
    image.save(tmp_path / "a", kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "a", any_size).width >= 64


def test_files_that_can_read_and_seek_are_enough(tiny_model: str, picture: Image.Image) -> None:
    class File:
        def __init__(self, data: bytes):
            content = io.BytesIO(data)
            self.read, self.readline = content.read, content.readline
            self.seek, self.tell = content.seek, content.tell

    for kind in ("PNG", "JPEG", "TIFF"):
        picture.save(buffer := io.BytesIO(), kind, quality=95)
        file: Any = File(buffer.getvalue())
        assert recodec.encode(file, model=tiny_model) == recodec.encode(buffer, model=tiny_model)


@pytest.mark.parametrize("data", [b"P1\n2 2\n0 1 1 0\n", b"P4\n8 2\n\x0f\xf0"])
def test_bitmaps_of_one_bit_are_taken(tiny_model: str, data: bytes) -> None:
    width, height = map(int, data.split(b"\n")[1].split())
    assert recodec.decode(recodec.encode(io.BytesIO(data), model=tiny_model)).size == (width, height)
