"""Chromium without a window, by chromedriver: the few words of WebDriver that are needed here."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
SECONDS = 60


class Browser:
    def __init__(self, base: str, *options: str):
        self._base = base
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *options]
        chrome = {"binary": CHROMIUM, "args": arguments}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": chrome,
            "timeouts": {"script": 1000 * SECONDS},
        }
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._base += f"/session/{session['sessionId']}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=2 * SECONDS) as answer:
            return json.load(answer)["value"]

    def go(self, address: str) -> None:
        self._call("POST", "/url", {"url": address})

    def run(self, body: str, *arguments: Any) -> Any:
        """What the body of an async function returns."""
        script = (
            "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);"
            f"(async (...given) => {{{body}}})(...given).then(done, (error) => done({{thrown: String(error)}}));"
        )
        found = self._call("POST", "/execute/async", {"script": script, "args": list(arguments)})
        assert not (isinstance(found, dict) and "thrown" in found), found
        return found

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self) -> None:
        self._call("DELETE", "")


@contextmanager
def browser(*options: str) -> Iterator[Browser]:
    assert DRIVER is not None
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        try:
            port = next(match[1] for line in driver.stdout if (match := re.search(r"on port (\d+)\.", line)))
            opened = Browser(f"http://127.0.0.1:{port}", *options)
            try:
                yield opened
            finally:
                opened.close()
        finally:
            driver.terminate()
