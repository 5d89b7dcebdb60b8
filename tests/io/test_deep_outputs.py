"""Pictures of 16 bits on their way out: all of them in arrays and tensors, and in Pillow's images of grey."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any, Literal, get_overloads, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.io.output_images import Kind, RealType, make_image

SAMPLES = torch.from_numpy((np.arange(3 * 4 * 5) * 1093 % 65536).astype(np.uint16).reshape(3, 4, 5))
ALPHA = torch.from_numpy((np.arange(20) * 3277).astype(np.uint16).reshape(1, 4, 5))
GREY_ALPHA, COLOUR_ALPHA = torch.cat([SAMPLES[:1], ALPHA]), torch.cat([SAMPLES, ALPHA])


@pytest.mark.parametrize("samples", [SAMPLES[:1], SAMPLES, GREY_ALPHA, COLOUR_ALPHA])
def test_arrays_and_tensors_have_all_bits(samples: torch.Tensor) -> None:
    array = make_image(samples, Kind("numpy"), {})
    tensor = make_image(samples, Kind("torch"), {})
    assert isinstance(array, np.ndarray)
    assert isinstance(tensor, torch.Tensor)
    assert (array.dtype, tensor.dtype) == (np.uint16, torch.uint16)
    np.testing.assert_array_equal(array, tensor.permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(array, samples.permute(1, 2, 0).numpy())


def test_grey_images_have_all_bits() -> None:
    image = make_image(SAMPLES[:1], Kind("pil"), {})
    assert isinstance(image, Image.Image)
    assert image.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(image), SAMPLES[0].numpy())


@pytest.mark.parametrize(("samples", "mode"), [(GREY_ALPHA, "LA"), (SAMPLES, "RGB"), (COLOUR_ALPHA, "RGBA")])
def test_other_images_have_eight_and_say_so(samples: torch.Tensor, mode: str) -> None:
    with pytest.warns(recodec.ReducedDepthWarning, match=f"no {mode} images of 16 bits") as caught:
        image = make_image(samples, Kind("pil"), {})
    assert isinstance(image, Image.Image)
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image), (samples.permute(1, 2, 0).numpy() + 128.0) // 257)
    warning = caught[0].message
    assert str(pickle.loads(pickle.dumps(warning))) == str(warning)


@pytest.mark.parametrize(
    "function", [recodec.decode, recodec.progressive, recodec.Codec.decode, recodec.Codec.progressive]
)
def test_types_say_that_arrays_may_have_sixteen_bits(function: Callable[..., Any]) -> None:
    found = [get_type_hints(one) for one in get_overloads(function)]
    whole = [hints for hints in found if hints.get("dtype") != RealType]
    types = {str(hints["return"]) for hints in whole if hints.get("like") == Literal["numpy"]}
    assert types
    for returned in types:
        assert {"numpy.uint8", "numpy.uint16"} <= set(re.findall(r"numpy\.uint\d+", returned))
