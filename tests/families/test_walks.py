"""Ways through the package: each check is made once, and calls go down, seldom up again."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from PIL import Image

import recodec
from recodec import _core, limits

# Places from which calls may climb to a module that is at work further up.
MOST_CLIMBS = 3


@contextmanager
def climbs() -> Iterator[set[tuple[str, str]]]:
    """Calls into a module that has already called down, by the places that call."""
    found: set[tuple[str, str]] = set()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not (name := module_of(frame)):
            return
        caller = frame.f_back
        while caller and not module_of(caller):
            caller = caller.f_back
        if caller is None or module_of(caller) == name:
            return
        above = caller.f_back
        while above:
            if module_of(above) == name:
                found.add((place(caller), place(frame)))
                return
            above = above.f_back

    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(None)


def module_of(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__", "")
    return name if name.startswith("recodec.") else ""


def place(frame: FrameType) -> str:
    return f"{module_of(frame)}.{frame.f_code.co_qualname}"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often some functions were called."""
    calls: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **options)

        for module in [m for m in sys.modules.values() if getattr(m, "__name__", "").startswith("recodec")]:
            if getattr(module, name, None) is function:
                monkeypatch.setattr(module, name, counting)

    for owner, name in ((_core, "read_header"), (_core, "read_plane_header"), (limits, "check_pixels")):
        count(owner, name)
    return calls


def test_encoding_seldom_climbs(tiny_model: str, picture: Image.Image) -> None:
    codec = recodec.load(tiny_model)
    codec.encode(picture, iterations=2)
    with climbs() as found:
        codec.encode(picture, iterations=2)
    # An operator calls its definition, whichever it is, from one place.
    assert len({caller for caller, _ in found}) <= MOST_CLIMBS, "; ".join(
        f"{a} -> {b}" for a, b in sorted(found)
    )


def test_a_picture_is_measured_once(
    tiny_model: str, picture: Image.Image, counted: Counter[str], tmp_path: Any
) -> None:
    picture.save(tmp_path / "picture.png")
    content = io.BytesIO((tmp_path / "picture.png").read_bytes())
    for image in (picture, tmp_path / "picture.png", content):
        counted.clear()
        recodec.encode(image, model=tiny_model, iterations=1)
        assert counted["check_pixels"] == 1


@pytest.mark.parametrize(
    "use", [recodec.decode, recodec.verify, recodec.info, lambda data: list(recodec.progressive(data))]
)
def test_a_header_is_read_once(
    tiny_model: str, picture: Image.Image, counted: Counter[str], use: Callable[[bytes], Any]
) -> None:
    data = recodec.encode(picture, model=tiny_model, iterations=2)
    counted.clear()
    use(data)
    assert counted == {
        "read_header": 1,
        "read_plane_header": 1,
        **({} if use is recodec.info else {"check_pixels": 1}),
    }
