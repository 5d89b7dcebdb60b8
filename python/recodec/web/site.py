"""What the page consists of: its own files, pictures, and their models, by address."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from recodec.container.info import Info
from recodec.errors import OutputError, RecodecError, UnsupportedError, WeightsError
from recodec.export.model_file import model_file
from recodec.files import info
from recodec.io import outputs
from recodec.weights import load_model

START = "index.html"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}


class Picture(NamedTuple):
    """A file to show, and its name below the folder that was asked for."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Content:
    """What an address stands for: bytes, or a file that is read when it is asked for. ``picture``: sent at a speed."""

    kind: str
    source: bytes | Path
    picture: bool = False

    def read(self) -> bytes:
        """All of it. Raises :class:`OSError`."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@dataclass(frozen=True, slots=True)
class Site:
    """Contents by address, a relative path of plain characters; pictures that cannot be shown, with reasons."""

    contents: Mapping[str, Content]
    failures: Mapping[str, Exception]

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write all into a folder, which is made, for any web server. Raises :class:`recodec.OutputError`."""
        paths = []
        for address, content in self.contents.items():
            path = Path(folder, address)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                outputs.write(path, content.read())
            except OSError as error:
                raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
            paths.append(path)
        return paths


def site_of(pictures: Iterable[Picture], model: str | None = None) -> Site:
    """The page for these pictures, with every model that they need.

    ``model`` is a weights file or an id to try first. A picture that cannot be shown stands among the failures.
    """
    contents = _own_files()
    models = _Models(model)
    shown: list[dict[str, Any]] = []
    failures: dict[str, Exception] = {}
    for number, picture in enumerate(pictures, start=1):
        # Numbers: no name can lead out of the folder, or be one that the page's own files have.
        address = f"pictures/{number}.rcd"
        try:
            data = Path(picture.path).read_bytes()
            found = info(data)
            rcm = models.address(found)
        except (RecodecError, OSError) as error:
            failures[picture.path] = error
            continue
        contents[address] = Content(
            "application/octet-stream", Path(os.path.realpath(picture.path)), picture=True
        )
        shown.append(
            {
                # Names of files may be no text.
                "name": os.fsencode(picture.name).decode(errors="replace"),
                "file": address,
                "model": rcm,
                "bytes": len(data),
                "width": found.width,
                "height": found.height,
                "chunks": found.iterations,
                "note": _note(found),
            }
        )
    contents |= {address: Content("application/octet-stream", rcm) for address, rcm in models.files.items()}
    contents["pictures.json"] = Content(_KINDS[".json"], json.dumps(shown).encode())
    return Site(contents, failures)


def _own_files() -> dict[str, Content]:
    folder = resources.files(__package__) / "static"
    files = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return {name: Content(_KINDS[os.path.splitext(name)[1]], files[name]) for name in sorted(files)}


def _note(found: Info) -> str:
    """What the page cannot show of a file."""
    notes = []
    if found.exact is not None:
        notes.append("the rows without loss behind this picture are not shown; recodec decode reads them")
    if "icc" in found.metadata:
        notes.append("its colour profile is not applied here")
    if found.truncated:
        notes.append("the file is cut before its end")
    return "; ".join(notes)


class _Models:
    """Models of the files that were asked about, each made once."""

    def __init__(self, first: str | None):
        self._first = first
        self.files: dict[str, bytes] = {}
        # Made once, also where it fails: a folder may have a thousand files of a model that is not there.
        self._found = cache(self._find)

    def address(self, found: Info) -> str:
        """Where the model of a file is to be found. Raises :class:`recodec.RecodecError` for files of other kinds."""
        if found.details.by_rows or found.family != "recurrent":
            raise UnsupportedError(
                f"a file of the family {found.family!r}, which pages do not decode; recodec decode makes a PNG of it"
            )
        made = self._found(found.model, found.model_hash)
        if isinstance(made, Exception):
            raise made
        address = quote(f"models/{found.model}-{found.model_hash}.rcm")
        self.files[address] = made
        return address

    def _find(self, model: str, hash_: str) -> bytes | WeightsError:
        try:
            if self._first is not None:
                first = load_model(self._first)
                if (first.id, first.hash.hex()) == (model, hash_):
                    return model_file(first)
            return model_file(load_model(model, hash_))
        except WeightsError as error:
            return error
