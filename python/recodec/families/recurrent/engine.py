"""A model's networks where they run, and the pictures that they encode and decode."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recodec import _core
from recodec.container.core import core_errors
from recodec.container.targets import positive_int
from recodec.errors import DeviceError, WeightsError
from recodec.families.recurrent.decoder import RecurrentDecoder
from recodec.families.recurrent.encoder import RecurrentEncoder, distribute, stack
from recodec.families.recurrent.header import PlaneFileHeader
from recodec.io.pictures import Picture
from recodec.limits import DEFAULT_MAX_MEMORY, TORCH_BYTES, Limits, check_pixels
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.network import LatentNetwork
from recodec.networks.latent.search import LatentSearch
from recodec.notices import warn
from recodec.ops.backend import Backend, use_backend, use_kernels
from recodec.ops.projection import projection
from recodec.runtime.ambient import inference, without_autocast
from recodec.runtime.graphs import GraphCache
from recodec.runtime.placement import number_type, placed
from recodec.runtime.precision import faster_type
from recodec.runtime.states import Workplace
from recodec.runtime.tiled_network import decode_windows, encode_windows
from recodec.weights import Model

if TYPE_CHECKING:
    from recodec.families.recurrent.family import RecurrentFamily

# Tiles or pictures of one size, on GPUs. On a CPU four at once took a third longer than one by one.
_AT_ONCE = 8

# A picture as Pillow has it, as an array, as decoded, and its codes.
_BYTES_PER_PIXEL = 12


@functools.cache
def compiler_failure(device: torch.device) -> str | None:
    """Why Triton cannot make a kernel run on a device, where it may miss a C compiler; None if it can."""
    x = torch.zeros(1, 16, 1, 1, device=device)
    try:
        with torch.no_grad():
            projection(x, torch.zeros(16, 16, 1, 1, device=device), backend="triton")
    except Exception as error:  # noqa: BLE001 - compilers raise anything
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return None


class RecurrentEngine:
    """One model on one device, in one number type, by one backend.

    ``at_once`` tiles or pictures of one size are computed together; above 1, threads prepare what the device takes.
    Raises :class:`DeviceError` for a device, type or backend that cannot be had, :class:`SettingError` for instructions
    of the entropy coder.
    """

    def __init__(
        self,
        family: RecurrentFamily,
        model: Model,
        device: str | torch.device,
        dtype: str | torch.dtype,
        backend: Backend,
    ):
        # A mistaken setting is to be told here, not with every picture.
        with core_errors():
            _core.chosen_instructions()
        self.family, self.model, self.backend = family, model, backend
        self.id, self.hash = model.id, model.hash
        self.dtype = number_type(dtype, (torch.float32, torch.bfloat16, torch.float16))
        self.device, self.network = placed(
            device, lambda found: model.plane_network().to(found).compute_in(self.dtype)
        )
        with use_backend(backend), torch.no_grad():
            kernels = use_kernels(torch.empty(0, device=self.device, dtype=self.dtype))
        if kernels and (failure := compiler_failure(self.device)):
            if backend == "triton":
                raise DeviceError(f"backend 'triton' cannot compile its kernels here: {failure}")
            warn(
                RuntimeWarning(
                    f"the networks run without Triton's kernels, which cannot be compiled here: {failure}"
                )
            )
            self.backend, kernels = "reference", False
        if kernels:
            self.network = self.network.for_kernels()
        cuda = self.device.type == "cuda"
        self.graphs = GraphCache() if cuda and kernels else None
        self.at_once = _AT_ONCE if cuda else 1

    @property
    def exact(self) -> bool:
        """Never."""
        return False

    @property
    def iterations(self) -> int:
        """Planes of a file at most."""
        return self.network.iterations

    @cached_property
    def search(self) -> LatentSearch:
        """What refines latents of one picture. Raises :class:`WeightsError` for a model that has no such thing."""
        tables = self.model.tables
        if not isinstance(self.network, LatentNetwork) or not tables:
            raise WeightsError(
                f"effort is for models whose latents can be searched with their entropy network, and {self.id} has "
                "none; leave it out"
            )
        with torch.inference_mode(False):
            entropy = EmbeddedEntropyModel.from_tables(self.network.planes, tables).eval()
            return LatentSearch(self.network, entropy, faster_type(self.device))

    def require(self, header: PlaneFileHeader) -> None:
        """Raise :class:`WeightsError` for another model's file, :class:`FormatError` for one that contradicts it."""
        header.require(self.model)

    def check_size(self, width: int, height: int, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels, sides rounded up to whole positions."""
        check_pixels(width, height, limits.max_pixels, self.network.stride)

    @property
    def encoder_options(self) -> frozenset[str]:
        """Of the entropy coder, and of the search for better latents."""
        return frozenset({"entropy", "effort", "on_progress"})

    def encoder(
        self, picture: Picture, header: _core.Header, limits: Limits, **options: Any
    ) -> RecurrentEncoder:
        """Begin a picture; options are ``entropy``, ``effort`` from 0 to 9, and ``on_progress``, told of it."""
        return RecurrentEncoder(self, picture, header, limits, **options)

    def decoder(
        self, header: PlaneFileHeader, limits: Limits, *, progressive: bool = False, threads: int = 1
    ) -> RecurrentDecoder:
        """Begin a file."""
        return RecurrentDecoder(self, header, limits, progressive=progressive, threads=threads)

    @inference()
    def encode_together(self, encoders: Sequence[RecurrentEncoder], chunks: int) -> None:
        """Codes of pictures of one size, each in one piece."""
        pixels = stack(encoders)
        place = self.workplace(pixels.shape[0] * pixels.shape[2] * pixels.shape[3])
        distribute(encoders, encode_windows(self.network, pixels, chunks, place))

    @torch.no_grad()
    @without_autocast()
    def decode_together(self, decoders: Sequence[RecurrentDecoder]) -> None:
        """Pictures of one size, each in one piece, from as many planes."""
        stacks = zip(*(decoder.planes for decoder in decoders), strict=True)
        planes = [torch.from_numpy(np.stack(stack)).to(self.device) for stack in stacks]
        place = self.workplace(planes[0][:, 0].numel() * self.network.stride**2)
        for decoder, picture in zip(decoders, decode_windows(self.network, planes, place), strict=True):
            decoder.use(picture)

    def workplace(self, pixels: int, max_memory: int = DEFAULT_MAX_MEMORY) -> Workplace:
        """Where a picture of so many pixels is computed; ``max_memory`` bytes bound the process."""
        return Workplace(
            self.device,
            self.dtype,
            self.at_once,
            positive_int("max_memory", max_memory),
            TORCH_BYTES + _BYTES_PER_PIXEL * pixels,
            self.backend,
            self.graphs,
        )
