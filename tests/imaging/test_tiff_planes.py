"""TIFFs of several samples or with wrong tags: what they show, what is refused.

The expected values are computed here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imaging.pictures import photo, shown, why_not
from imaging.tiffs import tiff
from renditions.model.recipe import Rendition

PNG = Rendition(format="png")
DOWN, ACROSS = np.mgrid[0:48, 0:64]
PLANES = [2 * ACROSS + DOWN, 3 * DOWN, 255 - 2 * ACROSS, 255 - 3 * DOWN, ACROSS + DOWN]
GREY, EXTRA = 262, 338


def samples(count: int, kind: str = "u1") -> Any:
    """Return a picture with this number of different samples per pixel."""
    return (np.stack(PLANES[:count], -1) * (257 if kind == "u2" else 1)).astype(kind)


def values(content: bytes) -> tuple[str, Any]:
    made = shown(content, PNG)
    return made.mode, np.asarray(made).astype(int)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_grey_tiff_with_undescribed_extra_samples_shows_its_first_sample(
    count: int, kind: str, apart: bool
) -> None:
    tags = {GREY: (3, [1]), EXTRA: (3, [0] * (count - 1))}
    mode, found = values(tiff(samples(count, kind), apart=apart, tags=tags))
    assert mode == "L"
    assert np.abs(found - PLANES[0]).max() == 0


@pytest.mark.parametrize("order", "<>")
def test_grey_and_alpha_of_a_tiff_are_read_from_separate_planes(order: str) -> None:
    tags = {GREY: (3, [1]), EXTRA: (3, [0, 2])}
    mode, found = values(tiff(samples(3), apart=True, order=order, tags=tags))
    assert mode == "LA"
    assert np.abs(found[..., 1] - PLANES[2]).max() == 0
    assert np.abs(found[..., 0] - PLANES[0]).max() == 0


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_the_colours_of_a_tiff_are_read_from_separate_planes(kind: str) -> None:
    source = samples(3, kind)
    mode, found = values(tiff(source / 255 if kind == "f4" else source, apart=True))
    assert mode == "RGB"
    assert np.abs(found - np.stack(PLANES[:3], -1)).max() == 0


@pytest.mark.parametrize(
    ("tags", "apart", "what"),
    [
        ({GREY: (3, [10])}, False, "ITU L*a*b*"),
        ({GREY: (3, [999])}, False, "PhotometricInterpretation 999"),
        ({GREY: (3, [6]), 530: (3, [1, 1])}, True, "YCbCr with samples in separate planes"),
        ({GREY: (3, [0])}, True, "grey with 0 as white with samples in separate planes"),
    ],
)
def test_a_tiff_is_refused_if_its_colours_would_be_read_wrongly(tags: Any, apart: bool, what: str) -> None:
    assert why_not(tiff(np.asarray(photo()), apart=apart, tags=tags), PNG) == (
        f"this way to store pixels isn't supported ({what}). Save the picture in another way"
    )


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("value", [0, 9, 65_535])
@pytest.mark.parametrize("tag", [266, 274, 296], ids=["FillOrder", "Orientation", "ResolutionUnit"])
def test_an_impossible_value_of_a_tag_that_can_be_missing_is_ignored(
    tag: int, value: int, order: str
) -> None:
    picture = np.asarray(photo())
    wrong, right = (tiff(picture, order=order, tags=tags) for tags in ({tag: (3, [value])}, {}))
    assert shown(wrong, PNG).tobytes() == shown(right, PNG).tobytes()


@pytest.mark.parametrize("tags", [{258: (3, [8, 8, 16])}, {258: (3, [24] * 3)}, {339: (3, [1, 1, 3])}])
def test_samples_of_unsupported_kinds_are_not_reported_as_damage(tags: Any) -> None:
    assert why_not(tiff(np.asarray(photo()), tags=tags), PNG).startswith(
        "this way to store pixels isn't supp"
    )
