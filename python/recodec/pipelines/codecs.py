"""The codecs of one process, for files of any models."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import recodec
from recodec.codec import Codec
from recodec.io.sources import Source, read_source
from recodec.several import attempt, outcomes, tried


class Codecs:
    """Codecs on a device in one type of number, each loaded when a file first names it.

    A process that is handed this loads its own.
    """

    def __init__(self, device: str, arithmetic: str):
        self._settings = device, arithmetic
        self._loaded: dict[Hashable, Codec] = {}

    def __reduce__(self) -> tuple[type[Codecs], tuple[str, str]]:
        return Codecs, self._settings

    def decode(self, sources: Sequence[Source | Exception], **options: Any) -> list[Any]:
        """A picture of each file, or what is raised in its place; files of one model together."""
        results: dict[int, Any] = {}
        groups: dict[tuple[str, str], list[tuple[int, Any]]] = {}

        def opened(source: Any) -> tuple[tuple[str, str], Any]:
            data = read_source(source)
            info = recodec.info(data)
            return (info.model, info.model_hash), data

        for place, source in enumerate(sources):
            file = tried(opened, source)
            if isinstance(file, Exception):
                results[place] = file
            else:
                groups.setdefault(file[0], []).append((place, file[1]))
        for key, members in groups.items():
            codec = attempt(self._codec, key)
            files = [data for _, data in members]
            shown: list[Any] = [codec] * len(files)
            if not isinstance(codec, Exception):
                shown = outcomes(codec.decode, files, **options)
            results.update(zip((place for place, _ in members), shown, strict=True))
        return [results[place] for place in range(len(sources))]

    def _codec(self, key: tuple[str, str]) -> Codec:
        if key not in self._loaded:
            device, dtype = self._settings
            self._loaded[key] = recodec.load(key[0], model_hash=key[1], device=device, dtype=dtype)
        return self._loaded[key]
