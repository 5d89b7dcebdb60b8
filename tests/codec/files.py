"""Files with headers of any kind."""

from __future__ import annotations

from typing import Any

from tests.plane_files import PlaneFields, write_header


def header_of(**fields: Any) -> bytes:
    return write_header(PlaneFields(**{"width": 32, "height": 32, "model": "tiny", **fields}))
