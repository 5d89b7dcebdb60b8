"""Models: look-up, hash, and everything that can be wrong with a file of weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import recodec
from recodec import zoo
from recodec.errors import WeightsError
from recodec.model_search import SHIPPED, available_models, find_model
from recodec.weights import load_model, save_model, shared_model

from .conftest import GOLDEN


def copy_with(target: Path, tensors: dict[str, torch.Tensor], **metadata: str) -> Path:
    """The tiny model with some tensors and metadata replaced."""
    with safe_open(GOLDEN / "tiny.safetensors", "pt") as file:
        all_tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        all_metadata = file.metadata()
    save_file({**all_tensors, **tensors}, target, {**all_metadata, **metadata})
    return target


def test_golden_model_never_changes(tiny_model: str) -> None:
    assert load_model(tiny_model).hash.hex() == (GOLDEN / "tiny.hash").read_text().strip()


RELEASED = {
    "dev-1": "33a2599e1a807f0e",
    "rnn-1": "30145a0c441f5643",
    "latent-1": "48509eb7f62be148",
    "latent-2": "a2da2195c525c6c2",
    "latent-3": "726d663e4c6cbdb1",
    "latent-4": "106ae365156ad225",
    "paper-1": "38eaa2fd2de6c9dd",
}


@pytest.mark.parametrize(("name", "hash_"), RELEASED.items())
def test_shipped_models_never_change(name: str, hash_: str) -> None:
    assert load_model(name).hash.hex() == hash_


@pytest.mark.parametrize("name", ["tiny", *RELEASED])
def test_saving_a_loaded_model_keeps_its_hash(tiny_model: str, tmp_path: Path, name: str) -> None:
    model = load_model(name)
    save_model(tmp_path / "copy.safetensors", model.network, {"from": name}, model.tables)
    copy = load_model(tmp_path / "copy.safetensors")
    assert (copy.hash, copy.network.config) == (model.hash, model.network.config)


def test_hash_covers_the_decoder_and_not_the_encoder(tmp_path: Path) -> None:
    original = load_model(GOLDEN / "tiny.safetensors")
    bias = torch.ones(16, dtype=torch.float16)
    encoder = copy_with(tmp_path / "a.safetensors", {"binarizer.conv.bias": bias})
    decoder = copy_with(
        tmp_path / "b.safetensors", {"decoder.output.bias": torch.ones(192, dtype=torch.float16)}
    )
    scale = copy_with(tmp_path / "c.safetensors", {"front_end.scale": torch.ones(192, dtype=torch.float16)})
    notes = copy_with(tmp_path / "d.safetensors", {}, notes='{"by": "hand"}')
    assert load_model(encoder).hash == original.hash == load_model(notes).hash
    assert len({original.hash, load_model(decoder).hash, load_model(scale).hash}) == 3


@pytest.mark.parametrize(
    "name", ["../tiny", "tiny.safetensors", "Tiny", "", "a" * 33, "/etc/passwd", "tiny\n"]
)
def test_ids_are_never_paths(tiny_model: str, name: str) -> None:
    with pytest.raises(WeightsError, match="there is no model"):
        find_model(name)


def test_unknown_model_names_the_known_ones(tiny_model: str) -> None:
    assert "tiny" in available_models()
    with pytest.raises(WeightsError, match="tiny"):
        recodec.load("nothing")


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    bias = torch.full((192,), float("nan"), dtype=torch.float16)
    path = copy_with(tmp_path / "nan.safetensors", {"decoder.output.bias": bias})
    with pytest.raises(WeightsError, match="not finite"):
        load_model(path)


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    path = copy_with(tmp_path / "x.safetensors", {"decoder.output.bias": torch.zeros(3, dtype=torch.float16)})
    with pytest.raises(WeightsError, match="does not fit"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"not weights", (64).to_bytes(8, "little") + b"{"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_model(path)


def test_foreign_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="not a file of recodec weights"):
        load_model(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"additive"', '"foo"'),
        ('"dct8"', '"wavelet"'),
        ('"lstm"', '"gru"'),
        ('"depth":16', '"depth":8'),
        ('"width":16', '"width":1000000000'),
        ('"width":16', '"width":16.5'),
    ],
)
def test_wrong_configurations_are_refused(tmp_path: Path, old: str, new: str) -> None:
    with safe_open(GOLDEN / "tiny.safetensors", "pt") as file:
        text = file.metadata()["decoder"]
    assert old in text
    path = copy_with(tmp_path / "x.safetensors", {}, decoder=text.replace(old, new))
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "null", "3", "{}"])
def test_configurations_of_another_kind_are_refused(tmp_path: Path, text: str) -> None:
    path = copy_with(tmp_path / "x.safetensors", {}, decoder=text)
    with pytest.raises(WeightsError, match="configuration"):
        load_model(path)


def test_a_file_name_that_is_no_id_is_refused(tmp_path: Path) -> None:
    path = copy_with(tmp_path / "My_Weights.safetensors", {})
    with pytest.raises(WeightsError, match="no model id"):
        load_model(path)


def test_missing_configuration_is_refused(tmp_path: Path) -> None:
    path = copy_with(tmp_path / "x.safetensors", {}, decoder="{")
    with pytest.raises(WeightsError, match="configuration"):
        load_model(path)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(kind, 1) for kind in ("int64", "int32", "int16", "int8", "uint8", "bool", "bfloat16", "complex64")]
    + [("float64", 1), ("float64", 1e300)],
)
@pytest.mark.parametrize("name", ["decoder.output.bias", "binarizer.conv.bias"])
def test_types_that_the_format_lacks_are_refused(tmp_path: Path, dtype: str, value: float, name: str) -> None:
    with safe_open(GOLDEN / "tiny.safetensors", "pt") as file:
        shape = file.get_slice(name).get_shape()
    tensor = torch.full(shape, value, dtype=getattr(torch, dtype))
    path = copy_with(tmp_path / "other.safetensors", {name: tensor})
    with pytest.raises(WeightsError, match=f"{name} holds torch.{dtype}; it must be float16 or float32"):
        load_model(path)


def test_types_of_planes_and_entropy_networks(tmp_path: Path) -> None:
    with safe_open(GOLDEN / "tiny-latent.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    path = tmp_path / "other.safetensors"
    for name, kinds in {
        "planes.chunk_of": ("int8", "int32", "int64", "float16"),
        "planes.threshold": ("int16", "float64"),
        "entropy.bias": ("int16", "int64", "float32"),
    }.items():
        for kind in kinds:
            save_file({**tensors, name: tensors[name].to(getattr(torch, kind))}, path, metadata)
            with pytest.raises(WeightsError, match=f"{name.removeprefix('entropy.')} holds torch.{kind}"):
                load_model(path)
    # Single precision is not what is written, but known.
    exact = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    save_file(exact, path, metadata)
    assert load_model(path).network.config == load_model(GOLDEN / "tiny-latent.safetensors").network.config


@pytest.mark.parametrize("key", ["decoder", "encoder", "notes", "architecture"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        '{"depth":' * 50_000,
        "9" * 5000,
        '{"depth":' + "9" * 5000 + "}",
        '{"notes":NaN}[',
        "\x00",
        '"text"',
    ],
)
def test_no_metadata_raises_anything_else(tmp_path: Path, key: str, text: str) -> None:
    path = copy_with(tmp_path / "x.safetensors", {}, **{key: text})
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"depth":1e999}', '{"encoder":[[]]}', '{"decoder":{"width":3}}'])
@pytest.mark.parametrize("key", ["decoder", "encoder"])
def test_odd_configurations_are_refused(tmp_path: Path, key: str, text: str) -> None:
    path = copy_with(tmp_path / "x.safetensors", {}, **{key: text})
    with pytest.raises(WeightsError, match="configuration"):
        load_model(path)


def test_sources_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    for path in (tmp_path / "folder.safetensors", tmp_path / "absent.safetensors", tmp_path / "a\0" / "nul"):
        with pytest.raises(WeightsError, match="cannot be read"):
            load_model(path)


@pytest.mark.parametrize("name", RELEASED)
def test_released_ids_are_held_to_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also to what their hash leaves out; models of one's own may have their id, and are said to hide them."""
    whole = find_model(name).read_bytes()
    shutil.copy(SHIPPED / "SHA256SUMS", tmp_path)
    monkeypatch.setattr("recodec.model_search.SHIPPED", tmp_path)
    path = tmp_path / f"{name}.safetensors"
    path.write_bytes(whole)
    assert load_model(name).id == name
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    part = next(
        key
        for key, tensor in tensors.items()
        # Half of zeros are the same bytes, which are rightly taken.
        if key.startswith(("analysis.", "encoder.", "binarizer.")) and tensor.any()
    )
    save_file({**tensors, part: tensors[part] * 0.5}, path, metadata)
    with pytest.raises(WeightsError, match=f"not the released model {name}"):
        recodec.load(name)
    (tmp_path / "own").mkdir()
    path.rename(tmp_path / "own" / path.name)
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path / "own"))
    assert load_model(name).hash.hex() == RELEASED[name]


def test_every_released_model_has_a_digest() -> None:
    folder = Path(recodec.__file__).parent / "weights"
    listed = (folder / "SHA256SUMS").read_text().split()[1::2]
    assert listed == sorted(path.name for path in folder.glob("*.safetensors"))
    assert listed == sorted(f"{name}.safetensors" for name in RELEASED)


def test_every_model_of_the_zoo_has_a_digest_and_a_place_in_its_list() -> None:
    folder = Path(recodec.__file__).parent / "weights" / "zoo"
    listed = (folder / "SHA256SUMS").read_text().split()[1::2]
    assert listed == sorted(path.name for path in folder.glob("*.safetensors"))
    systems = [system.weights for system in zoo.systems() if system.weights is not None]
    assert listed == sorted(path.name for path in systems)


def test_a_model_is_loaded_again_once_its_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    path = tmp_path / "mine.safetensors"
    copy_with(path, {})
    hash_ = load_model("mine").hash.hex()
    first = shared_model("mine", hash_)
    assert shared_model("mine", hash_) is first
    copy_with(path, {}, notes='{"by": "another hand"}')
    assert shared_model("mine", hash_).notes == {"by": "another hand"}
    path.unlink()
    with pytest.raises(WeightsError, match="there is no model"):
        shared_model("mine", hash_)
