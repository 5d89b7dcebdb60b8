"""A server for this machine alone: it sends what a table has, pictures at a speed."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from recodec.web.site import START, Content, Site

LOOPBACK = "127.0.0.1"
# kB/s: below a second takes too many pieces of nothing, above it is no speed any more.
SLOWEST, FASTEST = 0.1, 1e6
_PIECES_PER_SECOND = 50
_LARGEST_PIECE = 1 << 16
_HEADERS = {
    # Nothing from elsewhere, nothing to elsewhere; WebAssembly has a permission of its own.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; img-src 'self' data:",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class PacedServer(ThreadingHTTPServer):
    """Serves a site on the loopback address; ``speed`` in kB/s holds for pictures, None for as fast as can be."""

    daemon_threads = True

    def __init__(self, site: Site, port: int = 0, speed: float | None = None):
        super().__init__((LOOPBACK, port), _Handler)
        self.site = site
        self.speed = speed
        # A page elsewhere may have its name point here, and then it is asked for by that name.
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}

    @property
    def address(self) -> str:
        """Where the page is, at its speed."""
        asked = "" if self.speed is None else f"?speed={self.speed:g}"
        return f"http://{LOOPBACK}:{self.server_port}/{asked}"


class _Handler(BaseHTTPRequestHandler):
    server: PacedServer
    server_version, sys_version = "recodec", ""
    # Browsers that stop reading must not hold threads for ever.
    timeout = 60

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: addresses may hold what no terminal should get."""

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _answer(self, *, with_content: bool) -> None:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        try:
            parts = urlsplit(self.path)
            speed = _speed(parts.query, self.server.speed)
        except ValueError:
            return self.send_error(HTTPStatus.BAD_REQUEST)
        # Compared as it came: there are no other spellings, and no path is ever made of it.
        content = self.server.site.contents.get(parts.path.removeprefix("/") or START)
        if content is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        try:
            file, size = _opened(content)
        except OSError:
            return self.send_error(HTTPStatus.GONE)
        # A reader that goes away is no error.
        with file, suppress(OSError):
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content.kind)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if with_content:
                for piece in _paced(file, size, speed if content.picture else None):
                    self.wfile.write(piece)


def _speed(query: str, otherwise: float | None) -> float | None:
    """What a request asks for, in kB/s. Raises :class:`ValueError`."""
    wanted = parse_qs(query, keep_blank_values=True, max_num_fields=4).get("speed")
    if wanted is None:
        return otherwise
    speed = float(wanted[-1])
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"{speed} kB/s")
    return speed


def _opened(content: Content) -> tuple[BinaryIO, int]:
    """A content and its size. Raises :class:`OSError`."""
    if isinstance(content.source, bytes):
        return io.BytesIO(content.source), len(content.source)
    # The table has no links: one that stands there now is another file.
    number = os.open(content.source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    # Without a buffer: of a file that is cut meanwhile nothing comes that it has no more.
    return os.fdopen(number, "rb", buffering=0), os.fstat(number).st_size


def _paced(file: BinaryIO, size: int, speed: float | None) -> Iterator[bytes]:
    """So many bytes of a file, at most so many kB each second."""
    start, sent = time.monotonic(), 0
    largest = _LARGEST_PIECE if speed is None else max(1, int(1000 * speed / _PIECES_PER_SECOND))
    while sent < size and (piece := file.read(min(largest, _LARGEST_PIECE, size - sent))):
        sent += len(piece)
        if speed is not None:
            # A piece is there when its last byte is.
            time.sleep(max(0.0, start + sent / (1000 * speed) - time.monotonic()))
        yield piece
