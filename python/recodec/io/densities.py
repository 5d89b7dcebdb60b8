"""Resolution where formats keep it and Pillow does not look."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import IO, Any

from PIL import Image

from recodec.io.boxes import boxes

_INCH = 0.0254
# Of Photoshop's resources, that of the resolution, in 65,536ths per inch.
_RESOLUTION_INFO = 1005
# In the header of GIF; the ratio of a pixel's sides is (n + 15) / 64.
_GIF_ASPECT_AT = 12


def density_of(image: Image.Image, file: IO[bytes] | None) -> dict[str, Any]:
    """What Pillow's ``info`` should have, by its keys, of an image that is not loaded."""
    with suppress(Exception):
        if image.format == "PSD":
            resources: Any = getattr(image, "resources", ())
            for key, _, data in resources:
                if key == _RESOLUTION_INFO:
                    x, y = struct.unpack_from(">I4xI", data)
                    return {"dpi": (x / 65536, y / 65536)}
        elif image.format == "GIF" and file is not None:
            file.seek(_GIF_ASPECT_AT)
            if aspect := file.read(1)[0]:
                return {"pixel_aspect_ratio": (aspect + 15, 64)}
        elif image.format == "JPEG2000" and file is not None:
            return _for_display(file)
    return {}


def _for_display(file: IO[bytes]) -> dict[str, Any]:
    """Of JPEG 2000 (ISO/IEC 15444-1, I.5.3.7.2); Pillow knows that of the capture alone."""
    start, end = 0, None
    for kind in (b"jp2h", b"res ", b"resd"):
        box = next(box for box in boxes(file, start, end) if box.kind == kind)
        start, end = box.start, box.end
    vertical, below, horizontal, beneath, *exponents = struct.unpack_from(">4H2b", box.read(file))
    per_metre = horizontal / beneath * 10.0 ** exponents[1], vertical / below * 10.0 ** exponents[0]
    return {"dpi": (per_metre[0] * _INCH, per_metre[1] * _INCH)}
