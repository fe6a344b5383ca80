"""DICOM files with patient data, and DICOM files that are invalid or too large."""

from __future__ import annotations

import io
import json
import logging
import struct
import sys
import tracemalloc
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from imaging.dicoms import ACCEPT, PNG, SECRET, dicom, ramp, refusal, row, sample, shown
from imaging.pictures import encoded, photo
from renditions.errors import Failed
from renditions.imaging.formats import dicom as module
from renditions.imaging.probe import sniff
from renditions.imaging.render import render
from renditions.model.original import Original
from renditions.model.pipeline import Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition

COLOURS = np.asarray(photo(64, 48))
EVERYTHING = Analyze(
    exif=True, position=True, colours=3, placeholder="thumbhash", perceptual_hash=True, sharpness=True
)


@pytest.mark.parametrize(
    "recipe",
    [
    Rendition(format="jpeg", metadata="all", profile="keep"),
    Rendition(format="webp", metadata="copyright", lossless=True),
    Rendition(format="auto", key="{key}", metadata="all", skip_if_larger=True, profile="keep"),
    Rendition(format="tiff", metadata="all"),
    Rendition(format="avif", metadata="all"),
    Rendition(format="pdf", metadata="all"),
])  # fmt: skip
def test_patient_data_appears_in_no_rendition_record_or_log(
    recipe: Rendition, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    content = dicom(ramp(0, 255, "u1"))
    assert content.count(SECRET.encode()) > 15
    result = render(content, ACCEPT, {"it": recipe}, EVERYTHING)
    assert (result.rejected, result.errors) == (None, {})
    assert SECRET.encode() not in result.made["it"].content
    assert b"19700101" not in result.made["it"].content
    kept = replace(result.original, analysis=None)
    assert kept == Original(len(content), "dicom", 256, 16, 1)
    assert result.original.analysis is not None
    assert result.original.analysis.to_item().keys() <= {
        "colours",
        "thumbhash",
        "perceptual_hash",
        "sharpness",
    }
    told = capfd.readouterr()
    assert SECRET not in f"{caplog.text}{told.out}{told.err}{json.dumps(result.original.analysis.to_item())}"


def test_a_dicom_is_not_copied_as_base64() -> None:
    content = dicom(ramp(0, 255, "u1"))
    why = (
        "a dicom file may have personal data, so no output can contain the file itself. "
        "Declare another format for this rendition"
    )
    reason = Reason(why, "unrenderable")
    alone = render(content, ACCEPT, {"text": Rendition(format="base64")})
    assert (alone.made, alone.errors) == ({}, {"text": reason})
    both = render(content, ACCEPT, {"text": Rendition(format="base64", data_uri=True), "it": PNG})
    assert (set(both.made), both.errors) == ({"it"}, {"text": reason})


def test_a_dicom_whose_pixels_identify_the_patient_is_rejected_unless_allowed() -> None:
    content = dicom(ramp(0, 255, "u1"), BurnedInAnnotation="YES")
    refused = "the pixels identify the patient: BurnedInAnnotation is YES. "
    assert refusal(content).startswith(refused)
    assert row(content=dicom(ramp(0, 255, "u1"), BurnedInAnnotation="NO"))[:3] == [0, 1, 2]
    assert shown(content, accept=replace(ACCEPT, burned_in_annotation=True)).size == (256, 16)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (dicom(ramp(0, 9, "u1"), PhotometricInterpretation="HSV"), "interpretation isn't supported"),
        (dicom(ramp(0, 9, "u1"), Rows=17), "the pixels need 170 bytes (frames: 1), but the file has 160"),
        (dicom(ramp(0, 9, "u1"), NumberOfFrames=2_000_000_000), "(frames: 2,000,000,000), but the file has "),
        (dicom(ramp(0, 9, "u1"), NumberOfFrames=-1), "must be at least 1, but the file declares -1"),
        (dicom(ramp(0, 9, "u4")), "must have 1, 8 or 16 bits, but the file declares 32 bits, 32 "),
        (dicom(ramp(0, 9, "u1"), Rows=None), "the file lacks the element Rows"),
        (dicom(ramp(0, 9, "u1"), PixelAspectRatio=[1, 2_000]), "a pixel is 0.0005 times as high as wide"),
        (dicom(ramp(0, 9, "u1"), PhotometricInterpretation=None), "lacks the element PhotometricInter"),
        (dicom(ramp(0, 9, "u1"), PhotometricInterpretation="PALETTE COLOR"), "lacks the element RedPalette"),
        (dicom(COLOURS, SamplesPerPixel=1), "SamplesPerPixel must be 3 for RGB, but the file declares 1"),
        (
            dicom(ramp(0, 9, "u1"), syntax=JPEG2000Lossless,
                  encoded=[encoded(photo(400, 300).convert("L"), "jpeg2000", no_jp2=True)]),
            "a frame must be a JPEG 2000 of 10 by 16 pixels of 1 value, but it has 400 by 300 pixels of ",
        ),
        (
            dicom(ramp(0, 9, "u1"), syntax=JPEGBaseline8Bit,
                  encoded=[encoded(photo(400, 300).convert("L"), "jpeg")]),
            "a frame must be a JPEG of 10 by 16 pixels of 1 value, but it has 400 by 300 pixels of ",
        ),
    ],
)  # fmt: skip
def test_a_dicom_with_invalid_or_unsupported_elements_is_rejected_with_the_reason(
    content: bytes, reason: str
) -> None:
    assert reason in refusal(content)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("image_dfl.dcm", "isn't supported (Deflated Explicit VR Little Endian)"),
        ("MR_small_jpeg_ls_lossless.dcm", "isn't supported (JPEG-LS Lossless Image Compression)"),
        ("MR_truncated.dcm", "the pixels need 8,192 bytes (frames: 1), but the file has 8,130"),
        ("rtplan.dcm", "the DICOM file has no pixels"),
        ("badVR.dcm", "the DICOM header is damaged"),
        ("JPGExtended.dcm", "this way to store pixels isn't supported (VipsJpeg: Unsupported JPEG data"),
        ("meta_missing_tsyntax.dcm", "the file names no transfer syntax. Save the picture as raw"),
    ],
)
def test_unsupported_and_damaged_dicoms_are_rejected_with_the_reason(name: str, reason: str) -> None:
    assert reason in refusal(sample(name))


@pytest.mark.parametrize("change", [{"PhotometricInterpretation": "YBR_FULL"}, {"PixelRepresentation": 1}])
def test_a_lossless_jpeg_in_dicom_whose_pixels_would_be_wrong_is_refused(change: dict[str, Any]) -> None:
    """libjpeg-turbo converts no colours of a lossless JPEG."""
    data = pydicom.dcmread(io.BytesIO(sample("SC_rgb_jpeg_gdcm.dcm")))
    for name, value in change.items():
        setattr(data, name, value)
    changed = io.BytesIO()
    data.save_as(changed)
    assert refusal(changed.getvalue()).startswith(
        "YBR and signed values aren't supported in a lossless JPEG."
    )


def test_warnings_that_quote_a_file_are_ignored_although_another_thread_has_finished() -> None:
    """All threads share the filters of warnings, so no thread may restore them."""
    one, another = module.guarded("one"), module.guarded("another")
    one.__enter__()
    with another:
        one.__exit__(None, None, None)
        warnings.warn_explicit(SECRET, UserWarning, "values.py", 1, module="pydicom.values")
    with pytest.raises(UserWarning):
        warnings.warn_explicit("of another library", UserWarning, "values.py", 1, module="values")


def without_header(content: bytes) -> bytes:
    """Return the data set alone, without the mark and the elements of the group 2."""
    return content[132 + 12 + int.from_bytes(content[140:144], "little") :]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"]
)
@pytest.mark.parametrize(
    "first",
    [{}, {"SpecificCharacterSet": "ISO_IR 100"}, {"ImageType": ["DERIVED", "SECONDARY"]}],
    ids=["class", "character set", "type"],
)
def test_a_dicom_without_its_header_is_recognised_and_drawn(syntax: UID, first: dict[str, Any]) -> None:
    whole = dicom(ramp(0, 255, "u1"), syntax=syntax, **first)
    for content in (whole[132:], without_header(whole)):
        assert sniff(content) == "dicom"
        assert row(content) == row(whole)


def test_an_old_dicom_that_begins_with_the_length_of_a_group_is_recognised() -> None:
    data = without_header(dicom(ramp(0, 255, "u1"), syntax=ImplicitVRLittleEndian))
    assert row(b"\x08\0\0\0\4\0\0\0" + (99).to_bytes(4, "little") + data) == list(range(256))


def test_compressed_pixels_of_a_dicom_without_its_header_are_rejected() -> None:
    picture = encoded(photo(64, 48).convert("L"), "jpeg")
    content = dicom(np.zeros((48, 64), "u1"), syntax=JPEGBaseline8Bit, encoded=[picture])
    assert set(render(content[132:], ACCEPT, {"it": PNG}).made) == {"it"}
    assert "the pixels are compressed, but the file doesn't say how" in refusal(without_header(content))


@pytest.mark.parametrize(
    "content",
    [b"\x08\0\0\0\4\0\0\0" + bytes(99), b"\2\0\0\0" + bytes(99), b"\x08\0\5\0abc" * 9, b"\x08\0" * 99],
)
def test_files_that_only_look_a_little_like_a_dicom_are_not_taken_for_one(content: bytes) -> None:
    assert sniff(content) is None


def test_the_limits_of_pixels_and_pages_apply_to_a_dicom() -> None:
    content = dicom(np.zeros((3, 100, 100), "u1"))
    assert refusal(content, replace(ACCEPT, max_pixels=9_999)) == (
        "the picture has 10,000 pixels (100 by 100), more than the 9,999 that [accept] max_pixels allows. "
        "Upload a smaller picture, or raise the limit"
    )
    stretched = dicom(np.zeros((100, 100), "u1"), PixelAspectRatio=[1, 50])
    assert "has 500,000 pixels (5000 by 100)" in refusal(stretched, replace(ACCEPT, max_pixels=20_000))
    every = {"it": Rendition(format="pdf", pages="all")}
    refused = render(content, ACCEPT, every, limits=Limits(pages=2)).errors["it"]
    assert str(refused) == (
        "the renditions need 3 pages, more than the 2 that [limits] pages allows. "
        "Declare fewer pages, or raise the limit"
    )


def test_rle_runs_beyond_the_last_pixel_are_ignored() -> None:
    """The 20 MB of runs would give 1.28 GB of pixels.

    The file declares only four pixels.
    """
    header = struct.pack("<16L", 1, 64, *[0] * 14)
    content = dicom(np.zeros((2, 2), "u1"), syntax=RLELossless, encoded=[header + b"\x81\x40" * 10_000_000])
    tracemalloc.start()
    try:
        assert shown(content).convert("L").tobytes() == b"\x40" * 4
        assert tracemalloc.get_traced_memory()[1] < 5 * len(content)
    finally:
        tracemalloc.stop()


def test_reading_a_frame_takes_less_memory_than_a_quarter_of_the_file() -> None:
    """The file has 200 frames."""
    content = dicom(np.zeros((200, 100, 1000), "u1"))
    render(content, ACCEPT, {"it": PNG})
    tracemalloc.start()
    try:
        assert render(content, ACCEPT, {"it": replace(PNG, pages="7")}).errors == {}
        assert tracemalloc.get_traced_memory()[1] < len(content) / 4
    finally:
        tracemalloc.stop()


def test_a_dicom_with_a_huge_element_is_rejected() -> None:
    centers = dicom(ramp(0, 9, "u1"), WindowCenter=[1] * 3000, WindowWidth=1)
    assert "the element WindowCenter has " in refusal(centers)


def test_a_dicom_with_too_deeply_nested_sequences_is_rejected() -> None:
    content = dicom(ramp(0, 9, "u1"))
    deep = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 100_000
    at = content.index(b"\x08\x00\x50\x00SH")  # AccessionNumber: elements are in order
    assert "the DICOM header is damaged (RecursionError)" in refusal(content[:at] + deep + content[at:])


def test_a_dicom_fails_without_pydicom_and_the_reason_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    module.library.cache_clear()
    with pytest.raises(Failed, match=r"renditions\[dicom\]"):
        render(dicom(ramp(0, 9, "u1")), ACCEPT, {"it": PNG})


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_the_reason_and_the_renditions_of_a_damaged_dicom_do_not_reveal_the_patient(
    data: st.DataObject,
) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(128, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(128, len(content))) :]
    result = render(bytes(content), ACCEPT, {"it": replace(PNG, width=40)}, limits=Limits(seconds=5))
    assert SECRET not in f"{result.rejected}{result.errors}"
    if result.rejected is not None:
        assert result.rejected.text
        assert result.rejected.text.isprintable()
    for made in result.made.values():
        assert SECRET.encode() not in made.content


SEEDS = (
    dicom(ramp(0, 60, "u1")),
    dicom(ramp(-30, 30, "i2"), WindowCenter=0, WindowWidth=20, RescaleSlope=1, RescaleIntercept=0),
    dicom(COLOURS[:20, :20]),
    dicom(COLOURS, syntax=JPEGBaseline8Bit, encoded=[encoded(photo(64, 48), "jpeg")]),
    dicom(COLOURS, syntax=JPEG2000Lossless, encoded=[encoded(photo(64, 48), "jpeg2000", no_jp2=True)]),
)
