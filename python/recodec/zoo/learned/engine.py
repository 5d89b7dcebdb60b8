"""A model of the zoo where it runs, and the pictures that it encodes and decodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from recodec import _core
from recodec.errors import TargetError
from recodec.families.protocol import Family
from recodec.io.pictures import Picture
from recodec.limits import Limits, check_pixels
from recodec.networks.autoencoder.network import Autoencoder
from recodec.ops.backend import Backend
from recodec.runtime.ambient import inference
from recodec.runtime.placement import number_type, placed
from recodec.runtime.samples import Samples, to_uint8
from recodec.runtime.tiling import Region
from recodec.weights import Model, load_model
from recodec.zoo.learned.header import Fields, LearnedFileHeader, Settings
from recodec.zoo.learned.symbols import Stage, SymbolDecoder, encode_stage, grid_of
from recodec.zoo.learned.transforms import analysed, rounded, shown_parts, squared_error


def engine(family: Family, system: str, settings: Settings) -> LearnedEngine:
    """The codec of a system with some settings, on the CPU. Raises :class:`WeightsError` and :class:`TargetError`."""
    return LearnedEngine(family, load_model(system), "cpu", torch.float32, "auto", settings)


class LearnedEngine:
    """One autoencoder on one device. Raises :class:`DeviceError` and :class:`TargetError`."""

    exact, at_once = False, 1

    def __init__(
        self,
        family: Family,
        model: Model,
        device: str | torch.device,
        dtype: str | torch.dtype,
        backend: Backend,
        settings: Settings | None = None,
    ):
        self.family, self.model, self.backend = family, model, backend
        self.id, self.hash = model.id, model.hash
        self.dtype = number_type(dtype, (torch.float32,))
        self.network: Autoencoder
        self.device, self.network = placed(device, model.network.to)
        self.settings = Settings() if settings is None else settings
        levels, stride = self.network.config.levels, self.network.config.stride
        if self.settings.patch % stride:
            raise TargetError(
                f"patch is {self.settings.patch}; model {self.id} needs a multiple of {stride}, or 0 for the whole "
                "picture"
            )
        if self.settings.level >= levels:
            raise TargetError(f"level is {self.settings.level}; model {self.id} has {levels}, from 0")

    def with_settings(self, settings: Settings) -> LearnedEngine:
        """The same model with other settings. Raises :class:`TargetError`."""
        return LearnedEngine(self.family, self.model, self.device, self.dtype, self.backend, settings)

    @property
    def iterations(self) -> int:
        """Stages."""
        return self.network.config.stages

    def require(self, header: LearnedFileHeader) -> None:
        """Raise :class:`WeightsError` for another model's file."""
        self.model.require(header.common)

    def check_size(self, width: int, height: int, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels, sides rounded up to whole positions or patches."""
        check_pixels(width, height, limits.max_pixels, max(self.network.config.stride, self.settings.patch))

    @property
    def encoder_options(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def encoder(
        self, picture: Picture, header: _core.Header, limits: Limits, **options: Any
    ) -> LearnedEncoder:
        """Begin a picture."""
        return LearnedEncoder(self, picture, **options)

    def decoder(
        self, header: LearnedFileHeader, limits: Limits, *, progressive: bool = False, threads: int = 1
    ) -> LearnedDecoder:
        """Begin a file."""
        return LearnedDecoder(self, header, limits)

    def encode_together(self, encoders: Sequence[Any], chunks: int) -> None:
        """Nothing is."""

    def decode_together(self, decoders: Sequence[Any]) -> None:
        """Nothing is."""


class LearnedEncoder:
    """Of one picture, stage by stage. ``stages`` are the latents so far."""

    batch_key = None

    def __init__(self, engine: LearnedEngine, picture: Picture):
        self._engine, self._picture = engine, picture
        stride = engine.network.config.stride
        self._grid = grid_of(picture.width, picture.height, stride, engine.settings.patch)
        self._samples = Samples(picture.samples, stride, engine.device)
        self.stages: list[Stage] = []

    @cached_property
    @inference()
    def _found(self) -> Sequence[Stage] | None:
        """Those that were searched for, if such are wanted and better."""
        if not self._engine.settings.refine:
            return None
        from recodec.zoo.learned.refinement import refined

        return refined(self._engine, self._picture, self._samples, self._grid)

    @cached_property
    def _fields(self) -> Fields:
        settings = self._engine.settings
        tuned = any(stage.adjustments is not None for stage in self._found or ())
        return Fields(settings.level, settings.patch, tuned)

    @property
    def fields(self) -> bytes:
        """Version, level and patches."""
        return self._fields.to_bytes()

    @inference()
    def next(self) -> bytes | None:
        """Payload of the next stage."""
        network = self._engine.network
        number = len(self.stages)
        if number == network.config.stages:
            return None
        if self._found is None:
            stage = Stage(rounded(network, analysed(self._engine, self._samples, self._grid, self.stages)))
        else:
            stage = self._found[number]
        self.stages.append(stage)
        return encode_stage(network, self._fields, number, stage)

    @inference()
    def squared_error(self) -> float:
        """Mean over the samples that are stored, as a decoder shows them."""
        return squared_error(self._engine, self.stages, self._picture)

    @inference()
    def shown(self) -> Tensor:
        """(channels, H, W) uint8, as a decoder shows them."""
        picture = self._picture
        found = torch.empty(picture.samples.shape, dtype=torch.uint8, device=self._engine.device)
        for region, pixels in shown_parts(self._engine, self.stages, picture.height, picture.width):
            region.of(found)[:] = to_uint8(pixels, picture.channels)
        return found

    def least_error(self) -> float:
        """Nobody knows."""
        return 0.0


class LearnedDecoder:
    """Of one file."""

    batch_key = None

    def __init__(self, engine: LearnedEngine, header: LearnedFileHeader, limits: Limits):
        self._symbols = SymbolDecoder(engine.model, header, limits)
        self._header = header
        # The file's settings, whatever those of the codec are.
        self._engine = engine.with_settings(Settings(header.fields.level, header.fields.patch))

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the stages that come next."""
        self._symbols.take(payloads)

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        """The picture that the stages so far make."""
        common = self._header.common
        for region, pixels in shown_parts(self._engine, self._symbols.stages, common.height, common.width):
            yield region, to_uint8(pixels, common.channels)
