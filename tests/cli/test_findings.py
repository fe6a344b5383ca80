"""The lines that the command line prints about a picture's analysis."""

from __future__ import annotations

import pytest

from renditions.cli.findings import Finding, describe
from renditions.model.original import Analysis, DominantColour, Exif, Position


def told(analysis: Analysis) -> dict[str, str]:
    return {finding.name: finding.text for finding in describe(analysis)}


def test_the_description_of_an_empty_analysis_has_no_lines() -> None:
    assert told(Analysis()) == {}


@pytest.mark.parametrize(
    ("exif", "name", "text"),
    [
        (Exif("Canon", "Canon EOS R5"), "camera", "Canon EOS R5"),
        (Exif("Apple", "iPhone 17"), "camera", "Apple iPhone 17"),
        (Exif(model="X100"), "camera", "X100"),
        (Exif(taken="2026-05-04T03:02:01+02:00"), "taken", "2026-05-04 03:02:01+02:00"),
        (Exif(exposure_seconds=0.004, f_number=2.8, iso=400, focal_length_mm=50.0), "exposure",
         "1/250 s, f/2.8, ISO 400, 50 mm"),
        (Exif(exposure_seconds=0.5), "exposure", "0.5 s"),
        (Exif(exposure_seconds=30.0), "exposure", "30 s"),
    ],
)  # fmt: skip
def test_exif_is_printed_in_the_usual_notation_of_photography(exif: Exif, name: str, text: str) -> None:
    assert told(Analysis(exif=exif)) == {name: text}


def test_a_position_is_printed_with_north_or_south_and_east_or_west() -> None:
    there = Analysis(position=Position(-33.85678, 151.215297, 12.0))
    assert told(there) == {"position": "33.856780° S, 151.215297° E, 12 m"}
    assert told(Analysis(position=Position(0.5, -0.5))) == {"position": "0.500000° N, 0.500000° W"}


def test_a_dominant_colour_is_described_with_its_share_and_a_swatch() -> None:
    (finding,) = describe(Analysis(colours=(DominantColour("#336699", 0.425),)))
    assert finding == Finding("colour", "#336699 42%", "#336699")


def test_a_picture_without_transparency_is_described_with_transparency_no() -> None:
    assert told(Analysis(transparency=False, sharpness=0.0)) == {"sharpness": "0.0", "transparency": "no"}
