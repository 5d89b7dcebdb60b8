"""Family 3 as the registry has it: one family for all systems, told apart by the model id of the header."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from recodec import _core
from recodec.container.core import ALPHA_AS_PNG
from recodec.errors import UnsupportedError
from recodec.families.protocol import FileHeader
from recodec.zoo.system import find_system, systems

if TYPE_CHECKING:
    import torch

    from recodec.families.protocol import Engine
    from recodec.ops.backend import Backend
    from recodec.weights import Model


class ZooFamily:
    """Systems of the sources."""

    number: ClassVar[int] = 3
    name: ClassVar[str] = "zoo"
    # The one system without weights.
    codec_id: ClassVar[str | None] = "mlp"
    alpha_method: ClassVar[int] = ALPHA_AS_PNG

    def read(self, header: _core.Header) -> FileHeader:
        """The header with the fields of its system. Raises :class:`FormatError` and :class:`UnsupportedError`."""
        if header.model not in (known := [system.id for system in systems()]):
            raise UnsupportedError(
                f"the file is of system {header.model!r} of the zoo; this version knows {', '.join(known)}"
            )
        return find_system(header.model).read(self, header)

    def engine(
        self, model: Model | None, device: str | torch.device, dtype: str | torch.dtype, backend: Backend
    ) -> Engine:
        """Of the system without weights, with its usual settings."""
        return find_system("mlp").engine(self)


ZOO = ZooFamily()
