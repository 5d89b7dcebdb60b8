"""A model and files of it, small enough for any browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

import recodec
from recodec.web import PacedServer, Site
from tests.latent_models import latent_model

CHUNKS = 8


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("RECODEC_WEIGHTS", str(folder))
    return latent_model(folder).id


@pytest.fixture
def coded(model: str, picture: Image.Image) -> Callable[..., bytes]:
    """A file of the model, from the picture in some mode."""

    def code(mode: str = "RGB", **options: int) -> bytes:
        shown = picture.convert(mode)
        if "A" in mode:
            shown.putalpha(Image.linear_gradient("L").resize(shown.size))
        return recodec.encode(shown, model=model, **{"iterations": CHUNKS, **options})

    return code


@contextmanager
def serving(site: Site, speed: float | None = None) -> Iterator[PacedServer]:
    with PacedServer(site, speed=speed) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
