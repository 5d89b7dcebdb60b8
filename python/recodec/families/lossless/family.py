"""Family 2 as the registry has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from recodec import _core
from recodec.container.core import ALPHA_IN_STRIPS
from recodec.families.lossless.header import StripFileHeader

if TYPE_CHECKING:
    import torch

    from recodec.families.lossless.engine import LosslessEngine
    from recodec.ops.backend import Backend
    from recodec.weights import Model


class LosslessFamily:
    """Strips of samples, exactly."""

    number: ClassVar[int] = 2
    name: ClassVar[str] = "lossless"
    alpha_method: ClassVar[int] = ALPHA_IN_STRIPS

    def read(self, header: _core.Header) -> StripFileHeader:
        """The header with the fields of strips."""
        return StripFileHeader(self, header)

    def engine(
        self, model: Model | None, device: str | torch.device, dtype: str | torch.dtype, backend: Backend
    ) -> LosslessEngine:
        """Integers on the CPU, whatever is asked for."""
        from recodec.families.lossless.engine import LosslessEngine

        return LosslessEngine(self)


LOSSLESS = LosslessFamily()
