"""The renditions that may stand in one ``srcset``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from renditions.core.looks import Look, find_looks
from renditions.model.pipeline import Pipeline
from renditions.model.record import Output, Record
from renditions.pipeline_file.reading import parse


def pipeline_of(renditions: str) -> Pipeline:
    text = f'[source]\nstore = "in"\n[output]\nstore = "out"\n{renditions}'
    return parse(text, "renditions.toml", Path.cwd(), {}).pipeline


def record_of(pipeline: Pipeline, **sizes: tuple[int, int]) -> Record:
    """Return a record whose outputs have these sizes, by rendition.

    In the names of the arguments, ``_`` stands for ``-``.
    """
    outputs = []
    for name, (width, height) in sizes.items():
        rendition = name.replace("_", "-")
        made = pipeline.renditions.get(rendition)
        outputs.append(
            Output(
                rendition, f"{rendition}.x", "1", "1", "1", made.format if made else "jpeg", 1, width, height
            )
        )
    return Record("a.jpg", "done", datetime.now(UTC), outputs=tuple(outputs))


def shown(looks: list[Look]) -> dict[str, dict[str, list[int]]]:
    return {
        look.name: {name: [file.width for file in files] for name, files in look.files.items()}
        for look in looks
    }


def looks_of(renditions: str, **sizes: Any) -> dict[str, dict[str, list[int]]]:
    pipeline = pipeline_of(renditions)
    return shown(find_looks(pipeline, record_of(pipeline, **sizes)))


FAMILY = '[renditions.photo]\nwidths = [480, 960]\nformats = ["jpeg", "avif"]\n'


def test_a_family_is_one_look_with_avif_before_jpeg() -> None:
    sizes = {
        "photo_480_jpeg": (480, 360), "photo_480_avif": (480, 360),
        "photo_960_jpeg": (960, 720), "photo_960_avif": (960, 720),
    }  # fmt: skip
    looks = looks_of(FAMILY, **sizes)
    assert looks == {"photo": {"avif": [480, 960], "jpeg": [480, 960]}}
    assert list(looks["photo"]) == ["avif", "jpeg"]


def test_a_crop_and_the_whole_picture_are_separate_looks() -> None:
    square = '[renditions.square]\nwidth = 200\nheight = 200\nfit = "cover"\n'
    sizes = {"photo_480_jpeg": (480, 360), "square": (200, 200)}
    assert looks_of(FAMILY + square, **sizes) == {"photo": {"jpeg": [480]}, "square": {"jpeg": [200]}}


def test_a_crop_of_a_square_picture_has_a_separate_look() -> None:
    square = '[renditions.square]\nwidth = 200\nheight = 200\nfit = "cover"\n'
    sizes = {"photo_480_jpeg": (480, 480), "square": (200, 200)}
    assert looks_of(FAMILY + square, **sizes) == {"photo": {"jpeg": [480]}, "square": {"jpeg": [200]}}


@pytest.mark.parametrize(
    "field", ["blur = 2.0", "grayscale = true", 'watermark = {text = "x"}', "rotate = 180", "sharpen = 1.0"]
)
def test_renditions_with_a_different_appearance_belong_to_different_looks(field: str) -> None:
    renditions = f"[renditions.plain]\nwidth = 100\n[renditions.other]\nwidth = 200\n{field}\n"
    sizes = {"plain": (100, 75), "other": (200, 150)}
    assert looks_of(renditions, **sizes) == {"plain": {"jpeg": [100]}, "other": {"jpeg": [200]}}


@pytest.mark.parametrize("field", ["quality = 50", "progressive = true", 'chroma = "444"', "pixel_ratio = 2"])
def test_renditions_that_differ_only_in_size_and_encoding_belong_to_one_look(field: str) -> None:
    renditions = (
        f'[renditions.small]\nwidth = 100\n[renditions.large]\nwidth = 200\nformat = "jpeg"\n{field}\n'
    )
    sizes = {"small": (100, 75), "large": (200, 150)}
    assert looks_of(renditions, **sizes) == {"small": {"jpeg": [100, 200]}}


def test_family_members_of_different_proportions_are_separate_looks() -> None:
    banner = '[renditions.banner]\nwidths = [400, 800]\nheight = 200\nfit = "cover"\n'
    sizes = {"banner_400": (400, 200), "banner_800": (800, 200)}
    assert looks_of(banner, **sizes) == {"banner": {"jpeg": [400]}, "banner-800": {"jpeg": [800]}}


def test_a_rounding_difference_of_one_pixel_does_not_divide_a_look() -> None:
    family = "[renditions.photo]\nwidths = [100, 333, 1000]\n"
    sizes = {"photo_100": (100, 67), "photo_333": (333, 222), "photo_1000": (1000, 667)}
    assert looks_of(family, **sizes) == {"photo": {"jpeg": [100, 333, 1000]}}


def test_a_look_has_each_width_once_in_each_format() -> None:
    renditions = (
        "[renditions.small]\nwidth = 500\nquality = 50\n[renditions.good]\nwidth = 500\nquality = 90\n"
        "[renditions.wide]\nwidth = 900\n"
    )
    sizes = {"small": (300, 200), "good": (300, 200), "wide": (300, 200)}
    pipeline = pipeline_of(renditions)
    (look,) = find_looks(pipeline, record_of(pipeline, **sizes))
    assert shown([look]) == {"small": {"jpeg": [300]}}
    assert look.largest.rendition == "small", "the first one that is declared"


def test_formats_that_browsers_do_not_show_are_left_out() -> None:
    renditions = '[renditions.paper]\nformat = "pdf"\n[renditions.scan]\nformat = "tiff"\n'
    assert looks_of(renditions, paper=(100, 100), scan=(100, 100)) == {}


@pytest.mark.parametrize("formats", [("jpeg", "png", "gif"), ("png", "gif", "jpeg")])
def test_of_the_formats_that_every_browser_shows_the_first_declared_one_is_in_a_look(
    formats: tuple[str, str, str],
) -> None:
    """A browser would take the first source and never load the others."""
    first, second, third = formats
    family = f'[renditions.photo]\nwidth = 480\nformats = ["{first}", "avif", "{second}", "{third}"]\n'
    looks = looks_of(family, **{f"photo_{name}": (480, 360) for name in ("avif", *formats)})
    assert looks == {
        "photo": {"avif": [480], first: [480]},
        f"photo-{second}": {second: [480]},
        f"photo-{third}": {third: [480]},
    }


def test_renditions_that_are_no_longer_declared_are_left_out() -> None:
    assert looks_of("[renditions.thumb]\nwidth = 10\n", thumb=(10, 10), former=(20, 20)) == {
        "thumb": {"jpeg": [10]}
    }
