"""Pictures of 16 bits on their way out: all of them in arrays and tensors, and in Pillow's images of grey."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.io.output_images import make_image

SAMPLES = torch.from_numpy((np.arange(3 * 4 * 5) * 1093 % 65536).astype(np.uint16).reshape(3, 4, 5))
ALPHA = (np.arange(20) * 12).astype(np.uint8).reshape(4, 5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_arrays_and_tensors_have_all_bits(channels: int, alpha: np.ndarray | None) -> None:
    samples = SAMPLES[:channels]
    array = make_image(samples, alpha, "numpy", {})
    tensor = make_image(samples, alpha, "torch", {})
    assert isinstance(array, np.ndarray)
    assert isinstance(tensor, torch.Tensor)
    assert (array.dtype, tensor.dtype) == (np.uint16, torch.uint16)
    np.testing.assert_array_equal(array, tensor.permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(array[:, :, :channels], samples.permute(1, 2, 0).numpy())
    if alpha is not None:
        np.testing.assert_array_equal(array[:, :, channels], alpha * np.uint16(257))


def test_grey_images_have_all_bits() -> None:
    image = make_image(SAMPLES[:1], None, "pil", {})
    assert isinstance(image, Image.Image)
    assert image.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(image), SAMPLES[0].numpy())


@pytest.mark.parametrize(
    ("channels", "alpha", "mode"), [(1, ALPHA, "LA"), (3, None, "RGB"), (3, ALPHA, "RGBA")]
)
def test_other_images_have_eight_and_say_so(channels: int, alpha: np.ndarray | None, mode: str) -> None:
    with pytest.warns(recodec.ReducedDepthWarning, match=f"no {mode} images of 16 bits") as caught:
        image = make_image(SAMPLES[:channels], alpha, "pil", {})
    assert isinstance(image, Image.Image)
    assert image.mode == mode
    found = np.asarray(image)[:, :, :channels]
    np.testing.assert_array_equal(found, (SAMPLES[:channels].permute(1, 2, 0).numpy() + 128.0) // 257)
    warning = caught[0].message
    assert str(pickle.loads(pickle.dumps(warning))) == str(warning)
