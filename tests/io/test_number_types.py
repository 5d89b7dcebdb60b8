"""Pictures of floats, and arrays of every type and layout."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import recodec
from recodec.errors import ImageError
from recodec.io.pictures import read_picture
from tests.conftest import any_size
from tests.io.test_bit_depth import GREYS, read


def float_files(values: NDArray[np.float32]) -> dict[str, bytes]:
    """A picture of floats as formats hold it."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    height, width = values.shape
    pfm = b"Pf\n%d %d\n-1.0\n" % (width, height) + values[::-1].astype("<f4").tobytes()
    return {"TIFF": buffer.getvalue(), "PFM": pfm}


@pytest.mark.parametrize("kind", ["TIFF", "PFM"])
def test_floats_of_files_are_floats_of_arrays(tiny_model: str, kind: str) -> None:
    values = (GREYS / 4095).astype(np.float32)
    data = float_files(values)[kind]
    expected = recodec.encode(values, model=tiny_model, convert=True)
    assert recodec.encode(io.BytesIO(data), model=tiny_model, convert=True) == expected
    with pytest.raises(ImageError, match=r"convert=True"):
        recodec.encode(io.BytesIO(data), model=tiny_model)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0], [0, 0]),
        ([1, 1], [255, 255]),
        ([0, 1], [0, 255]),
        ([0, 2], [0, 2]),
        ([255, 1], [255, 1]),
        ([0, 254.6], [0, 255]),
    ],
    ids=str,
)
def test_floats_are_one_of_two_scales(values: list[float], expected: list[int]) -> None:
    array = np.array([values], np.float32)
    assert read(float_files(array)["TIFF"])[0].tolist() == expected
    assert read_picture(Image.fromarray(array), any_size, convert=True).samples[0, 0].tolist() == expected


@pytest.mark.parametrize(
    "values",
    [[0, 1.5], [-0.1, 0.5], [15.9, 1], [0, 256], [-1, 3], [float("nan"), 0], [float("inf"), 0]],
    ids=str,
)
def test_other_floats_are_refused_with_the_rule(values: list[float]) -> None:
    for kind in ("TIFF", "PFM"):
        with pytest.raises(
            ImageError, match=r"mode F .*floats in \[0, 1\], or in 0\.\.255, whole or with some from 16"
        ):
            read(float_files(np.array([values], np.float32))[kind])


NUMBERS = np.linspace(0, 1, 48).reshape(6, 8)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["u1", "u2", "f2", "f4", "f8"])
@pytest.mark.parametrize("layout", ["plain", "read-only", "mirrored", "every other", "Fortran", "broadcast"])
def test_arrays_of_any_type_and_layout(order: str, kind: str, layout: str) -> None:
    scale = {"u1": 255, "u2": 65535}.get(kind, 1)
    numbers = np.broadcast_to(NUMBERS[:1], (6, 8)) if layout == "broadcast" else NUMBERS
    array = (np.rint(numbers * scale) if scale > 1 else numbers).astype(order + kind)
    if layout == "read-only":
        array.flags.writeable = False
    elif layout == "mirrored":
        array = np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    elif layout == "every other":
        array = np.repeat(array, 2, axis=1)[:, ::2]
    elif layout == "Fortran":
        array = np.asfortranarray(array)
    elif layout == "broadcast":
        array = np.broadcast_to(array[:1], (6, 8))
    samples = read_picture(array, any_size, convert=kind != "u1").samples[0].numpy()
    assert np.abs(samples - numbers * 255).max() <= (0.7 if kind == "f2" else 0.51)


@pytest.mark.parametrize(
    "array",
    [
        *(
            np.zeros((6, 8), kind)
            for kind in ("?", "i1", "<i2", ">i4", "i8", "u4", ">u8", "c8", "M8[s]", "S1", "O")
        ),
        np.zeros((6, 8), [("r", "u1"), ("g", "u1"), ("b", "u1")]),
        np.zeros((6, 8, 3), "V1"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_other_types_are_refused(array: NDArray[np.uint8]) -> None:
    for convert in (False, True):
        with pytest.raises(ImageError, match=r"the array has type .*; give uint8"):
            read_picture(array, any_size, convert=convert)


def test_masked_arrays_are_refused_where_something_is_masked() -> None:
    masked = np.ma.masked_less(np.full((6, 8), 7, np.uint8), 0)
    assert read_picture(masked, any_size).samples.unique().tolist() == [7]
    masked[0, 0] = np.ma.masked
    with pytest.raises(ImageError, match="masked values; fill them"):
        read_picture(masked, any_size)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrices_are_arrays() -> None:
    matrix = np.asmatrix(np.full((6, 8), 7, np.uint8))
    assert read_picture(matrix, any_size).samples.shape == (1, 6, 8)


def test_what_pillow_converts_to_floats(picture: Image.Image) -> None:
    for grey in (picture.convert("F"), picture.convert("L").convert("F")):
        samples = read_picture(grey, any_size, convert=True).samples[0].numpy()
        np.testing.assert_allclose(samples, np.asarray(grey), atol=0.5)
