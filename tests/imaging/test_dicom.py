"""DICOM in, with numpy and the standard's own formulas for the truth, and nothing of the patient out."""

from __future__ import annotations

import io
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from imaging.dicoms import SECRET, dicom, items, ramp
from imaging.pictures import difference, encoded, opened, photo, pixels
from renditions.errors import Failed
from renditions.imaging import dicom as module
from renditions.imaging.render import render
from renditions.pipeline import Accept, Analyze, Limits
from renditions.recipe import Rendition
from renditions.record import Original

ACCEPT = Accept(formats=("dicom", "png"))
PNG = Rendition(format="png")
COLOURS = np.asarray(photo(64, 48))
EVERYTHING = Analyze(
    exif=True, position=True, colours=3, placeholder="thumbhash", perceptual_hash=True, sharpness=True
)


def shown(content: bytes, recipe: Rendition = PNG, accept: Accept = ACCEPT) -> Image.Image:
    result = render(content, accept, {"it": recipe})
    assert (result.rejected, result.errors) == (None, {})
    return opened(result.made["it"].content)


def row(content: bytes) -> list[int]:
    """Return the greys of the first row."""
    return [int(value) for value in pixels(shown(content), "L")[0]]


def refusal(content: bytes, accept: Accept = ACCEPT, limits: Limits | None = None) -> str:
    result = render(content, accept, {"it": PNG}, limits=limits or Limits())
    assert result.made == {}
    assert result.rejected is not None
    return result.rejected


def test_a_file_is_told_by_its_content_and_described() -> None:
    result = render(dicom(ramp(0, 255, "u1")), ACCEPT, {"it": PNG})
    assert (result.original.format, result.original.frames) == ("dicom", 1)
    assert (result.original.width, result.original.height) == (256, 16)
    assert render(dicom(ramp(0, 255, "u1")), Accept(), {"it": PNG}).rejected == (
        "expected jpeg, png, webp, avif, gif, tiff, heic, found dicom"
    )


def test_eight_bits_without_a_window_stay_as_they_are() -> None:
    assert row(dicom(ramp(20, 90, "u1"))) == list(range(20, 91))


def test_dark_is_stored_as_light_in_monochrome1() -> None:
    inverted = row(dicom(ramp(0, 255, "u1"), PhotometricInterpretation="MONOCHROME1"))
    assert inverted == list(range(255, -1, -1))


@pytest.mark.parametrize(("low", "high", "kind"), [(300, 1400, "u2"), (-1000, 800, "i2"), (-90, 60, "i1")])
def test_without_a_window_the_values_that_are_there_are_the_range(low: int, high: int, kind: str) -> None:
    content = dicom(ramp(low, high, kind), RescaleSlope=2, RescaleIntercept=-1024)
    expected = np.rint(np.linspace(0, 255, high - low + 1))
    assert np.abs(np.array(row(content)) - expected).max() <= 1


def test_padding_is_no_part_of_the_range() -> None:
    values = ramp(100, 300, "i2")
    values[8:] = -2000
    assert row(dicom(values, PixelPaddingValue=-2000)) == row(dicom(ramp(100, 300, "i2")))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda value: (value - (40 - 0.5)) / (400 - 1) + 0.5),
        ("LINEAR_EXACT", lambda value: (value - 40) / 400 + 0.5),
        ("SIGMOID", lambda value: 1 / (1 + np.exp(-4 * (value - 40) / 400))),
    ],
)
def test_the_first_window_is_applied_by_the_standard_s_formula(function: str, expected: Any) -> None:
    """PS3.3, C.11.2.1.2 and C.11.2.1.3, after the rescaling of C.11.1."""
    content = dicom(
        ramp(0, 2000, "u2"),
        RescaleSlope=1,
        RescaleIntercept=-1024,
        WindowCenter=[40, 600],
        WindowWidth=[400, 2000],
        VOILUTFunction=function,
    )
    greys = np.clip(expected(np.arange(2001) - 1024.0), 0, 1) * 255
    assert np.abs(np.array(row(content)) - greys).max() <= 0.51


def test_a_window_of_one_value_is_a_threshold() -> None:
    assert row(dicom(ramp(0, 9, "u1"), WindowCenter=5, WindowWidth=1)) == [0] * 5 + [255] * 5


def test_a_modality_lut_says_what_values_mean() -> None:
    meant = np.array([0, 3000, 1000, 4000], "u2").tobytes()
    table = items(LUTDescriptor=[4, 10, 16], ModalityLUTType="US", LUTData=meant)
    content = dicom(ramp(10, 13, "u1"), ModalityLUTSequence=table, WindowCenter=2000, WindowWidth=4000)
    assert row(content) == [0, 191, 64, 255]


def test_an_enhanced_file_has_a_window_for_each_frame() -> None:
    values = np.stack([ramp(0, 99, "u1")] * 2)
    content = dicom(
        values,
        SharedFunctionalGroupsSequence=items(
            PixelValueTransformationSequence=items(RescaleSlope=2, RescaleIntercept=0)
        ),
        PerFrameFunctionalGroupsSequence=[
            items(FrameVOILUTSequence=items(WindowCenter=center, WindowWidth=1))[0] for center in (40, 100)
        ],
    )
    pages = [pixels(shown(content, replace(PNG, pages=page)), "L")[0] for page in ("1", "2")]
    assert [int((page == 0).sum()) for page in pages] == [20, 50]


def test_unused_bits_say_nothing() -> None:
    """Of 16 bits 12 are used; what other programs left above them is cut off."""
    values = ramp(0, 4095, "u2")
    assert row(dicom(values | 0xF000, BitsStored=12)) == row(dicom(values, BitsStored=12))


def test_one_bit_a_pixel() -> None:
    bits = np.tile(np.array([0b01010101], "u1"), (16, 2))
    content = dicom(bits, BitsAllocated=1, BitsStored=1, Columns=16, PixelRepresentation=0)
    assert row(content) == [255, 0] * 8


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_colours(bits: int) -> None:
    tables: dict[str, Any] = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, levels in (("Red", (255, 0, 0)), ("Green", (0, 255, 0)), ("Blue", (0, 51, 255)))
        for part, value in (
            ("Descriptor", [3, 5, bits]),
            ("Data", (np.array([*levels, 0]) * (257 if bits == 16 else 1)).astype(f"u{bits // 8}").tobytes()),
        )
    }
    content = dicom(ramp(5, 7, "u1"), PhotometricInterpretation="PALETTE COLOR", **tables)
    assert pixels(shown(content))[0].tolist() == [[255, 0, 0], [0, 255, 51], [0, 0, 255]]


def test_colours_are_those_of_the_file_in_either_order() -> None:
    planes = np.ascontiguousarray(COLOURS.transpose(2, 0, 1)).reshape(COLOURS.shape)
    for content in (dicom(COLOURS), dicom(planes, PlanarConfiguration=1)):
        assert (pixels(shown(content)) == COLOURS).all()
    deep = COLOURS.astype("u2") * 257
    assert (pixels(shown(dicom(deep))) == COLOURS).all()


def test_ybr_becomes_rgb() -> None:
    ybr = np.asarray(photo(64, 48).convert("YCbCr"))
    content = dicom(ybr, PhotometricInterpretation="YBR_FULL")
    assert np.abs(pixels(shown(content)) - COLOURS).max() <= 3


def test_jpeg_inside_is_decoded_with_its_own_metadata_left_behind() -> None:
    exif = Image.Exif()
    exif[0x13B] = SECRET
    exif[0x112] = 6
    inside = encoded(photo(64, 48), "jpeg", quality=97, subsampling=0, exif=exif.tobytes(), comment=SECRET)
    content = dicom(COLOURS, syntax=JPEGBaseline8Bit, encoded=[inside], PhotometricInterpretation="YBR_FULL")
    result = render(content, ACCEPT, {"it": replace(PNG, metadata="all", profile="keep")})
    made = result.made["it"].content
    assert SECRET.encode() not in made
    assert np.abs(pixels(opened(made)) - COLOURS).mean() < 1


def test_rle_and_jpeg_2000_inside_are_decoded_as_they_were() -> None:
    data = pydicom.dcmread(io.BytesIO(dicom(COLOURS)))
    data.compress(RLELossless)
    target = io.BytesIO()
    data.save_as(target)
    assert (pixels(shown(target.getvalue())) == COLOURS).all()
    inside = encoded(photo(64, 48), "jpeg2000", irreversible=False, no_jp2=True)
    content = dicom(COLOURS, syntax=JPEG2000Lossless, encoded=[inside], PhotometricInterpretation="RGB")
    assert (pixels(shown(content)) == COLOURS).all()


def sample(name: str) -> bytes:
    """Return a file of another program's, which pydicom comes with."""
    file = get_testdata_file(name, download=False)
    assert isinstance(file, str)
    return Path(file).read_bytes()


def test_a_window_of_another_program_s_file_is_applied() -> None:
    data = pydicom.dcmread(io.BytesIO(sample("MR_small.dcm")))
    values = np.frombuffer(data.PixelData, "<i2").reshape(data.Rows, data.Columns).astype(float)
    greys = np.clip((values - (600 - 0.5)) / (1600 - 1) + 0.5, 0, 1) * 255
    assert (data.WindowCenter, data.WindowWidth) == (600, 1600)
    assert np.abs(pixels(shown(sample("MR_small.dcm")), "L") - greys).max() <= 0.51


@pytest.mark.parametrize("how", ["RLE", "bigendian", "expb", "implicit", "jp2klossless", "padded"])
def test_one_picture_looks_the_same_however_it_is_written(how: str) -> None:
    assert shown(sample(f"MR_small_{how}.dcm")).tobytes() == shown(sample("MR_small.dcm")).tobytes()


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_gdcm_KY.dcm",
     "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_jpeg_dcmtk.dcm"],
)  # fmt: skip
def test_one_chart_has_the_same_colours_however_it_is_written(name: str) -> None:
    assert difference(shown(sample(name)), shown(sample("SC_rgb_dcmtk_+eb+cr.dcm"))) < 3


def test_a_jpeg_of_rgb_is_not_taken_for_ycbcr() -> None:
    """Its segment that says so is damaged; the data set says it too."""
    assert pixels(shown(sample("SC_rgb_jpeg.dcm")))[0, 0].tolist() == [244, 244, 244]


@pytest.mark.parametrize(
    ("elements", "size"),
    [
        ({"PixelAspectRatio": [2, 1]}, (40, 60)),
        ({"PixelAspectRatio": [1, 3]}, (120, 30)),
        ({"PixelSpacing": [0.5, 0.25]}, (40, 60)),
        ({"ImagerPixelSpacing": [0.25, 0.25]}, (40, 30)),
        (
            {
                "SharedFunctionalGroupsSequence": items(
                    PixelMeasuresSequence=items(PixelSpacing=[1, 2]),
                )
            },
            (80, 30),
        ),
    ],
)
def test_pixels_become_square_and_none_is_lost(elements: dict[str, Any], size: tuple[int, int]) -> None:
    content = dicom(np.full((30, 40), 200, "u1"), **elements)
    picture = shown(content)
    assert picture.size == size
    assert picture.convert("L").getextrema() == (200, 200)
    assert render(content, ACCEPT, {}).original.width == size[0]


def test_frames_are_chosen_as_pages_are() -> None:
    frames = np.stack([np.full((20, 30), value, "u1") for value in (10, 20, 30, 40)])
    content = dicom(frames)
    assert render(content, ACCEPT, {}).original.frames == 4
    assert shown(content).convert("L").getpixel((0, 0)) == 10
    assert shown(content, replace(PNG, pages="3")).convert("L").getpixel((0, 0)) == 30
    document = render(content, ACCEPT, {"it": Rendition(format="pdf", pages="2-9")}).made["it"].content
    read = pypdfium2.PdfDocument(document)
    assert len(read) == 3
    read.close()
    assert render(content, ACCEPT, {"it": replace(PNG, pages="5")}).errors == {
        "it": "expected pages 5, found 4 in all"
    }


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
def test_nothing_of_the_patient_is_in_what_is_made(
    recipe: Rendition, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in a rendition nor in what is kept, logged or printed of the picture."""
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


def test_the_file_itself_is_never_passed_on_as_text() -> None:
    content = dicom(ramp(0, 255, "u1"))
    reason = "expected a picture whose file tells of nobody, found dicom"
    alone = render(content, ACCEPT, {"text": Rendition(format="base64")})
    assert (alone.made, alone.errors) == ({}, {"text": reason})
    both = render(content, ACCEPT, {"text": Rendition(format="base64", data_uri=True), "it": PNG})
    assert (set(both.made), both.errors) == ({"it"}, {"text": reason})


def test_pixels_that_tell_of_the_patient_are_refused_unless_allowed() -> None:
    content = dicom(ramp(0, 255, "u1"), BurnedInAnnotation="YES")
    assert refusal(content) == "expected pixels that don't tell whom they show, found BurnedInAnnotation YES"
    assert row(content=dicom(ramp(0, 255, "u1"), BurnedInAnnotation="NO"))[:3] == [0, 1, 2]
    assert shown(content, accept=replace(ACCEPT, burned_in_annotation=True)).size == (256, 16)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (dicom(ramp(0, 9, "u1"), PhotometricInterpretation="HSV"), "another photometric interpretation"),
        (dicom(ramp(0, 9, "u1"), Rows=17), "expected 170 bytes for 1 frames, found 160"),
        (dicom(ramp(0, 9, "u1"), NumberOfFrames=2_000_000_000), "for 2,000,000,000 frames"),
        (dicom(ramp(0, 9, "u4")), "expected values of 1, 8 or 16 bits, found 32 of 32"),
        (dicom(ramp(0, 9, "u1"), Rows=None), "expected Rows, found none"),
        (dicom(ramp(0, 9, "u1"), PixelAspectRatio=[1, 2_000]), "expected pixels about as wide as high"),
        (dicom(ramp(0, 9, "u1"), PixelAspectRatio=[0, 1]), "expected pixels about as wide as high"),
        (dicom(COLOURS, SamplesPerPixel=1), "expected 3 values in a pixel of its kind, found 1"),
        (
            dicom(ramp(0, 9, "u1"), syntax=JPEG2000Lossless,
                  encoded=[encoded(photo(400, 300).convert("L"), "jpeg2000", no_jp2=True)]),
            "expected a JPEG 2000 of 10 by 16 pixels of 1 values, found another",
        ),
        (
            dicom(ramp(0, 9, "u1"), syntax=JPEGBaseline8Bit,
                  encoded=[encoded(photo(400, 300).convert("L"), "jpeg")]),
            "expected a JPEG of 10 by 16 pixels of 1 values, found 400 by 300",
        ),
    ],
)  # fmt: skip
def test_what_can_t_be_so_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("image_dfl.dcm", "found Deflated Explicit VR Little Endian"),
        ("MR_small_jpeg_ls_lossless.dcm", "found JPEG-LS Lossless Image Compression"),
        ("SC_rgb_jpeg_gdcm.dcm", "found JPEG Lossless, Non-Hierarchical"),
        ("MR_truncated.dcm", "expected 8,192 bytes for 1 frames, found 8,130"),
        ("rtplan.dcm", "expected DICOM with pixels, found none"),
        ("badVR.dcm", "expected a DICOM header, found damaged data"),
    ],
)
def test_what_isn_t_read_is_refused_by_its_name(name: str, reason: str) -> None:
    assert reason in refusal(sample(name))


def test_limits_are_held_before_anything_is_decoded() -> None:
    content = dicom(np.zeros((3, 100, 100), "u1"))
    assert refusal(content, replace(ACCEPT, max_pixels=9_999)) == (
        "expected at most 9,999 pixels, found 10,000: 100 by 100"
    )
    stretched = dicom(np.zeros((100, 100), "u1"), PixelAspectRatio=[1, 50])
    assert "found 500,000: 5000 by 100" in refusal(stretched, replace(ACCEPT, max_pixels=20_000))
    every = {"it": Rendition(format="pdf", pages="all")}
    refused = render(content, ACCEPT, every, limits=Limits(pages=2)).rejected
    assert refused == "expected at most 2 pages, found 3"


def test_without_pydicom_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    module.library.cache_clear()
    with pytest.raises(Failed, match=r"renditions\[dicom\]"):
        render(dicom(ramp(0, 9, "u1")), ACCEPT, {"it": PNG})


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_file_is_made_or_refused_and_its_patient_never_told(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(128, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(128, len(content))) :]
    result = render(bytes(content), ACCEPT, {"it": replace(PNG, width=40)}, limits=Limits(seconds=5))
    assert SECRET not in f"{result.rejected}{result.errors}"
    if result.rejected is not None:
        assert result.rejected.startswith("expected ")
    for made in result.made.values():
        assert SECRET.encode() not in made.content


SEEDS = (
    dicom(ramp(0, 60, "u1")),
    dicom(ramp(-30, 30, "i2"), WindowCenter=0, WindowWidth=20, RescaleSlope=1, RescaleIntercept=0),
    dicom(COLOURS[:20, :20]),
    dicom(COLOURS, syntax=JPEGBaseline8Bit, encoded=[encoded(photo(64, 48), "jpeg")]),
    dicom(COLOURS, syntax=JPEG2000Lossless, encoded=[encoded(photo(64, 48), "jpeg2000", no_jp2=True)]),
)
