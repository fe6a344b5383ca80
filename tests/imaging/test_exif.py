"""EXIF like that of cameras, written by Pillow, and invalid EXIF."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from imaging.pictures import encoded, heic, photo
from renditions.imaging.analysis.exif import MAX_CHARACTERS, find_exif, find_position, read_tags
from renditions.imaging.render import render
from renditions.model.original import Analysis, Exif, Position
from renditions.model.pipeline import Accept, Analyze

CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0112: 1}
SHOT = {
    0x829A: IFDRational(1, 250),
    0x829D: IFDRational(28, 10),
    0x8827: 400,
    0x9003: "2026:05:04 03:02:01",
    0x9011: "+02:00",
    0x920A: IFDRational(50, 1),
    0xA434: "RF 50mm F1.2 L USM",
}
PLACE = {
    0: b"\2\3\0\0",
    1: "S",
    2: (IFDRational(33, 1), IFDRational(51, 1), IFDRational(2442, 100)),
    3: "E",
    4: (IFDRational(151, 1), IFDRational(12, 1), IFDRational(5507, 100)),
    5: b"\1",
    6: IFDRational(125, 10),
}
TOLD = Exif("Canon", "Canon EOS R5", "RF 50mm F1.2 L USM", "2026-05-04T03:02:01+02:00", 0.004, 2.8, 400, 50.0)
SYDNEY = Position(-33.856783, 151.215297, -12.5)


def block(
    camera: dict[int, Any] | None = None,
    shot: dict[int, Any] | None = None,
    place: dict[int, Any] | None = None,
) -> bytes:
    """Return an EXIF block with these tags, written by Pillow."""
    exif = Image.Exif()
    exif.update(camera or {})
    exif._ifds[0x8769] = dict(shot or {})
    exif._ifds[0x8825] = dict(place or {})
    return exif.tobytes()


def found_in(content: bytes, analyze: Analyze) -> Analysis | None:
    result = render(content, Accept(), {}, analyze)
    assert result.rejected is None, result.rejected
    return result.original.analysis


@pytest.mark.parametrize("source_format", ["jpeg", "png", "webp", "avif", "tiff", "heic"])
def test_exif_is_read_from_each_format_that_can_contain_it(source_format: str) -> None:
    told = block(CAMERA, SHOT, PLACE)
    if source_format == "heic":
        source = heic(photo(), exif=told)
    else:
        source = encoded(photo(), source_format, exif=told)
    assert found_in(source, Analyze(exif=True, position=True)) == Analysis(exif=TOLD, position=SYDNEY)


def test_the_gps_position_is_recorded_only_if_declared() -> None:
    source = encoded(photo(), "jpeg", exif=block(CAMERA, SHOT, PLACE))
    assert found_in(source, Analyze(exif=True)) == Analysis(exif=TOLD)
    assert found_in(source, Analyze(position=True)) == Analysis(position=SYDNEY)
    assert found_in(source, Analyze()) is None


@pytest.mark.parametrize("source_format", ["jpeg", "png", "gif", "tiff"])
def test_a_picture_without_exif_has_no_exif_analysis(source_format: str) -> None:
    assert found_in(encoded(photo(), source_format), Analyze(exif=True, position=True)) is None


@pytest.mark.parametrize(
    ("moment", "offset", "taken"),
    [
        ("2026:05:04 03:02:01", None, "2026-05-04T03:02:01"),
        ("2026:05:04 03:02:01", "-09:30", "2026-05-04T03:02:01-09:30"),
        ("2026:05:04 03:02:01", "Z", "2026-05-04T03:02:01"),
        ("2026:05:04 03:02:01", "+99:00", "2026-05-04T03:02:01"),
        ("2026:02:30 03:02:01", "+02:00", None),
        ("0000:00:00 00:00:00", None, None),
        ("    :  :     :  :  ", None, None),
    ],
)
def test_only_a_valid_time_in_exif_is_recorded(moment: str, offset: str | None, taken: str | None) -> None:
    shot = {0x9003: moment} | ({0x9011: offset} if offset else {})
    assert find_exif(read_tags(block(shot=shot))) == (Exif(taken=taken) if taken else None)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Nikon\0\0\0", "Nikon"),
        ("  NIKON   CORPORATION  ", "NIKON CORPORATION"),
        ("a\x1b[31mb\nc", "a [31mb c"),
        ("\0secret", None),
        ("   ", None),
        ("x" * 5000, "x" * MAX_CHARACTERS),
        ("é" * 3, "é" * 3),
        ("\u202eevil", "evil"),
    ],
)
def test_an_exif_text_is_cleaned_and_shortened(raw: str, text: str | None) -> None:
    made = raw.encode()
    entry = struct.pack("<HHII", 0x010F, 2, len(made), 26)
    tiff = b"II*\0\10\0\0\0" + b"\1\0" + entry + bytes(4) + made.ljust(5)
    found = find_exif(read_tags(tiff))
    assert (found.make if found else None) == text


@pytest.mark.parametrize(
    "place",
    [
        PLACE | {2: (IFDRational(91, 1), IFDRational(0, 1), IFDRational(0, 1))},
        PLACE | {4: (IFDRational(1, 0), IFDRational(0, 1), IFDRational(0, 1))},
        PLACE | {1: "X"},
        {2: PLACE[2], 4: PLACE[4]},
        {1: "S", 2: PLACE[2]},
    ],
)
def test_an_impossible_gps_position_is_not_recorded(place: dict[int, Any]) -> None:
    assert find_position(read_tags(block(place=place))) is None


def test_invalid_numbers_in_exif_are_not_recorded() -> None:
    shot = {0x829A: IFDRational(0, 0), 0x829D: IFDRational(0, 1), 0x8827: 0, 0x920A: IFDRational(35, 1)}
    assert find_exif(read_tags(block(shot=shot))) == Exif(focal_length_mm=35.0)


def test_reading_exif_ends_if_its_directories_point_to_themselves() -> None:
    pointers = [struct.pack("<HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825)]
    tiff = b"II*\0\10\0\0\0" + b"\2\0" + b"".join(pointers) + bytes(4)
    assert find_exif(read_tags(tiff)) is None


WHOLE = block(CAMERA, SHOT, PLACE)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"MM\0*" + data), st.data())
@example(b"II*\0" + b"\xff" * 100, None)
def test_any_exif_bytes_are_read_without_an_error_and_give_limited_values(
    noise: bytes, data: st.DataObject | None
) -> None:
    """The EXIF block is noise, a valid block with noise in one place, or cut off."""
    at = data.draw(st.integers(0, len(WHOLE))) if data else 20
    for hostile in (noise, WHOLE[:at] + noise + WHOLE[at + len(noise) :], WHOLE[:at]):
        tags = read_tags(hostile)
        analysis = Analysis(exif=find_exif(tags), position=find_position(tags))
        text = json.dumps(analysis.to_item(), allow_nan=False)
        assert len(text) < 3000
        assert Analysis.from_item(json.loads(text)) == analysis


def test_an_endless_exif_block_is_read_up_to_a_limit() -> None:
    entries = b"".join(struct.pack("<HHII", tag, 2, 2**32 - 1, 8) for tag in range(60_000))
    tags = read_tags(b"II*\0\10\0\0\0" + struct.pack("<H", 60_000) + entries)
    assert sum(len(value.raw) for value in tags.main.values()) < 200_000
