"""The Pillow plugin: keyword arguments of ``save`` that are other formats', or slips; resolution; several pictures."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import pytest
from PIL import ExifTags, Image

import recodec
import recodec.pillow
from recodec.errors import IgnoredOptionWarning, InputWarning
from tests.pillow.files import opened
from tests.pillow.test_saving import saved, with_exif

TAGS = ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit


def resolution(data: bytes) -> tuple[float, ...] | None:
    """Horizontal, vertical, unit, from EXIF."""
    exif = opened(data).getexif()
    return tuple(float(exif[tag]) for tag in TAGS) if exif else None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimize": True}, "'optimize'"),
        ({"progressive": True, "subsampling": 0}, "'progressive', 'subsampling'"),
        ({"comment": b"lost"}, "'comment'"),
        ({"qualty": 3}, r"'qualty' \(did you mean 'quality'\?\)"),
        ({"max_byte": 300}, r"'max_byte' \(did you mean 'max_bytes'\?\)"),
        ({"Iterations": 1}, r"'Iterations' \(did you mean 'iterations'\?\)"),
        ({"exiff": b""}, r"'exiff' \(did you mean 'exif'\?\)"),
        ({"device": "cpu"}, "'device'"),
    ],
    ids=str,
)
def test_options_that_change_nothing_are_named(
    tiny_model: str, picture: Image.Image, options: dict[str, Any], words: str
) -> None:
    with pytest.warns(IgnoredOptionWarning, match=f"^not recodec's, and ignored: {words}$") as caught:
        data = saved(picture, **options)
    assert data == saved(picture)
    assert caught[0].filename.endswith("test_saving.py")
    (warning,) = (entry.message for entry in caught)
    assert str(pickle.loads(pickle.dumps(warning))) == str(warning)


def test_options_that_count_are_not(tiny_model: str, picture: Image.Image) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plain = saved(picture)
        coded = saved(
            picture, convert=True, strip=True, entropy="adaptive", max_pixels=None, max_memory=1 << 32
        )
        told = saved(
            picture, exif=b"", icc_profile=None, xmp=None, dpi=(300, 300), save_all=True, append_images=[]
        )
    assert not caught
    # The model has no other coder, and the picture nothing to convert or to leave out.
    assert coded == plain
    assert (resolution(plain), resolution(told)) == (None, (300, 300, 2))


@pytest.mark.parametrize("dpi", [(300, 300), (600, 300), (72, 72), [96.0, 96.0]])
def test_resolution_that_is_asked_for_is_kept(tiny_model: str, picture: Image.Image, dpi: Any) -> None:
    for exif in ({}, {"exif": with_exif(Artist="somebody")}, {"exif": None}):
        assert resolution(data := saved(picture, dpi=dpi, **exif)) == (*dpi, 2)
        assert opened(data).getexif().get(ExifTags.Base.Artist) == ("somebody" if exif.get("exif") else None)
    assert resolution(saved(picture, dpi=dpi, strip=True)) is None


@pytest.mark.parametrize("nothing", [None, (0, 0)])
def test_no_resolution(tiny_model: str, picture: Image.Image, nothing: Any) -> None:
    assert saved(picture, dpi=nothing) == saved(picture)


def test_resolution_turns_with_the_picture(tiny_model: str, picture: Image.Image) -> None:
    assert resolution(saved(picture, dpi=(600, 300), exif=with_exif(Orientation=6))) == (300, 600, 2)


def test_it_counts_before_that_of_the_image(tiny_model: str, picture: Image.Image) -> None:
    usual = with_exif(XResolution=72.0, YResolution=72.0, ResolutionUnit=2, Artist="somebody")
    picture.save(buffer := io.BytesIO(), "JPEG", exif=usual, dpi=(72, 72))
    with Image.open(buffer) as image:
        with warnings.catch_warnings(action="error"):
            assert resolution(data := saved(image, dpi=(300, 300))) == (300, 300, 2)
        assert opened(data).getexif()[ExifTags.Base.Artist] == "somebody"
        # EXIF that are given stay as they are.
        with pytest.warns(InputWarning, match="resolution, 300 x 300 dpi, is not in the file"):
            assert resolution(saved(image, dpi=(300, 300), exif=image.info["exif"])) == (72, 72, 2)
    # What is only handed on is no choice.
    picture.save(
        buffer := io.BytesIO(), "JPEG", exif=with_exif(XResolution=300.0, YResolution=300.0), dpi=(72, 72)
    )
    with Image.open(buffer) as image, pytest.warns(InputWarning, match="72 x 72 dpi, is not in the file"):
        assert opened(saved(image, dpi=image.info["dpi"])).getexif()[TAGS[0]] == 300


@pytest.mark.parametrize("dpi", [300, "300", (300,), (300, -1), (float("nan"), 1), ("a", "b")])
def test_what_is_no_resolution_is_refused(tiny_model: str, picture: Image.Image, dpi: Any) -> None:
    with pytest.raises(recodec.ImageError, match=r"dpi is .*give two positive numbers"):
        saved(picture, dpi=dpi)


def test_several_pictures_are_refused(tiny_model: str, picture: Image.Image) -> None:
    picture.save(buffer := io.BytesIO(), "GIF", save_all=True, append_images=[picture.rotate(180)])
    assert saved(picture, save_all=True) == saved(picture)
    for image, options in (
        (picture, {"save_all": True, "append_images": [picture]}),
        (picture, {"append_images": (picture for _ in range(1))}),
        (Image.open(buffer), {"save_all": True}),
    ):
        with pytest.raises(OSError, match="cannot write 2 pictures as RECODEC, which stores one"):
            saved(image, **options)
