"""Samples of more than 8 bits want an explicit choice."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
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
