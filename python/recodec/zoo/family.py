"""Family 3 as the registry has it: one family for all systems, told apart by the model id of the header."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from recodec import _core
from recodec.container.core import ALPHA_AS_PNG
from recodec.families.protocol import FileHeader
from recodec.zoo.system import find_system

if TYPE_CHECKING:
    import torch

    from recodec.families.protocol import Engine
    from recodec.ops.backend import Backend
    from recodec.weights import Model

# The one system without weights.
_MLP = "mlp"


class ZooFamily:
    """Systems of the sources."""

    number: ClassVar[int] = 3
    name: ClassVar[str] = "zoo"
    alpha_method: ClassVar[int] = ALPHA_AS_PNG

    def read(self, header: _core.Header) -> FileHeader:
        """The header with the fields of its system. Raises :class:`FormatError` and :class:`UnsupportedError`."""
        # A file of one loads nothing of the other.
        if header.model == _MLP:
            from recodec.zoo.mlp.header import MlpFileHeader

            return MlpFileHeader(self, header)
        from recodec.zoo.learned.header import LearnedFileHeader

        return LearnedFileHeader(self, header)

    def engine(
        self, model: Model | None, device: str | torch.device, dtype: str | torch.dtype, backend: Backend
    ) -> Engine:
        """A model where it runs; without one the system that has no weights. With the usual settings."""
        if model is None:
            return find_system(_MLP).engine(self)
        from recodec.zoo.learned.engine import LearnedEngine

        return LearnedEngine(self, model, device, dtype, backend)


ZOO = ZooFamily()
