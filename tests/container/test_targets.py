"""Targets: what may be asked for, and where it stops."""

from __future__ import annotations

import math

import pytest

from recodec.container.targets import Target, quality_to_bpp, resolve_target, too_small
from recodec.errors import TargetError


def test_quality_is_a_documented_rate() -> None:
    assert [quality_to_bpp(q) for q in (0, 20, 40, 60, 80, 100)] == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2]


def test_each_target_resolves() -> None:
    assert resolve_target(800, iterations=3) == Target(iterations=3)
    assert resolve_target(800, bpp=0.5) == Target(max_bytes=50)
    assert resolve_target(800, max_bytes=70) == Target(max_bytes=70)
    assert resolve_target(800, psnr=30) == Target(psnr=30)
    assert resolve_target(800, quality=60) == resolve_target(800)
    assert resolve_target(512**2) == Target(max_bytes=512**2 // 16, soft=True)


def test_small_pictures_get_more_for_each_pixel() -> None:
    assert quality_to_bpp(60, 64 * 64) == pytest.approx(0.5 * 4)
    assert quality_to_bpp(60, 512 * 512) == quality_to_bpp(60, 12_000_000) == 0.5


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"bpp": 1, "quality": 3}, "quality and bpp"),
        ({"iterations": 0}, "iterations is 0"),
        ({"iterations": 1.5}, "iterations is 1.5"),
        ({"quality": 101}, "quality is 101"),
        ({"quality": math.nan}, "quality is nan"),
        ({"bpp": 0}, "bpp is 0"),
        ({"bpp": math.inf}, "bpp is inf"),
        ({"max_bytes": -1}, "max_bytes is -1"),
        ({"psnr": math.nan}, "psnr is nan"),
        ({"iterations": math.inf}, "iterations is inf"),
        ({"iterations": True}, "iterations is True"),
        ({"bpp": "0.5"}, "bpp is '0.5'"),
        ({"max_bytes": 10.5}, "max_bytes is 10.5"),
    ],
)
def test_bad_targets_name_themselves(request_: dict[str, float], words: str) -> None:
    with pytest.raises(TargetError, match=words):
        resolve_target(800, **request_)  # type: ignore[arg-type]


def test_absurdly_large_sizes_are_simply_large() -> None:
    for request_ in ({"max_bytes": 10**400}, {"bpp": 1e308}):
        target = resolve_target(800, **request_)  # type: ignore[arg-type]
        assert target.max_bytes is not None
        assert target.max_bytes > 10**15


def test_a_size_that_is_too_small_names_the_least() -> None:
    assert str(too_small(100, 150)).endswith("needs at least 150; raise the limit")
    assert "at least 150, of which 60 hold its alpha channel" in str(too_small(100, 150, 60))
