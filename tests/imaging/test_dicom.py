"""DICOM input, compared with numpy and the standard's own formulas."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pypdfium2
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from imaging.dicoms import ACCEPT, PNG, SECRET, as_runs, dicom, items, ramp, row, sample, shown
from imaging.pictures import difference, encoded, opened, photo, pixels
from renditions.imaging.render import render
from renditions.model.formats import DEFAULT_SOURCES
from renditions.model.pipeline import Accept
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition

COLOURS = np.asarray(photo(64, 48))


def test_a_dicom_is_identified_by_its_content_and_its_size_is_reported() -> None:
    result = render(dicom(ramp(0, 255, "u1")), ACCEPT, {"it": PNG})
    assert (result.original.format, result.original.frames) == ("dicom", 1)
    assert (result.original.width, result.original.height) == (256, 16)
    assert str(render(dicom(ramp(0, 255, "u1")), Accept(), {"it": PNG}).rejected) == (
        f'dicom isn\'t accepted. Convert the picture to {", ".join(DEFAULT_SOURCES)}, or add "dicom" to '
        "[accept] formats"
    )


def test_dicom_values_of_eight_bits_without_a_window_are_unchanged() -> None:
    assert row(dicom(ramp(20, 90, "u1"))) == list(range(20, 91))


def test_the_values_of_monochrome1_are_inverted() -> None:
    inverted = row(dicom(ramp(0, 255, "u1"), PhotometricInterpretation="MONOCHROME1"))
    assert inverted == list(range(255, -1, -1))


@pytest.mark.parametrize(("low", "high", "kind"), [(300, 1400, "u2"), (-1000, 800, "i2"), (-90, 60, "i1")])
def test_without_a_window_the_lowest_value_becomes_black_and_the_highest_white(
    low: int, high: int, kind: str
) -> None:
    content = dicom(ramp(low, high, kind), RescaleSlope=2, RescaleIntercept=-1024)
    expected = np.rint(np.linspace(0, 255, high - low + 1))
    assert np.abs(np.array(row(content)) - expected).max() <= 1


def test_padding_values_do_not_count_for_the_lowest_and_highest_value() -> None:
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
def test_the_first_window_is_applied_by_the_formula_of_the_standard(function: str, expected: Any) -> None:
    """The formulas are those of PS3.3, C.11.2.1.2 and C.11.2.1.3.

    The rescaling of C.11.1 comes before them.
    """
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


def test_a_window_of_width_one_separates_black_from_white() -> None:
    assert row(dicom(ramp(0, 9, "u1"), WindowCenter=5, WindowWidth=1)) == [0] * 5 + [255] * 5


def test_the_modality_lut_of_a_dicom_is_applied() -> None:
    meant = np.array([0, 3000, 1000, 4000], "u2").tobytes()
    table = items(LUTDescriptor=[4, 10, 16], ModalityLUTType="US", LUTData=meant)
    content = dicom(ramp(10, 13, "u1"), ModalityLUTSequence=table, WindowCenter=2000, WindowWidth=4000)
    assert row(content) == [0, 191, 64, 255]


def test_each_frame_of_an_enhanced_file_is_shown_with_its_own_window() -> None:
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


def test_the_unused_bits_of_a_dicom_value_are_ignored() -> None:
    """The pixels use 12 of 16 bits.

    Other programs may leave values in the 4 upper bits. The decoder must ignore them.
    """
    values = ramp(0, 4095, "u2")
    assert row(dicom(values | 0xF000, BitsStored=12)) == row(dicom(values, BitsStored=12))


def test_a_dicom_with_one_bit_per_pixel_is_read() -> None:
    bits = np.tile(np.array([0b01010101], "u1"), (16, 2))
    content = dicom(bits, BitsAllocated=1, BitsStored=1, Columns=16, PixelRepresentation=0)
    assert row(content) == [255, 0] * 8


@pytest.mark.parametrize("bits", [8, 16])
def test_the_palette_of_a_dicom_is_applied_to_its_pixels(bits: int) -> None:
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


def test_colours_that_are_stored_by_pixel_or_by_plane_are_read() -> None:
    planes = np.ascontiguousarray(COLOURS.transpose(2, 0, 1)).reshape(COLOURS.shape)
    for content in (dicom(COLOURS), dicom(planes, PlanarConfiguration=1)):
        assert (pixels(shown(content)) == COLOURS).all()
    deep = COLOURS.astype("u2") * 257
    assert (pixels(shown(dicom(deep))) == COLOURS).all()


def test_pixels_in_ybr_become_rgb() -> None:
    ybr = np.asarray(photo(64, 48).convert("YCbCr"))
    content = dicom(ybr, PhotometricInterpretation="YBR_FULL")
    assert np.abs(pixels(shown(content)) - COLOURS).max() <= 3


def test_a_jpeg_in_dicom_is_decoded_without_its_metadata() -> None:
    exif = Image.Exif()
    exif[0x13B] = SECRET
    exif[0x112] = 6
    inside = encoded(photo(64, 48), "jpeg", quality=97, subsampling=0, exif=exif.tobytes(), comment=SECRET)
    content = dicom(COLOURS, syntax=JPEGBaseline8Bit, encoded=[inside], PhotometricInterpretation="YBR_FULL")
    result = render(content, ACCEPT, {"it": replace(PNG, metadata="all", profile="keep")})
    made = result.made["it"].content
    assert SECRET.encode() not in made
    assert np.abs(pixels(opened(made)) - COLOURS).mean() < 1


def test_rle_and_jpeg_2000_in_dicom_are_decoded_exactly() -> None:
    assert (pixels(shown(as_runs(dicom(COLOURS)))) == COLOURS).all()
    inside = encoded(photo(64, 48), "jpeg2000", irreversible=False, no_jp2=True)
    content = dicom(COLOURS, syntax=JPEG2000Lossless, encoded=[inside], PhotometricInterpretation="RGB")
    assert (pixels(shown(content)) == COLOURS).all()


def test_the_window_in_a_file_of_another_program_is_applied() -> None:
    data = pydicom.dcmread(io.BytesIO(sample("MR_small.dcm")))
    values = np.frombuffer(data.PixelData, "<i2").reshape(data.Rows, data.Columns).astype(float)
    greys = np.clip((values - (600 - 0.5)) / (1600 - 1) + 0.5, 0, 1) * 255
    assert (data.WindowCenter, data.WindowWidth) == (600, 1600)
    assert np.abs(pixels(shown(sample("MR_small.dcm")), "L") - greys).max() <= 0.51


@pytest.mark.parametrize("how", ["RLE", "bigendian", "expb", "implicit", "jp2klossless", "padded"])
def test_a_grey_picture_has_the_same_pixels_in_several_transfer_syntaxes(how: str) -> None:
    assert shown(sample(f"MR_small_{how}.dcm")).tobytes() == shown(sample("MR_small.dcm")).tobytes()


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_gdcm_KY.dcm",
     "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_jpeg_dcmtk.dcm",
     "SC_rgb_jpeg_gdcm.dcm"],
)  # fmt: skip
def test_a_colour_chart_has_similar_colours_in_several_transfer_syntaxes(name: str) -> None:
    assert difference(shown(sample(name)), shown(sample("SC_rgb_dcmtk_+eb+cr.dcm"))) < 3


def test_an_rgb_jpeg_is_read_as_rgb_if_only_the_data_set_says_so() -> None:
    """The segment that names the colour space in the JPEG is damaged."""
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
def test_dicom_pixels_that_are_not_square_become_square(
    elements: dict[str, Any], size: tuple[int, int]
) -> None:
    content = dicom(np.full((30, 40), 200, "u1"), **elements)
    picture = shown(content)
    assert picture.size == size
    assert picture.convert("L").getextrema() == (200, 200)
    assert render(content, ACCEPT, {}).original.width == size[0]


@pytest.mark.parametrize(
    "elements",
    [
        {"PixelSpacing": [0, 0]},
        {"PixelSpacing": ["", ""]},
        {"PixelSpacing": [1, 0]},
        {"PixelSpacing": [1]},
        {"PixelSpacing": [-2, 1]},
        {"PixelAspectRatio": [0, 1]},
    ],
)
def test_a_spacing_that_says_nothing_about_pixels_is_ignored(elements: dict[str, Any]) -> None:
    """Programs write zeros and empty values if they don't know the spacing."""
    assert shown(dicom(np.full((30, 40), 200, "u1"), **elements)).size == (40, 30)


def test_an_impossible_spacing_does_not_hide_another_spacing() -> None:
    elements: dict[str, Any] = {"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.5, 0.25]}
    assert shown(dicom(np.full((30, 40), 200, "u1"), **elements)).size == (40, 60)


@pytest.mark.parametrize("bits", [8, 12])
def test_the_voi_lut_of_a_dicom_without_a_window_is_applied(bits: int) -> None:
    """The table goes from white to black, for the values from -100 to 923."""
    most = (1 << bits) - 1
    entries = np.rint(np.linspace(most, 0, 1024)).astype("u2")
    table = items(LUTDescriptor=[1024, -100, bits], LUTData=entries.tobytes())
    content = dicom(ramp(-200, 1000, "i2"), VOILUTSequence=table)
    expected = 255 * (entries / most)[np.clip(np.arange(-200, 1001) + 100, 0, 1023)]
    assert np.abs(np.array(row(content)) - expected).max() <= 0.51


def test_a_dicom_with_a_window_and_a_voi_lut_is_shown_by_its_window() -> None:
    table = items(LUTDescriptor=[10, 0, 8], LUTData=np.zeros(10, "u2").tobytes())
    window: dict[str, Any] = {"WindowCenter": 5, "WindowWidth": 1}
    assert row(dicom(ramp(0, 9, "u1"), VOILUTSequence=table, **window)) == [0] * 5 + [255] * 5


def test_a_jpeg_2000_in_a_jp2_file_is_read() -> None:
    """The standard forbids it, but programs write it."""
    assert shown(sample("GDCMJ2K_TextGBR.dcm")).size == (400, 400)


def test_a_jpeg_in_dicom_with_a_harmless_format_error_is_read() -> None:
    """The scan's parameters aren't those of a sequential scan."""
    picture = photo(64, 48).convert("L")
    jpeg = encoded(picture, "jpeg")
    slip = jpeg.replace(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0", b"\xff\xda\0\x08\x01\x01\0\0\0\0")
    assert slip != jpeg
    values = np.asarray(picture)
    made = [dicom(values, syntax=JPEGBaseline8Bit, encoded=[frame]) for frame in (jpeg, slip)]
    assert row(made[0]) == row(made[1])


def test_dicom_frames_are_chosen_like_pages() -> None:
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
        "it": Reason(
            'pages = "5" selects no page of this picture (it has 4). Declare other pages', "unrenderable"
        )
    }


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        (ramp(0, 4095, "u2"), {"BitsStored": 12}),
        (ramp(-2000, 2000, "i2"), {"BitsStored": 12}),
        (ramp(-2000, 2000, "i2"), {}),
        (COLOURS, {}),
        (COLOURS, {"PhotometricInterpretation": "YBR_FULL"}),
        (COLOURS.astype("u2") * 257, {}),
        (np.stack([ramp(0, 99, "u1"), ramp(100, 199, "u1")]), {}),
    ],
)
def test_rle_runs_decode_to_their_values(values: Any, elements: dict[str, Any]) -> None:
    raw = dicom(values, **elements)
    for page in ("1", "2") if values.ndim == 3 and values.shape[-1] != 3 else ("1",):
        recipe = replace(PNG, pages=page)
        assert shown(as_runs(raw), recipe).tobytes() == shown(raw, recipe).tobytes()
