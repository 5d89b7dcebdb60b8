"""What files change of a synthesis: their numbers, what it makes of them, and what cannot be them."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import recodec
from recodec import _core
from recodec.errors import ChecksumError, FormatError, TargetError
from recodec.networks.autoencoder.adjustments import adjustable, no_adjustments
from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.networks.autoencoder.network import Autoencoder
from recodec.weights import Model, save_model
from recodec.zoo.learned.header import Settings
from recodec.zoo.learned.symbols import Stage, encode_adjustments
from tests.zoo import slow_latents
from tests.zoo.autoencoder_models import CONFIGS, saved_model
from tests.zoo.learned_files import adjusted_file, repair_stages, stages_of
from tests.zoo.test_autoencoders import codec_of, whole
from tests.zoo.test_refinement import taught


@pytest.mark.parametrize("name", CONFIGS)
def test_a_decoder_shows_what_other_weights_would(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image
) -> None:
    """A network whose weights are changed by hand, convolution by convolution, shows the same."""
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = saved_model(tmp_path, name)
    plain = whole(model, picture)
    stages = stages_of(model, plain)
    network = copy.deepcopy(model.network)
    rng = np.random.default_rng(5)
    tuned = []
    for stage, synthesis in zip(stages, network.synthesis, strict=True):
        changes = rng.integers(-90, 90, (2, adjustable(synthesis))).astype(np.int16)
        at = 0
        for module in synthesis.modules():
            if isinstance(module, nn.Conv2d):
                gain, bias = torch.from_numpy(changes[:, at : at + module.out_channels] / 1024).float()
                module.weight *= 1 + gain[:, None, None, None]
                module.bias += bias  # type: ignore[operator]
                at += module.out_channels
        assert at == changes.shape[1]
        tuned.append(Stage(stage.latents, changes))
    other = tmp_path / "other"
    other.mkdir()
    save_model(other / f"{name}.safetensors", network, {"made": "for tests"})
    shown = recodec.decode(adjusted_file(model, tuned, plain), like="numpy").astype(int)
    monkeypatch.setenv("RECODEC_WEIGHTS", str(other))
    header, after = _core.read_header(plain)
    header.model_hash = recodec.load(name).hash
    by_hand = recodec.decode(_core.write_header(header) + plain[after:], like="numpy").astype(int)
    # Weights are saved in 16 bits.
    assert np.abs(shown - by_hand).max() <= 1
    assert np.abs(shown - recodec_shows(tmp_path, monkeypatch, plain)).max() > 3


def recodec_shows(folder: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> np.ndarray:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(folder))
    return recodec.decode(data, like="numpy").astype(int)


def test_another_decoder_finds_the_same_numbers() -> None:
    rng = np.random.default_rng(6)
    for scale in (0, 3, 40, 3000):
        changes = np.rint(rng.normal(0, scale, (2, 17))).astype(np.int16)
        coded = encode_adjustments(changes)
        size = _core.read_varint(coded, 0)
        assert size == len(coded) - 1
        even = [slow_latents.Tables(0, [], [[32768] * 64])] * 2
        found = slow_latents.decode(coded[1:], even, 1, 17, 6, True, 4)
        assert np.array(found)[:, 0].tolist() == changes.tolist()
    assert encode_adjustments(None) == b"\0"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    return saved_model(tmp_path, "staged")


def test_stages_may_be_as_the_model_has_them(model: Model, picture: Image.Image) -> None:
    plain = whole(model, picture)
    stages = stages_of(model, plain)
    same = adjusted_file(model, stages, plain)
    assert len(same) == len(plain) + len(stages)
    np.testing.assert_array_equal(recodec.decode(same, like="numpy"), recodec.decode(plain, like="numpy"))
    changes = np.zeros((2, adjustable(model.network.synthesis[0])), np.int16)
    zeros = adjusted_file(model, [Stage(stages[0].latents, changes), *stages[1:]], plain)
    np.testing.assert_array_equal(recodec.decode(zeros, like="numpy"), recodec.decode(plain, like="numpy"))
    # Any numbers are finite pictures.
    changes[0], changes[1] = 32767, -32767
    wild = adjusted_file(model, [Stage(stages[0].latents, changes), *stages[1:]], plain)
    assert recodec.decode(wild).size == picture.size


@pytest.mark.parametrize(
    ("coded", "said"),
    [
        (b"", "cut off"),
        (b"\xff\xff\xff\xff\xff\xff", "exceeds 32 bits"),
        (b"\x7f" + bytes(9), "claim 127 bytes; 9 are there"),
        (b"\xff\xff\x03" + bytes(70_000), "claim 65535 bytes; 70000 are there, and for"),
        (b"\x05" + b"\xff" * 300, None),
        (b"\x02", "claim 2 bytes; 0 are there"),
    ],
)
def test_what_are_no_adjustments(model: Model, picture: Image.Image, coded: bytes, said: str | None) -> None:
    plain = whole(model, picture)
    damaged = adjusted_file(model, stages_of(model, plain)[:1], plain, damage=coded)
    for read in (recodec.decode, recodec.verify):
        with pytest.raises((FormatError, ChecksumError), match=said or "code chunk 1"):
            read(damaged)


def test_a_flipped_bit_is_found(model: Model, picture: Image.Image) -> None:
    plain = whole(model, picture)
    changes = np.full((2, adjustable(model.network.synthesis[0])), 7, np.int16)
    data = adjusted_file(model, [Stage(stages_of(model, plain)[0].latents, changes)], plain)
    recodec.verify(data)
    _, at = _core.read_header(data)
    for place in range(at + 8, at + 24):
        damaged = bytearray(data)
        damaged[place] ^= 4
        with pytest.raises(recodec.RecodecError):
            recodec.decode(bytes(damaged))


def test_tuning_pays_and_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image
) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = taught(tmp_path, "bounded")
    original = np.asarray(picture.resize((183, 135)))
    shown = {}
    for tune in (False, True):
        data = codec_of(model, refine=80, tune=tune).encode(original, iterations=1)
        shown[tune] = recodec.decode(data, like="numpy").astype(float)
        details = recodec.info(data).details
        assert details is not None
        assert ("tuned synthesis" in details.rows()["coding"]) is tune
    errors = {tune: np.square(pixels - original).mean() for tune, pixels in shown.items()}
    assert errors[True] < errors[False]


def test_settings_are_checked() -> None:
    with pytest.raises(TargetError, match="tune is 1"):
        Settings(refine=3, tune=1)  # type: ignore[arg-type]
    with pytest.raises(TargetError, match="needs steps"):
        Settings(tune=True)


def test_features_are_those_of_convolutions() -> None:
    network = Autoencoder(AutoencoderConfig.from_dict(CONFIGS["bounded"]))
    assert adjustable(network.synthesis[0]) == 8 + 12
    assert no_adjustments(network.analysis[0]).shape == (2, 6 + 8 + 8 + 8 + 4)


def test_repaired_stages_are_sound(model: Model, picture: Image.Image) -> None:
    """What the fuzz targets rely on to get past checksums."""
    plain = whole(model, picture)
    changes = np.full((2, adjustable(model.network.synthesis[0])), 7, np.int16)
    stages = [Stage(stage.latents, changes) for stage in stages_of(model, plain)]
    data = bytearray(adjusted_file(model, stages, plain))
    _, at = _core.read_header(bytes(data))
    data[at + 12] ^= 4
    with pytest.raises(ChecksumError):
        recodec.verify(bytes(data))
    repair_stages(data)
    recodec.verify(bytes(data))
