"""Systems of the sources beside the codec itself, as they describe them and mended, in files of family 3.

Nothing in the API imports it; the registry of families finds it by a file's header.
"""

from __future__ import annotations

from recodec.zoo.system import System, encode, find_system, systems

__all__ = ["System", "encode", "find_system", "systems"]
