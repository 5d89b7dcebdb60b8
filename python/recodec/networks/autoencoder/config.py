"""Shapes of autoencoders, as plain data that travels in the weights file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Literal, Self, get_args

from recodec.errors import WeightsError
from recodec.networks.config_texts import joined, side_texts
from recodec.tables import from_table

LayerKind = Literal["conv", "residual", "pool", "average", "up", "shuffle", "gdn", "inverse-gdn", "norm"]
Activation = Literal["linear", "relu", "leaky-relu", "tanh"]
Quantiser = Literal["sigmoid", "unit", "rounded"]

_LARGEST_WIDTH, _LARGEST_KERNEL, _LARGEST_FACTOR, _MOST_LAYERS = 4096, 31, 16, 64
_LARGEST_STRIDE, _MOST_CHANNELS = 64, 1024
# Those that change the size, and whether a picture becomes smaller.
_RESIZING = {"pool": True, "average": True, "up": False, "shuffle": False}


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """One layer.

    ``conv`` and ``residual`` (two convolutions and what comes in) give ``width`` features with kernels of odd size
    ``kernel``; the former takes every ``factor``-th position. ``pool`` (largest) and ``average`` shrink, ``up``
    (bilinear) and ``shuffle`` (depth-to-space) enlarge by ``factor``. ``gdn`` divides by what surrounds in channels
    (Ballé et al. 2017), ``norm`` normalises by statistics of the batch, which inference has frozen.
    """

    kind: LayerKind
    width: int = 0
    kernel: int = 3
    factor: int = 1
    activation: Activation = "linear"

    def __post_init__(self) -> None:
        for name, known in (("kind", get_args(LayerKind)), ("activation", get_args(Activation))):
            if (value := getattr(self, name)) not in known:
                raise WeightsError(f"{name} of a layer is {value!r}; it must be one of {', '.join(known)}")
        wide = self.kind in ("conv", "residual")
        least = 2 if self.kind in _RESIZING else 1
        most = _LARGEST_FACTOR if self.kind in (*_RESIZING, "conv") else 1
        ranges = {
            "width": (int(wide), _LARGEST_WIDTH if wide else 0),
            "kernel": (1, _LARGEST_KERNEL),
            "factor": (least, most),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise WeightsError(
                    f"{name} of a layer of kind {self.kind!r} is {value!r}; it must be a whole number in {low}..{high}"
                )
        if self.kernel % 2 == 0:
            raise WeightsError(f"kernel is {self.kernel}; it must be odd")

    def width_after(self, width: int) -> int:
        """Features that come out of ``width``. Raises :class:`WeightsError` where they do not divide."""
        if self.kind == "shuffle":
            if width % self.factor**2:
                raise WeightsError(f"{width} features cannot be shuffled by {self.factor}")
            return width // self.factor**2
        return self.width or width

    @property
    def shrinks_by(self) -> int:
        """How many times smaller a picture becomes."""
        return self.factor if self.kind == "conv" or _RESIZING.get(self.kind, False) else 1

    @property
    def grows_by(self) -> int:
        """How many times larger a picture becomes."""
        return 1 if self.kind == "conv" or _RESIZING.get(self.kind, True) else self.factor

    @property
    def reach(self) -> int:
        """Positions of the input beside its own that a position sees, to each side."""
        sides = {"conv": 1, "residual": 2}
        return sides.get(self.kind, 0) * (self.kernel // 2) + (self.kind == "up")


def with_widths(layers: Sequence[LayerConfig], width: int) -> Iterator[tuple[LayerConfig, int, int]]:
    """Each layer with the features that go in and come out."""
    for layer in layers:
        after = layer.width_after(width)
        yield layer, width, after
        width = after


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Shape of an autoencoder.

    ``quantiser`` "sigmoid" bounds latents by a sigmoid to 2^``bits`` values, "unit" by cutting at ±1/2, "rounded"
    rounds to steps that are learned for each channel, once for each of ``levels`` of quality. ``stages`` code one
    after the other what the sum of those before leaves, with layers of their own. Latents are entropy-coded in
    ``contexts`` contexts, by probabilities that go 2^−``rate`` of the way to what was seen (0: stay).
    """

    analysis: tuple[LayerConfig, ...]
    synthesis: tuple[LayerConfig, ...]
    quantiser: Quantiser = "sigmoid"
    bits: int = 6
    stages: int = 1
    levels: int = 1
    contexts: int = 12
    rate: int = 0

    def __post_init__(self) -> None:
        if self.quantiser not in get_args(Quantiser):
            known = ", ".join(get_args(Quantiser))
            raise WeightsError(f"quantiser is {self.quantiser!r}; it must be one of {known}")
        levels = 255 if self.quantiser == "rounded" else 1
        ranges = {
            "bits": (1, 8),
            "stages": (1, 16),
            "levels": (1, levels),
            "contexts": (1, 256),
            "rate": (0, 15),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise WeightsError(f"{name} is {value!r}; it must be a whole number in {low}..{high}")
        for name in ("analysis", "synthesis"):
            if not 1 <= len(getattr(self, name)) <= _MOST_LAYERS:
                raise WeightsError(
                    f"{name} has {len(getattr(self, name))} layers; it must have 1 to {_MOST_LAYERS}"
                )
        if any(layer.grows_by > 1 for layer in self.analysis):
            raise WeightsError("a layer of the analysis enlarges; only those of the synthesis can")
        if any(layer.shrinks_by > 1 for layer in self.synthesis):
            raise WeightsError("a layer of the synthesis shrinks; only those of the analysis can")
        grown = 1
        for layer in self.synthesis:
            grown *= layer.grows_by
        if grown != self.stride or grown > _LARGEST_STRIDE:
            raise WeightsError(
                f"the analysis shrinks {self.stride} times and the synthesis enlarges {grown} times; both must be the "
                f"same, and {_LARGEST_STRIDE} at most"
            )
        if self.channels > _MOST_CHANNELS:
            raise WeightsError(
                f"there are {self.channels} latents at a position; {_MOST_CHANNELS} are the limit"
            )
        if (found := _width(self.synthesis, self.channels)) != 3:
            raise WeightsError(f"the synthesis gives {found} features; a picture has 3")

    @property
    def stride(self) -> int:
        """Pixels along the side of a position."""
        stride = 1
        for layer in self.analysis:
            stride *= layer.shrinks_by
        return stride

    @property
    def channels(self) -> int:
        """Latents at a position, of one stage."""
        return _width(self.analysis, 3)

    @property
    def analysis_reach(self) -> int:
        """Positions around its own, to each side, whose pixels a latent depends on."""
        pixels, scale = 0, 1
        for layer in self.analysis:
            pixels += layer.reach * scale
            scale *= layer.shrinks_by
        return ceil(pixels / scale)

    @property
    def synthesis_reach(self) -> int:
        """Positions around its own, to each side, whose latents a pixel depends on."""
        positions, scale = 0.0, 1
        for layer in self.synthesis:
            positions += layer.reach / scale
            scale *= layer.grows_by
        return ceil(positions)

    def to_texts(self) -> dict[str, str]:
        """Two canonical JSON texts: ``"decoder"``, all that decoding depends on, and ``"encoder"``."""
        return side_texts(asdict(self), ("analysis",))

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Self:
        """Read what :meth:`to_texts` wrote. Raises :class:`WeightsError` on anything else."""
        return cls.from_dict(joined(texts))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build from nested plain data, as found in JSON or TOML. Raises :class:`WeightsError`."""
        tables = dict(data)
        for name in ("analysis", "synthesis"):
            layers = tables.get(name, [])
            if not isinstance(layers, list):
                raise WeightsError(f"{name} is {layers!r}; it must be a list of layers")
            tables[name] = tuple(
                from_table(LayerConfig, layer, f"layer {number} of the {name}", WeightsError)
                for number, layer in enumerate(layers, start=1)
            )
        return from_table(cls, tables, "network", WeightsError)


def _width(layers: Sequence[LayerConfig], width: int) -> int:
    for layer in layers:
        width = layer.width_after(width)
    return width
