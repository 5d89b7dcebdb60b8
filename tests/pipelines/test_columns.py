"""Columns of batches, as Ray Data and others hand them to what they call."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import recodec
from recodec.errors import BatchError, OptionError, TargetError, WeightsError
from recodec.pipelines import DecodeColumn, EncodeColumn


def column(items: Sequence[Any]) -> NDArray[Any]:
    made = np.empty(len(items), object)
    made[:] = items
    return made


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_pixels_of_one_shape_there_and_back(picture: Image.Image) -> None:
    pixels = np.stack([np.asarray(picture), np.asarray(picture)[::-1]])
    batch = {"image": pixels, "label": np.array([3, 4])}
    coded = EncodeColumn(lossless=True)(batch)
    assert [*coded] == ["image", "label", "error"]
    assert coded["label"] is batch["label"]
    assert coded["image"].dtype == coded["error"].dtype == object
    assert [*coded["image"]] == recodec.encode(pixels, lossless=True)
    assert [*coded["error"]] == [None, None]
    shown = DecodeColumn()(coded)
    np.testing.assert_array_equal(shown["image"], pixels)
    assert shown["image"].dtype == np.uint8
    real = DecodeColumn(dtype="float32", max_size=20)(coded)["image"]
    assert (real.dtype, real.shape) == (np.float32, (2, 15, 20, 3))
    assert batch["image"] is pixels, "the batch is its owner's"


@pytest.mark.parametrize("kind", [column, list])
def test_bytes_of_files_in_columns_of_their_own(tiny_model: str, picture: Image.Image, kind: Any) -> None:
    photos = [png(picture), png(picture.crop((0, 0, 20, 30)))]
    encode = EncodeColumn("bytes", into="rcd", model=tiny_model, iterations=2)
    coded = encode({"bytes": kind(photos), "path": ["a.png", "b.png"]})
    assert [*coded] == ["bytes", "path", "rcd", "error"]
    assert [*coded["rcd"]] == recodec.encode(photos, model=tiny_model, iterations=2)
    shown = DecodeColumn("rcd", into="pixels", iterations=1)({"rcd": kind([*coded["rcd"]])})
    assert shown["pixels"].dtype == object
    for found, data in zip(shown["pixels"], coded["rcd"], strict=True):
        np.testing.assert_array_equal(found, recodec.decode(data, like="numpy", iterations=1))


def test_one_bad_item_costs_itself_alone(tiny_model: str, picture: Image.Image) -> None:
    photos = column([png(picture), b"no\nimage", None, png(picture)])
    batch = {"image": photos}
    coded = EncodeColumn(model=tiny_model, iterations=1)(batch)
    data = recodec.encode(picture, model=tiny_model, iterations=1)
    assert [*coded["image"]] == [data, None, None, data]
    assert coded["error"][0] is coded["error"][3] is None
    assert coded["error"][1].startswith("ImageError: the data is not an image")
    assert coded["error"][2].startswith("ImageError: a NoneType is not an image")
    shown = DecodeColumn(errors="lost")(coded)
    assert [one is None for one in shown["image"]] == [False, True, True, False]
    assert shown["lost"][1].startswith("SourceError: ")
    assert shown["error"] is coded["error"]
    for use, given in (
        (EncodeColumn(model=tiny_model, errors=None), batch),
        (DecodeColumn(errors=None), coded),
    ):
        with pytest.raises(BatchError, match="2 of 4 items failed") as caught:
            use(given)
        assert [*caught.value.errors] == [1, 2]
    whole = EncodeColumn(model=tiny_model, errors=None)({"image": photos[:1]})
    assert [*whole] == ["image"]


def test_files_of_several_models(tiny_model: str, picture: Image.Image) -> None:
    files = [
        recodec.encode(picture, **options) for options in ({"model": tiny_model}, {"lossless": True})
    ] * 2
    shown = DecodeColumn("rcd")({"rcd": files})["rcd"]
    np.testing.assert_array_equal(shown, np.stack(recodec.decode(files, like="numpy")))


def test_empty_batches(tiny_model: str) -> None:
    for use in (EncodeColumn(model=tiny_model), DecodeColumn()):
        found = use({"image": column([])})
        assert len(found["image"]) == len(found["error"]) == 0


def test_they_pickle_used_or_not(tiny_model: str, picture: Image.Image) -> None:
    batch = {"image": [png(picture)]}
    encode, decode = (
        EncodeColumn(model=tiny_model, iterations=1, batch_size=4),
        DecodeColumn(dtype=np.float32),
    )
    for _ in range(2):
        coded = pickle.loads(pickle.dumps(encode))(batch)
        assert [*coded["image"]] == [*encode(batch)["image"]]
        shown = pickle.loads(pickle.dumps(decode))(coded)
        np.testing.assert_array_equal(shown["image"], decode(coded)["image"])


def test_mistakes_are_told_when_it_is_made(tiny_model: str) -> None:
    wrong: list[tuple[type[Exception], Any, dict[str, Any]]] = [
        (OptionError, EncodeColumn, {"qualty": 3}),
        (OptionError, DecodeColumn, {"iteration": 3}),
        (OptionError, EncodeColumn, {"errors": "image"}),
        (OptionError, DecodeColumn, {"into": "pixels", "errors": "pixels"}),
        (TargetError, EncodeColumn, {"batch_size": 0}),
        (TargetError, DecodeColumn, {"batch_size": True}),
        (TargetError, DecodeColumn, {"dtype": "int8"}),
        (TargetError, DecodeColumn, {"max_size": -1}),
        (WeightsError, EncodeColumn, {"model": "none"}),
        (recodec.DeviceError, EncodeColumn, {"arithmetic": "int8"}),
    ]
    for kind, made, options in wrong:
        with pytest.raises(kind):
            made(**options)
    for use in (EncodeColumn("photo", model=tiny_model), DecodeColumn("photo")):
        with pytest.raises(OptionError, match="the batch has no column 'photo'; there are image, label"):
            use({"image": [], "label": []})


def test_ray_is_not_needed(tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from recodec.pipelines import EncodeColumn"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
