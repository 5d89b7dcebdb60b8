"""Family 1 as the registry has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from recodec import _core
from recodec.container.core import ALPHA_AS_PNG, CODES
from recodec.container.reader import Reader
from recodec.families.recurrent.header import PlaneFileHeader
from recodec.families.recurrent.planes import CoderPart, Codes
from recodec.io.sources import Buffer
from recodec.limits import Limits

if TYPE_CHECKING:
    import torch

    from recodec.families.recurrent.engine import RecurrentEngine
    from recodec.ops.backend import Backend
    from recodec.weights import Model


class RecurrentFamily:
    """Planes of codes from recurrent networks."""

    number: ClassVar[int] = _core.PLANE_FAMILY
    name: ClassVar[str] = "recurrent"
    alpha_method: ClassVar[int] = ALPHA_AS_PNG

    def read(self, header: _core.Header) -> PlaneFileHeader:
        """The header with the fields of planes."""
        return PlaneFileHeader(self, header)

    def engine(
        self, model: Model | None, device: str | torch.device, dtype: str | torch.dtype, backend: Backend
    ) -> RecurrentEngine:
        """A model's networks on a device."""
        from recodec.families.recurrent.engine import RecurrentEngine

        assert model is not None
        return RecurrentEngine(self, model, device, dtype, backend)


RECURRENT = RecurrentFamily()


def read_planes(data: Buffer, part: CoderPart | None = None, threads: int = 1) -> list[Codes]:
    """All planes of a whole file, decoded with the ``part`` of its model that the coder needs, if any."""
    reader = Reader(data)
    header = RECURRENT.read(reader.header())
    decoder = header.plane_decoder(Limits(), part, 0, threads)
    return decoder.decode([chunk.payload for chunk in reader.chunks() if chunk.type == CODES])
