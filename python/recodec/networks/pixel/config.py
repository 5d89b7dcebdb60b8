"""Shape of a recurrent codec network, as plain data that travels in the weights file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from recodec.errors import WeightsError
from recodec.networks.config_texts import joined, side_texts
from recodec.tables import from_table

Reconstruction = Literal["one-shot", "additive", "residual-scaling", "masking"]
FrontEnd = Literal["pixels", "dct8"]
LayerKind = Literal["conv", "lstm", "associative-lstm", "gru", "residual-gru"]
GainInput = Literal["reconstruction", "residual"]

_LARGEST_SIZE = 1 << 16

_ENCODER_FIELDS = ("encoder", "gain_slope", "dead_zone")

# Fields that came after the first models: left out of the texts while they have their defaults, so that
# a model saved again keeps its hash.
_LATER_FIELDS = {
    "copies": 1,
    "gain_input": "reconstruction",
    "priming": 0,
    "diffusion": 0,
    "own_projections": False,
    "dead_zone": False,
    "embedding": 0,
    "feedback": 0,
}


def _without_later_defaults(data: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in data.items() if k not in _LATER_FIELDS or v != _LATER_FIELDS[k]}


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """One layer of the encoder or decoder.

    ``kind`` is ``"conv"`` (a plain convolution) or the recurrent cell. ``resample`` is the stride of
    the input convolution in the encoder, and the depth-to-space factor applied to the output in the
    decoder. ``hidden_kernel`` is ignored for ``"conv"``; ``copies`` counts the redundant copies of an
    ``"associative-lstm"``.
    """

    kind: LayerKind
    width: int
    kernel: int = 3
    hidden_kernel: int = 1
    resample: int = 1
    copies: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(LayerKind):
            raise WeightsError(
                f"layer kind is {self.kind!r}; it must be one of {', '.join(get_args(LayerKind))}"
            )
        for name in ("width", "kernel", "hidden_kernel", "resample", "copies"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= _LARGEST_SIZE:
                raise WeightsError(
                    f"layer {name} is {value!r}; it must be a whole number in 1..{_LARGEST_SIZE}"
                )
        if self.kind == "associative-lstm" and self.width % 2:
            raise WeightsError(f"width of an associative-lstm is {self.width}; complex units make it even")
        if self.copies > 1 and (self.kind != "associative-lstm" or self.copies > self.width // 4):
            raise WeightsError(
                f"copies is {self.copies} on a layer of kind {self.kind} and width {self.width}; only an "
                "associative-lstm has copies, at most a quarter of its width"
            )


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that fixes the shape of a recurrent codec network.

    ``depth`` is the number of codes per grid position and iteration (D), ``iterations`` the
    number of iterations the weights were trained for and the most a file may hold.

    ``gains`` adds learned factors per iteration and feature that start from ``gain_slope``, and
    ``shortcut`` a linear path around the layers. ``gain_input`` is what the gain network of
    ``"residual-scaling"`` looks at: the paper's equation says the reconstruction, its figure the
    reconstructed residual. ``priming`` extra steps run before the first iteration's codes count and
    ``diffusion`` extra ones before every later iteration's; Johnston et al. 2018. ``own_projections`` gives
    every iteration 1×1 layers of its own next to the codes: binarizer, output and shortcut.

    ``reconstruction`` ``"masking"`` is additive, with residuals scaled by how little the picture decoded so
    far hides of them (:class:`recodec.networks.pixel.gains.Masking`). An ``encoder`` without layers is linear: only
    its residuals recur. With a ``dead_zone``, codes are −1, 0 or +1: 0 where the binarizer's feature is small
    (:class:`recodec.networks.binarizer.Binarizer`). ``embedding`` above 0 is the width of a 1×1 layer between
    codes and decoder. ``feedback`` above 0 is the width of a 1×1 view of the provisional reconstruction, the
    former one plus the shortcut's; the decoder's first layer on the front end's grid sees it beside its input.
    """

    depth: int
    iterations: int
    reconstruction: Reconstruction
    front_end: FrontEnd
    encoder: tuple[LayerConfig, ...]
    decoder: tuple[LayerConfig, ...]
    gains: bool = False
    gain_slope: float = 0.12
    shortcut: bool = False
    gain_input: GainInput = "reconstruction"
    priming: int = 0
    diffusion: int = 0
    own_projections: bool = False
    dead_zone: bool = False
    embedding: int = 0
    feedback: int = 0

    def __post_init__(self) -> None:
        choices = (("reconstruction", Reconstruction), ("front_end", FrontEnd), ("gain_input", GainInput))
        for name, allowed in choices:
            if getattr(self, name) not in get_args(allowed):
                raise WeightsError(
                    f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(get_args(allowed))}"
                )
        if not self.encoder and not self.shortcut:
            raise WeightsError("encoder has no layers; only with shortcut = true can it do without")
        down, up = self.stride, self._front_end_stride
        for layer in self.decoder:
            up *= layer.resample
            if layer.resample > 1 and layer.width % layer.resample**2:
                raise WeightsError(
                    f"decoder layer width {layer.width} cannot be split into "
                    f"{layer.resample}x{layer.resample} blocks; make it a multiple of {layer.resample**2}"
                )
        if down != up:
            raise WeightsError(
                f"the encoder shrinks by {down} but the decoder grows by {up}; make the factors equal"
            )
        for name in ("gains", "shortcut", "own_projections", "dead_zone"):
            if type(getattr(self, name)) is not bool:
                raise WeightsError(f"{name} is {getattr(self, name)!r}; it must be true or false")
        if type(self.gain_slope) not in (int, float) or not abs(self.gain_slope) <= 10:
            raise WeightsError(f"gain_slope is {self.gain_slope!r}; it must be a number in -10..10")
        ranges = {"depth": (1, 256), "iterations": (1, 255), "priming": (0, 16), "diffusion": (0, 16)}
        ranges |= {"embedding": (0, _LARGEST_SIZE), "feedback": (0, _LARGEST_SIZE)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise WeightsError(f"{name} is {value!r}; it must be a whole number in {low}..{high}")
        if self.feedback and not (self.shortcut and self.reconstruction in ("additive", "masking")):
            raise WeightsError(
                f"feedback is {self.feedback}; it looks at what a shortcut adds, so it needs shortcut = true "
                'and reconstruction = "additive" or "masking"'
            )
        if self.reconstruction == "masking" and self.front_end != "dct8":
            raise WeightsError(
                'reconstruction is "masking"; it measures blocks, so it needs front_end = "dct8"'
            )
        if self.feedback and self.feedback_layer is None:
            raise WeightsError(
                f"feedback is {self.feedback}, but no decoder layer starts on the front end's grid; add one "
                "after the last that grows"
            )

    @property
    def feedback_layer(self) -> int | None:
        """The first decoder layer on the front end's grid, which sees the feedback; None without feedback."""
        factor = 1
        for index, layer in enumerate(self.decoder):
            if self.feedback and factor == self.grid_factor:
                return index
            factor *= layer.resample
        return None

    @property
    def _front_end_stride(self) -> int:
        return 8 if self.front_end == "dct8" else 1

    @property
    def stride(self) -> int:
        """Pixels per grid position along each axis (s)."""
        stride = self._front_end_stride
        for layer in self.encoder or self.decoder:
            stride *= layer.resample
        return stride

    @property
    def grid_factor(self) -> int:
        """Front-end positions per grid position along each axis."""
        return self.stride // self._front_end_stride

    def to_texts(self) -> dict[str, str]:
        """Two canonical JSON texts: ``"decoder"``, all that decoding depends on, and ``"encoder"``.

        Weights files keep both word for word and the decoder's is hashed, so a field added later, with
        a default, changes no hash of a model that exists.
        """
        data = _without_later_defaults(asdict(self))
        for side in ("encoder", "decoder"):
            data[side] = [_without_later_defaults(layer) for layer in data[side]]
        return side_texts(data, _ENCODER_FIELDS)

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> NetworkConfig:
        """Read what :meth:`to_texts` wrote. Raises :class:`WeightsError` on anything else."""
        data = joined(texts)
        try:
            return cls.from_dict(data)
        except WeightsError as error:
            raise WeightsError(f"the network configuration does not fit this version: {error}") from error

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NetworkConfig:
        """Build from nested plain data, as found in JSON or TOML. Raises :class:`WeightsError`."""
        tables = dict(data)
        for side in ("encoder", "decoder"):
            if side not in data:
                continue
            found = data[side]
            if not isinstance(found, list | tuple):
                raise WeightsError(f"network: {side} is {found!r}; it must be a list of layers")
            tables[side] = tuple(
                from_table(LayerConfig, layer, f"{side} layer {number}", WeightsError, typed=False)
                for number, layer in enumerate(found, start=1)
            )
        return from_table(cls, tables, "network", WeightsError, typed=False)
