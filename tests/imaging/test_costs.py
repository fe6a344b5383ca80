"""Pictures that would take much time or memory are made at little cost, or rejected at once."""

from __future__ import annotations

import time

import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo, shown
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")


def with_scans(jpeg: bytes, count: int) -> bytes:
    """Return the JPEG with its last scan repeated, so that it has ``count`` more scans."""
    start = jpeg.rindex(b"\xff\xda")
    table = jpeg.rindex(b"\xff\xc4", 0, start)
    return jpeg[:-2] + jpeg[table:-2] * count + jpeg[-2:]


@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_of_thousands_of_scans_is_rejected_before_it_is_decoded(progressive: bool) -> None:
    source = with_scans(
        encoded(Image.new("L", (800, 600)), "jpeg", quality=60, progressive=progressive), 5000
    )
    began = time.monotonic()
    rejected = render(source, Accept(), {"it": PNG}).rejected
    assert time.monotonic() - began < 2
    assert rejected
    assert rejected.text.startswith("expected at most 100 scans in a JPEG, found 5,0")
    assert rejected.code == "source-not-accepted"


def test_scans_in_previews_and_after_the_end_do_not_count() -> None:
    source = encoded(photo(), "jpeg", quality=90, progressive=True)
    comment = b"\xff\xfe" + (30_002).to_bytes(2, "big") + b"\xff\xda" * 15_000
    made = shown(source[:2] + comment + source[2:] + source * 20, PNG)
    assert difference(made, opened(source)) < 0.5
