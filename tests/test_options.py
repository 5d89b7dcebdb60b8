"""Options that do not exist, limits that are none, and models that nothing names: typed errors that say so."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.codec import DecodeOptions, EncodeOptions, ProgressiveOptions
from recodec.container.targets import Targets, resolve_target
from recodec.decoding import _read
from recodec.encoding import _start
from recodec.errors import DeviceError, LimitError, OptionError, RecodecError, TargetError, WeightsError
from recodec.families.recurrent.encoder import RecurrentEncoder
from recodec.options import described


@pytest.fixture
def coded(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, model=tiny_model, iterations=1)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("qualty", "did you mean 'quality'"),
        ("max_pixel", "did you mean 'max_pixels'"),
        ("max_byte", "did you mean 'max_bytes'"),
        ("Strip", "did you mean 'strip'"),
        ("modell", "did you mean 'model'"),
        ("device", "it is one of recodec.load"),
        ("zzz", "there are bpp, convert, effort, entropy, iterations, "),
    ],
)
def test_encode_names_the_option_that_may_be_meant(
    tiny_model: str, picture: Image.Image, option: str, words: str
) -> None:
    for use in (recodec.encode, recodec.load(tiny_model).encode):
        with pytest.raises(OptionError, match=rf"encode\(\) has no option '{option}'; {words}") as caught:
            use(picture, **{option: 3})  # type: ignore[operator]
        assert isinstance(caught.value, RecodecError)
        assert isinstance(caught.value, TypeError)


def test_decode_names_the_option_that_may_be_meant(tiny_model: str, coded: bytes) -> None:
    for option, words in (("iteration", "'iterations'"), ("lik", "'like'"), ("device", "recodec.load")):
        for use in (recodec.decode, recodec.load(tiny_model).decode):
            with pytest.raises(OptionError, match=rf"decode\(\) has no option '{option}'; .*{words}"):
                use(coded, **{option: 3})  # type: ignore[operator]


def uses(coded: bytes, picture: Image.Image) -> dict[str, Callable[..., object]]:
    return {
        "encode": lambda **options: recodec.encode(picture, model="tiny", iterations=1, **options),
        "decode": lambda **options: recodec.decode(coded, **options),
        "verify": lambda **options: recodec.verify(coded, **options),
        "progressive": lambda **options: list(recodec.progressive(coded, **options)),
    }


@pytest.mark.parametrize("value", ["64Mi", [], True, math.nan, np.float32("nan"), b"1", 1j])
def test_limits_that_are_no_numbers(coded: bytes, picture: Image.Image, value: Any) -> None:
    for use in uses(coded, picture).values():
        for option in ("max_pixels", "max_memory"):
            with pytest.raises(
                TargetError, match=f"{option} is .*; it must be a number, or None for no limit"
            ):
                use(**{option: value})


@pytest.mark.parametrize("value", [None, math.inf, 2**80, 10**400, np.int64(2**40), np.float32(1e12), 1e12])
def test_limits_that_are_never_reached(coded: bytes, picture: Image.Image, value: Any) -> None:
    for use in uses(coded, picture).values():
        assert use(max_pixels=value, max_memory=value) == use()


@pytest.mark.parametrize("value", [0, -1, 2.5, -math.inf, -(2**80), np.int8(5)])
def test_limits_that_nothing_keeps(coded: bytes, picture: Image.Image, value: Any) -> None:
    for use in uses(coded, picture).values():
        with pytest.raises(LimitError, match="raise max_pixels"):
            use(max_pixels=value)


def test_what_names_no_model(picture: Image.Image) -> None:
    for model in (None, 3, [], b"tiny"):
        with pytest.raises(WeightsError, match="give its id or the path of its file"):
            recodec.load(model)  # type: ignore[arg-type]
        with pytest.raises(WeightsError, match="give its id or the path of its file"):
            recodec.encode(picture, model=model)  # type: ignore[arg-type]
    for model_hash in ("zz", "", b"12", 3):
        with pytest.raises(WeightsError, match="is wanted"):
            recodec.load("dev-1", model_hash=model_hash)  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match="'None' cannot be used"):
        recodec.load("dev-1", device=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "options", "others"),
    [
        (recodec.encode, EncodeOptions, ["image", "model", "out", "batch_size"]),
        (recodec.Codec.encode, EncodeOptions, ["self", "image", "out", "batch_size"]),
        (recodec.decode, DecodeOptions, ["data", "like", "dtype", "out", "batch_size"]),
        (recodec.Codec.decode, DecodeOptions, ["self", "data", "like", "dtype", "out", "batch_size"]),
        (recodec.progressive, ProgressiveOptions, ["data", "like", "dtype", "out"]),
        (recodec.Codec.progressive, ProgressiveOptions, ["self", "data", "like", "dtype", "out"]),
    ],
)
def test_signatures_and_help_show_every_option(
    function: Callable[..., object], options: type, others: list[str]
) -> None:
    parameters = inspect.signature(function).parameters
    known = described(options)
    assert [*parameters] == [*others, *known]
    text = inspect.getdoc(function)
    assert text is not None
    for name, (kind, option) in known.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == option.default
        assert parameters[name].annotation == kind
        assert f"\n    {name}: {option.text.split()[0]}" in text
    for name in others[1:]:
        assert f"``{name}``" in text or name in ("image", "data")


def test_help_states_the_defaults_that_are_taken() -> None:
    taken: dict[str, object] = {}
    for function in (_start, resolve_target, RecurrentEncoder.__init__):
        parameters = inspect.signature(function).parameters.values()
        taken |= {one.name: one.default for one in parameters if one.default is not one.empty}
    encoding = {name: option.default for name, (_, option) in described(EncodeOptions).items()}
    assert taken == {name: encoding[name] for name in taken}
    assert set(encoding) - set(taken) == {"lossless", "preview"}
    assert set(Targets.__optional_keys__) == set(inspect.signature(resolve_target).parameters) - {"pixels"}
    decoding = {name: option.default for name, (_, option) in described(DecodeOptions).items()}
    reading = inspect.signature(_read).parameters
    assert decoding == {name: reading[name].default for name in decoding}


def test_explicit_defaults_change_nothing(tiny_model: str, picture: Image.Image, coded: bytes) -> None:
    encoding = {name: option.default for name, (_, option) in described(EncodeOptions).items()}
    assert recodec.encode(picture, model=tiny_model, **encoding) == recodec.encode(picture, model=tiny_model)
    decoding = {name: option.default for name, (_, option) in described(DecodeOptions).items()}
    assert recodec.decode(coded, **decoding) == recodec.decode(coded)
