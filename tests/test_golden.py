"""Golden files: they keep their answer for ever."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.container.core import STRIP
from recodec.errors import RecodecError
from recodec.families.recurrent.family import read_planes
from recodec.families.recurrent.planes import NETWORK
from recodec.weights import load_model
from tests.plane_files import read_header

from .conftest import GOLDEN
from .golden.make import coder_part, codes_digest, samples_digest
from .slow_coder import decode_file
from .slow_container import RejectedError
from .slow_lossless import files as slow_files

EXPECTED = json.loads((GOLDEN / "expected.json").read_text())

CODES = sorted(name for name, expected in EXPECTED["good"].items() if "codes" in expected)
SAMPLES = sorted(name for name, expected in EXPECTED["good"].items() if "samples" in expected)

# Codes are exact; pixels may drift by rounding in the network's arithmetic on other hardware.
PEAK_LIMIT, RMSE_LIMIT = 3, 0.25


@pytest.mark.parametrize("name", ["tiny-network", "tiny-latent"])
def test_model_never_changes(tiny_model: str, name: str) -> None:
    path = GOLDEN / name
    assert load_model(path.name).hash.hex() == path.with_suffix(".hash").read_text().strip()


@pytest.mark.parametrize("name", CODES)
def test_good_file_keeps_codes_and_picture(tiny_model: str, name: str) -> None:
    expected = EXPECTED["good"][name]
    data = (GOLDEN / "good" / f"{name}.rcd").read_bytes()
    assert recodec.info(data).iterations == expected["iterations"]
    assert codes_digest(data) == expected["codes"]
    picture = recodec.decode(data)
    with Image.open(GOLDEN / "good" / f"{name}.png") as golden:
        assert picture.mode == golden.mode
        assert picture.size == golden.size
        error = np.asarray(picture, np.float64) - np.asarray(golden, np.float64)
    if picture.mode.endswith("A"):
        assert not error[..., -1].any()
    assert np.abs(error).max() <= PEAK_LIMIT
    assert np.sqrt(np.square(error).mean()) <= RMSE_LIMIT


@pytest.mark.parametrize("name", sorted(EXPECTED["good"]))
def test_good_file_is_verified_unless_cut(tiny_model: str, name: str) -> None:
    path = GOLDEN / "good" / f"{name}.rcd"
    if name.endswith("-cut"):
        with pytest.raises(recodec.TruncatedError):
            recodec.verify(path)
    else:
        recodec.verify(path)


@pytest.mark.parametrize("name", SAMPLES)
def test_good_file_without_loss_keeps_samples_and_picture(tiny_model: str, name: str) -> None:
    expected = EXPECTED["good"][name]
    data = (GOLDEN / "good" / f"{name}.rcd").read_bytes()
    assert recodec.info(data).iterations == expected["iterations"]
    assert samples_digest(data) == expected["samples"]
    path = GOLDEN / "good" / f"{name}.png"
    if path.exists():
        with Image.open(path) as golden:
            picture = recodec.decode(data)
            assert (picture.mode, picture.size) == (golden.mode, golden.size)
            np.testing.assert_array_equal(np.asarray(picture), np.asarray(golden))


@pytest.mark.parametrize("name", SAMPLES)
def test_slow_decoder_of_strips_agrees(tiny_model: str, name: str) -> None:
    data = (GOLDEN / "good" / f"{name}.rcd").read_bytes()
    if recodec.info(data).family == "lossless":
        header, rows, truncated = slow_files.decode_file(data)
    else:
        header, _, truncated = decode_file(data)
        rows = slow_files.decode_strips(header.exact.strips, STRIP, header.exact.fields, header)
    assert truncated == recodec.info(data).truncated
    shown = recodec.decode(data, like="numpy")
    np.testing.assert_array_equal(np.array(rows).reshape(shown.shape), shown)


@pytest.mark.parametrize(
    "name",
    # It holds no limits.
    [
        name
        for name, error in EXPECTED["bad"].items()
        if name.startswith("lossless") and error != "LimitError"
    ],
)
def test_slow_decoder_rejects_bad_strips(name: str) -> None:
    with pytest.raises(RejectedError):
        slow_files.decode_file((GOLDEN / "bad" / f"{name}.rcd").read_bytes())


@pytest.mark.parametrize("name", CODES)
def test_slow_decoder_agrees(tiny_model: str, name: str) -> None:
    data = (GOLDEN / "good" / f"{name}.rcd").read_bytes()
    fields, _ = read_header(data)
    model = load_model(fields.model)
    order = model.network.order
    assert bool(model.tables) or fields.entropy != NETWORK
    fast = read_planes(data, coder_part(data))
    header, slow, truncated = decode_file(
        data, model.tables, None if order is None else (order.chunk_of.tolist(), order.chunks)
    )
    assert truncated == recodec.info(data).truncated
    assert len(slow) == len(fast)
    with Image.open(GOLDEN / "good" / f"{name}.png") as golden:
        assert golden.has_transparency_data == (header.alpha_rows is not None)
        if header.alpha_rows is not None:
            assert golden.getchannel("A").tobytes() == b"".join(header.alpha_rows)
    for a, b in zip(slow, fast, strict=True):
        depth, rows, columns = b.shape  # of embedded planes, codes in this one
        in_coding_order = np.asarray(a, np.int8).reshape(rows, columns, depth)
        np.testing.assert_array_equal(in_coding_order.transpose(2, 0, 1), b)


@pytest.mark.parametrize(
    "name", [name for name in EXPECTED["bad"] if name.startswith(("alpha", "entropy", "tiles"))]
)
def test_slow_decoder_rejects_bad_alpha_entropy_coder_and_tiles(name: str) -> None:
    with pytest.raises(RejectedError):
        decode_file((GOLDEN / "bad" / f"{name}.rcd").read_bytes())


@pytest.mark.parametrize("name", [name for name in EXPECTED["bad"] if name.startswith("planes")])
def test_verifying_refuses_codes_out_of_proportion(name: str) -> None:
    with pytest.raises(recodec.LimitError, match="too long to decode without the model"):
        recodec.verify(GOLDEN / "bad" / f"{name}.rcd")


@pytest.mark.parametrize("name", sorted(EXPECTED["bad"]))
def test_bad_file_raises_its_error(tiny_model: str, name: str) -> None:
    with pytest.raises(RecodecError) as caught:
        recodec.decode(GOLDEN / "bad" / f"{name}.rcd")
    assert type(caught.value).__name__ == EXPECTED["bad"][name]
    assert len(str(caught.value).splitlines()) == 1
