"""The report's MLP: every picture comes back, decoders agree, and a network that died is noticed."""

from __future__ import annotations

import io
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import recodec
from recodec import _core, zoo
from recodec.container.core import CODES, end_chunk
from recodec.container.reader import Reader
from recodec.zoo.mlp import Settings, training
from recodec.zoo.mlp.network import quantised
from recodec.zoo.mlp.training import fit
from tests.zoo import slow_mlp

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
QUICK = {"steps": 60, "seeds": 1}
FORMS: list[dict[str, Any]] = [
    QUICK,
    {**QUICK, "coder": "contexts"},
    {**QUICK, "raw": True},
    {"predictor": "linear"},
    {"predictor": "linear", "coder": "contexts", "raw": True},
]


# Networks that see raw samples may die; tests that are about that ask for it.
pytestmark = pytest.mark.filterwarnings("ignore::recodec.DeadNetworkWarning")


def payloads_of(data: bytes) -> list[bytes]:
    return [chunk.payload for chunk in Reader(data).chunks() if chunk.type == CODES]


def smooth(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(4).normal(0, 3, (height, width))
    planes = [128 + 90 * np.sin((x + 9 * c) / 7) * np.cos(y / 5) + noise for c in range(channels)]
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (17, 31)])
@pytest.mark.parametrize("settings", FORMS)
def test_every_sample_comes_back(size: tuple[int, int], channels: int, settings: dict[str, Any]) -> None:
    for samples in (
        smooth(*size, channels),
        np.random.default_rng(1).integers(0, 256, (*size, channels), np.uint8),
        np.full((*size, channels), 255, np.uint8),
    ):
        data = zoo.encode("mlp", samples, **settings)
        np.testing.assert_array_equal(recodec.decode(data, like="numpy"), samples)


@pytest.mark.parametrize("settings", FORMS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (9, 1, 3), (8, 13, 3)])
def test_a_decoder_written_from_the_format_agrees(
    shape: tuple[int, int, int], settings: dict[str, Any]
) -> None:
    samples = smooth(*shape)
    data = zoo.encode("mlp", samples, **settings)
    flags = bytes(_core.read_header(data)[0].fields)[1]
    planes = list(slow_mlp.decode(payloads_of(data), shape[0], shape[1], flags))
    order = [0] if shape[2] == 1 else [1, 0, 2]
    np.testing.assert_array_equal(np.array(planes), samples.transpose(2, 0, 1)[order])


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("known", [0, 2])
def test_integers_agree_at_their_limits(raw: bool, known: int) -> None:
    """Weights and samples as large as there can be, so that sums reach their bounds and activations end."""
    rng = np.random.default_rng(2)
    planes = (rng.integers(0, 2, (known + 1, 6, 7)) * 255).astype(np.uint8)
    sizes = (60 + 9 * known, *slow_mlp.LAYERS)
    rows = [rng.choice([-32768, 32767], sizes[:2]).T]
    for inputs, outputs in pairwise(sizes[1:]):
        # The sizes of one row add up to 65535 at most.
        most = min(65535 // inputs, 32767)
        rows.append(rng.choice([most, most, -most], (outputs, inputs)))
    weights = np.concatenate([row.reshape(-1) for row in rows]).astype(np.int16)
    errors = _core.mlp_errors(planes, weights, False, raw)
    coded = b"crc:" + weights.astype("<i2").tobytes() + _core.encode_symbols(errors[None], 8, 0)
    own = [plane.tolist() for plane in planes[:-1]]
    shown: list[list[int]] = []
    for y in range(6):
        shown.append([])
        for x in range(7):
            inputs, base = slow_mlp.inputs_of(own, shown, y, x, raw)
            answer = slow_mlp.answer(inputs, weights.tolist(), slow_mlp.LAYERS)
            prediction = min(max(base + answer, 0), 255)
            error = (int(planes[-1, y, x]) - prediction + 128) % 256 - 128
            assert errors[y, x] == (2 * error if error >= 0 else -2 * error - 1)
            shown[-1].append(int(planes[-1, y, x]))
    plane = _core.mlp_decode(coded[4 + 2 * weights.size :], planes[:-1], weights, False, raw, 0)
    np.testing.assert_array_equal(plane, planes[-1])


def test_what_comes_beside_samples_is_kept(picture: Image.Image) -> None:
    picture.putalpha(picture.convert("L"))
    data = zoo.encode("mlp", picture, **QUICK)
    shown = recodec.decode(data)
    assert (shown.mode, shown.tobytes()) == ("RGBA", picture.tobytes())
    info = recodec.verify(data)
    assert (info.family, info.model, info.iterations) == ("zoo", "mlp", 3)
    assert info.to_dict()["coder"] == "huffman"


def test_prefixes_are_pictures(picture: Image.Image) -> None:
    data = zoo.encode("mlp", picture, predictor="linear")
    first, second, whole = recodec.progressive(io.BytesIO(data), like="numpy")
    original = np.asarray(picture)
    np.testing.assert_array_equal(first, np.repeat(original[..., 1:2], 3, 2))
    np.testing.assert_array_equal(second[..., :2], original[..., :2])
    np.testing.assert_array_equal(whole, original)


@pytest.mark.parametrize("coder", ["huffman", "contexts"])
def test_networks_predict(coder: str) -> None:
    samples = smooth(96, 128, 1)
    sizes = {
        predictor: len(zoo.encode("mlp", samples, predictor=predictor, coder=coder))
        for predictor in ("linear", "network")
    }
    # 120 bytes of weights against 5,204.
    assert sizes["linear"] < 0.65 * samples.size
    assert sizes["network"] - 5204 < 0.65 * samples.size


@pytest.mark.parametrize("seed", range(3))
def test_networks_begin_as_the_regression(seed: int) -> None:
    """So that they end no worse: units come in pairs, of which one at least is alive."""
    inputs, regression = torch.randn(500, 69), torch.randn(69) / 8
    values = inputs
    layers = training._begun(69, seed, regression)
    for weight in layers[:-1]:
        values = torch.relu(values @ weight.T)
        assert (values.reshape(500, -1, 2) > 0).any(dim=2).float().mean() > 0.99
    torch.testing.assert_close((values @ layers[-1].T)[:, 0], inputs @ regression, rtol=1e-4, atol=1e-4)


def test_planes_are_predicted_from_those_before() -> None:
    samples = np.repeat(np.random.default_rng(3).integers(0, 256, (64, 64, 1), np.uint8), 3, 2)
    data = zoo.encode("mlp", samples, predictor="linear", coder="contexts")
    assert len(data) < 0.45 * samples.size


def test_contexts_take_less_than_huffman() -> None:
    samples = smooth(96, 128, 1)
    samples[:48] = 90
    huffman, contexts = (
        zoo.encode("mlp", samples, predictor="linear", coder=coder) for coder in ("huffman", "contexts")
    )
    assert len(contexts) < 0.9 * len(huffman)


def test_a_network_that_died_is_noticed() -> None:
    """Whatever seed training begins with, networks that see differences come out alive."""
    samples = smooth(40, 60, 1)
    for seed in range(6):
        assert fit(samples[None, ..., 0], Settings(seeds=1, steps=100, seed=seed))[1]
    with pytest.warns(recodec.DeadNetworkWarning, match="plane 1 says the same") as caught:
        zoo.encode("mlp", dead_samples(), raw=True, seeds=1, steps=1)
    restored = pickle.loads(pickle.dumps(caught[0].message))
    assert (type(restored), str(restored)) == (recodec.DeadNetworkWarning, str(caught[0].message))


def dead_samples() -> NDArray[np.uint8]:
    """So dark that every answer of a network that hardly learnt rounds to 0."""
    return np.random.default_rng(0).integers(0, 2, (9, 9), np.uint8)


def test_flat_pictures_have_nothing_to_predict() -> None:
    weights, lives = fit(np.full((1, 20, 20), 77, np.uint8), Settings(**QUICK))
    assert lives
    assert not _core.mlp_errors(np.full((1, 20, 20), 77, np.uint8), weights, False, False)[1:].any()


def test_training_leaves_the_caller_alone() -> None:
    state = torch.get_rng_state()
    with torch.inference_mode():
        one = zoo.encode("mlp", smooth(20, 20, 1), **QUICK)
    assert torch.equal(torch.get_rng_state(), state)
    assert zoo.encode("mlp", smooth(20, 20, 1), **QUICK) == one
    assert zoo.encode("mlp", smooth(20, 20, 1), **QUICK, seed=1) != one


def test_weights_of_any_size_become_integers_within_limits() -> None:
    rng = np.random.default_rng(5)
    sizes = (60, *slow_mlp.LAYERS)
    inputs = rng.integers(-255, 256, (200, 60)).astype(np.float64)
    for scale in (1e-9, 1.0, 1e6, np.nan):
        layers = [scale * rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
        weights = quantised(layers, inputs)
        assert weights.size == _core.mlp_weights(0, False)
        _core.mlp_errors(np.zeros((1, 3, 3), np.uint8), weights, False, False)


@pytest.mark.parametrize("settings", FORMS)
def test_damage_is_found(settings: dict[str, Any]) -> None:
    data = zoo.encode("mlp", smooth(17, 31, 3), **settings)
    start = recodec.info(data).header_bytes
    for at in np.linspace(start, len(data) - 1, 60).astype(int):
        for function in (recodec.decode, recodec.verify):
            damaged = bytearray(data)
            damaged[at] ^= 0x41
            try:
                function(bytes(damaged), max_pixels=1 << 12)
            except recodec.RecodecError:
                continue
            # A chunk of another type is skipped, and a file without its end mark is only cut.
            shown = recodec.decode(bytes(damaged), like="numpy")
            assert recodec.info(bytes(damaged)).truncated or (shown == smooth(17, 31, 3)).all()


def header_and_rest(data: bytes) -> tuple[_core.Header, bytes]:
    header, end = _core.read_header(data)
    return header, data[end:]


def test_headers_that_cannot_be() -> None:
    header, rest = header_and_rest(zoo.encode("mlp", smooth(9, 9, 1), predictor="linear"))
    for fields, error, said in (
        (b"", recodec.FormatError, "shorter than its fields"),
        (b"\0", recodec.FormatError, "shorter than its fields"),
        (b"\1\0", recodec.UnsupportedError, "version of the MLP is 1"),
        (b"\0\x0a", recodec.UnsupportedError, "flags of the MLP has 0x8"),
    ):
        header.fields = fields
        with pytest.raises(error, match=said):
            recodec.info(_core.write_header(header) + rest)
    header.fields, header.model = b"\0\0\0", "gdn-9"
    with pytest.raises(recodec.WeightsError, match="no model 'gdn-9'"):
        recodec.decode(_core.write_header(header) + rest)


def chunk(content: bytes) -> bytes:
    crc = _core.crc32c(content, _core.crc32c(bytes([CODES]))).to_bytes(4, "little")
    return _core.write_chunk(CODES, crc + content) + end_chunk(1)


def table(**lengths: int) -> bytes:
    values = [0] * 256
    for symbol, length in lengths.items():
        values[int(symbol[1:])] = length
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "checksum and weights take 124"),
        (bytes(100), "checksum and weights take 124"),
        (bytes(120), "9 samples|81 samples have 0 bytes"),
        (bytes(120) + bytes(128 + 30), "none of its code"),
        (bytes(120) + table(s0=1, s1=1, s2=1) + bytes(30), "more words than there can be"),
        (bytes(120) + table(s0=1, s1=2) + bytes(30), "leaves words without a symbol"),
        (bytes(120) + table(s0=1) + bytes(30), "take 11 bytes; there are 30"),
        (bytes(120) + table(s0=1, s9=1) + bytes(10), "take 11 bytes; there are 10"),
    ],
)
def test_planes_that_cannot_be(content: bytes, said: str) -> None:
    header, _ = header_and_rest(zoo.encode("mlp", smooth(9, 9, 1), predictor="linear"))
    file = _core.write_header(header) + chunk(content)
    for function in (recodec.decode, recodec.verify):
        with pytest.raises(recodec.FormatError, match=said):
            function(file)


def test_weights_whose_sums_could_overflow_are_refused() -> None:
    header, _ = header_and_rest(zoo.encode("mlp", smooth(9, 9, 1), **QUICK))
    weights = np.full(_core.mlp_weights(0, False), 32767, "<i2").tobytes()
    with pytest.raises(recodec.FormatError, match="add up to 1048544; the most is 65535"):
        recodec.decode(_core.write_header(header) + chunk(weights + bytes(400)))


def test_claims_of_size_take_nothing() -> None:
    header, rest = header_and_rest(zoo.encode("mlp", smooth(9, 9, 1), predictor="linear"))
    header.width = header.height = 30000
    with pytest.raises(recodec.LimitError, match="max_pixels"):
        recodec.decode(_core.write_header(header) + rest)
    with pytest.raises(recodec.LimitError, match="max_memory"):
        recodec.decode(_core.write_header(header) + rest, max_pixels=1 << 30)
    # Some dozens of bytes for as many pixels as are allowed.
    header.width = header.height = 8000
    with pytest.raises(recodec.FormatError, match="64000000 samples have"):
        recodec.decode(_core.write_header(header) + rest)


def test_a_plane_too_many_is_refused() -> None:
    data = zoo.encode("mlp", smooth(9, 9, 1), predictor="linear")
    info = recodec.info(data)
    one = data[info.header_bytes : info.prefix_bytes(1)]
    with pytest.raises(recodec.FormatError, match="more code chunks"):
        recodec.verify(data[: info.header_bytes] + 2 * one + end_chunk(2))


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"seed_count": 3}, recodec.OptionError, "mlp.. has no option 'seed_count'"),
        ({"coder": "ans"}, recodec.TargetError, "coder is 'ans'; it must be huffman or contexts"),
        ({"predictor": "cubic"}, recodec.TargetError, "predictor is 'cubic'"),
        ({"steps": 0}, recodec.TargetError, "steps is 0"),
        ({"seeds": 1.5}, recodec.TargetError, "seeds is 1.5"),
        ({"seed": "x"}, recodec.TargetError, "seed is 'x'"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        zoo.encode("mlp", smooth(9, 9, 1), **settings)


def test_pictures_that_cannot_be() -> None:
    with pytest.raises(recodec.ImageError, match="more than 8 bits"):
        zoo.encode("mlp", np.zeros((9, 9), np.uint16))
    with pytest.raises(recodec.ImageError, match="none of the 256 levels"):
        zoo.encode("mlp", torch.full((1, 4, 4), 0.3))
    with pytest.raises(recodec.WeightsError, match="no system 'mlq'; it has mlp"):
        zoo.encode("mlq", smooth(9, 9, 1))
    with pytest.raises(recodec.TargetError, match="keep every sample"):
        recodec.encode(smooth(9, 9, 1), model="mlp", bpp=1)
    with pytest.raises(recodec.LimitError, match="max_memory"):
        recodec.encode(smooth(9, 9, 1), model="mlp", max_memory=1 << 20)


@pytest.mark.parametrize("name", ["zoo-huffman", "zoo-contexts", "zoo-network"])
def test_files_of_the_fuzzer_are_read_as_they_were_written(name: str) -> None:
    y, x = np.mgrid[:9, :13]
    drawn = np.stack([x * 19, y * 28, x * y * 2], axis=2).astype(np.uint8)
    expected = drawn[..., :1] if name == "zoo-network" else drawn
    np.testing.assert_array_equal(recodec.decode(CORPUS / f"{name}.rcd", like="numpy"), expected)


def test_an_effort_that_it_has_not_is_refused(picture: Image.Image) -> None:
    with pytest.raises(recodec.TargetError, match="effort is 'best', but files of model mlp"):
        recodec.load("mlp").encode(picture, effort="best")
