"""What a file holds beside its codes: metadata, and alpha where it has a chunk of its own. Loads no torch."""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recodec import _core
from recodec.container.core import ALPHA, ALPHA_AS_PNG, CODES, METADATA_NAMES, core_errors
from recodec.container.reader import Chunk, keep_metadata
from recodec.errors import FormatError

Alpha = NDArray[np.uint8]


def encode_alpha(alpha: Alpha) -> bytes:
    """H×W uint8 to the PNG datastream of an alpha chunk."""
    buffer = io.BytesIO()
    Image.fromarray(alpha).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def decode_alpha(png: bytes, header: _core.Header) -> Alpha:
    """The H×W uint8 alpha channel of the picture that ``header`` describes.

    Raises :class:`FormatError` if ``png`` is anything else; sizes are compared before memory is taken.
    """
    # Not with Pillow: its reader takes rows that are missing for black, and looks at global settings.
    with core_errors():
        compressed = _core.png_data(png, header.width, header.height)
        try:
            scanlines = zlib.decompressobj().decompress(compressed, header.height * (header.width + 1))
        except zlib.error as error:
            raise FormatError(f"the alpha channel cannot be inflated: {error}") from error
        return _core.unfilter(scanlines, header.height, header.width)


class Attachments:
    """Metadata by chunk type and the alpha channel, verified as the chunks of a file go by.

    ``alpha`` is None where a file has none, or has it among the samples of its code chunks.
    """

    def __init__(self, header: _core.Header):
        self._header, self._has_alpha = header, header.alpha == ALPHA_AS_PNG
        self._codes_seen = False
        self.metadata: dict[int, bytes] = {}
        self.alpha: Alpha | None = None

    def take(self, chunk: Chunk) -> None:
        """Look at the next chunk of the file, of any type.

        Raises :class:`ChecksumError` if it is damaged, :class:`FormatError` for an alpha channel that is
        missing, double or not of the picture's size.
        """
        if chunk.type == CODES:
            if self._has_alpha and self.alpha is None:
                raise FormatError("the alpha channel is missing: no alpha chunk comes before the first codes")
            self._codes_seen = True
        elif chunk.type == ALPHA and self._has_alpha:
            if self.alpha is not None:
                raise FormatError("the file has a second alpha channel; one is allowed")
            self.alpha = decode_alpha(chunk.verified(), self._header)
        elif chunk.type in METADATA_NAMES:
            keep_metadata(self.metadata, chunk, after_codes=self._codes_seen)
