"""Which directories of a TIFF are pages, and how their samples are read.

The pixels of a page become square.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo, rendered, shown
from imaging.tiffs import tiff
from renditions.errors import Undecodable
from renditions.imaging import tiff_tags
from renditions.imaging.decode import read_header
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

CASES = Path(__file__).parent / "cases"
PNG = Rendition(format="png")
FULL = np.asarray(photo(64, 48))
SMALL = np.asarray(Image.new("RGB", (16, 12), "red"))
OTHER = np.asarray(Image.new("RGB", (64, 48), "blue"))
REDUCED: Any = {254: (4, [1])}
MASK: Any = {254: (4, [4])}
OLD_REDUCED: Any = {255: (3, [2])}
PAGE: Any = {254: (4, [2])}


def frames_of(content: bytes) -> int | None:
    return render(content, Accept(), {"it": PNG}).original.frames


@pytest.mark.parametrize("tags", [REDUCED, MASK, OLD_REDUCED], ids=["reduced", "mask", "old reduced"])
@pytest.mark.parametrize("order", "<>")
def test_a_reduced_picture_or_a_mask_does_not_count_as_a_page(tags: Any, order: str) -> None:
    source = tiff(SMALL, FULL, SMALL, OTHER, order=order, tags=[tags, {}, tags, PAGE])
    assert np.array_equal(np.asarray(shown(source, PNG)), FULL)
    assert frames_of(source) == 2
    both = opened(rendered(source, Rendition(format="tiff", pages="all")).content)
    both.seek(1)
    assert both.size == (64, 48)
    assert both.convert("RGB").getpixel((9, 9)) == (0, 0, 255)


@pytest.mark.parametrize("page", [2, 3, 9])
def test_a_page_that_a_tiff_lacks_is_not_read_from_a_reduced_picture(page: int) -> None:
    source = tiff(FULL, SMALL, OTHER, SMALL, tags=[{}, REDUCED, PAGE, REDUCED])
    assert tiff_tags.read_page(source, page, range(65_536)) == {}
    with pytest.raises(Undecodable, match="page"):
        read_header(source, "tiff", page)


def test_a_preview_that_pillow_wrote_first_does_not_count_as_a_page() -> None:
    target, page = io.BytesIO(), photo()
    page.encoderinfo = {"tiffinfo": {254: 0}}
    preview = Image.new("RGB", (16, 12), "red")
    preview.save(target, "TIFF", save_all=True, append_images=[page], tiffinfo={254: 1})
    assert frames_of(target.getvalue()) == 1
    assert difference(shown(target.getvalue(), PNG), photo()) == 0


def test_the_levels_of_a_pyramid_do_not_count_as_pages() -> None:
    image = pyvips.Image.new_from_array(np.asarray(photo()))
    source = image.tiffsave_buffer(pyramid=True, tile=True, tile_width=64, tile_height=64)
    assert frames_of(source) == 1
    assert difference(shown(source, PNG), photo()) < 1


def test_reduced_pictures_count_as_pages_if_the_file_has_no_other_pages() -> None:
    source = tiff(FULL, OTHER, tags=REDUCED)
    assert frames_of(source) == 2
    assert np.array_equal(np.asarray(shown(source, PNG)), FULL)


def test_reading_a_tiff_ends_if_its_directories_form_a_circle() -> None:
    source = bytearray(tiff(FULL, OTHER))
    second = source.rindex(b"\x00\x01\x04\x00\x01\x00\x00\x00") - 2
    end = second + 2 + 12 * int.from_bytes(source[second : second + 2], "little")
    source[end : end + 4] = source[4:8]
    assert frames_of(bytes(source)) == 2


def test_a_circle_in_a_fax_from_another_encoder_stays_round() -> None:
    made = np.asarray(shown((CASES / "fax.tif").read_bytes(), PNG).convert("L")) < 128
    assert made.shape[1] / made.shape[0] == pytest.approx(0.77, abs=0.005)
    across, down = (np.flatnonzero(made.any(axis)) for axis in (0, 1))
    assert np.ptp(across) / np.ptp(down) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("dpi", "size"),
    [
        ((200, 100), (320, 480)),
        ((100, 200), (640, 240)),
        ((300, 300), (320, 240)),
        ((71.9, 72.1), (320, 240)),
        ((72, 1), (320, 240)),
        ((72, 0), (320, 240)),
    ],
)
def test_pixels_become_square_if_the_declared_resolutions_are_plausible(
    dpi: tuple[float, float], size: tuple[int, int]
) -> None:
    source = encoded(photo(), "tiff", dpi=dpi, resolution_unit=2, x_resolution=dpi[0], y_resolution=dpi[1])
    made = render(source, Accept(), {"it": PNG})
    assert (made.original.width, made.original.height) == size
    picture = opened(made.made["it"].content)
    assert difference(picture, photo().resize(size, Image.Resampling.BICUBIC)) < 1


def test_a_small_rendition_keeps_the_shape_of_a_page_with_wide_pixels() -> None:
    ratio: Any = {282: (5, [200, 1]), 283: (5, [100, 1]), 296: (3, [1])}
    small = shown(tiff(FULL, tags=ratio), Rendition(format="png", width=32))
    assert small.size == (32, 48)
    assert difference(small, photo(64, 48).resize((32, 48), Image.Resampling.LANCZOS)) < 2


def test_a_rotated_page_gets_square_pixels_before_its_rotation() -> None:
    source = encoded(photo(), "tiff", x_resolution=200, y_resolution=100, tiffinfo={274: 6})
    made = shown(source, PNG)
    assert made.size == (480, 320)
    assert difference(made, photo().resize((320, 480)).transpose(Image.Transpose.ROTATE_270)) < 1


INKS = np.stack([FULL[..., 0], FULL[..., 1], FULL[..., 2], FULL[..., 0] // 4], -1)
CMYK: Any = {262: (3, [5])}


@pytest.mark.parametrize("extra", [[0], [0, 0]])
def test_extra_inks_are_not_read_as_alpha(extra: list[int]) -> None:
    more = np.concatenate([INKS, *[FULL[..., :1]] * len(extra)], -1)
    plain = shown(tiff(INKS, tags=CMYK), PNG)
    made = shown(tiff(more, tags={**CMYK, 338: (3, extra)}), PNG)
    assert made.mode == "RGB"
    assert np.array_equal(np.asarray(made), np.asarray(plain))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4", "f8"])
def test_samples_without_a_declared_meaning_are_not_read_as_alpha(kind: str) -> None:
    most = {"u1": 1, "u2": 257, "f4": 1 / 255, "f8": 1 / 255}[kind]
    values = np.concatenate([FULL, FULL[..., :1]], -1)
    for first, samples in ((0, values), (2, values[..., 2:])):
        made = shown(tiff((samples.astype(float) * most).astype(kind), tags={338: (3, [0])}), PNG)
        assert made.mode == ("L" if first else "RGB")
        wanted = FULL[..., 2] if first else FULL
        assert np.abs(np.asarray(made).astype(int) - wanted).max() <= 1


def test_alpha_is_found_after_other_extra_samples() -> None:
    alpha = np.full((48, 64, 1), 102, "u1")
    samples = np.concatenate([FULL, FULL[..., :1], alpha], -1)
    made = shown(tiff(samples, tags={338: (3, [0, 2])}), PNG)
    assert made.mode == "RGBA"
    assert set(np.asarray(made)[..., 3].ravel()) == {102}
    assert np.array_equal(np.asarray(made)[..., :3], FULL)


RAW: dict[str, bytes] = {
    "DNG with a preview first": tiff(SMALL, tags={254: (4, [1]), 50_706: (1, [1, 4, 0, 0])}),
    "a sensor's data first": tiff(FULL[..., 0], tags={262: (3, [32_803])}),
    "a sensor's data in a later directory": tiff(SMALL, FULL[..., 0], tags=[{}, {262: (3, [34_892])}]),
    "CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(64),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(64),
    "ORF": b"IIRO\x08\0\0\0" + bytes(64),
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(64),
}


@pytest.mark.parametrize("source", RAW.values(), ids=RAW)
def test_the_reason_for_a_rejected_camera_raw_file_names_camera_raw(source: bytes) -> None:
    rendering = render(source, Accept(), {"it": PNG})
    assert rendering.made == {}
    assert str(rendering.rejected).startswith("camera RAW")
    assert str(rendering.original.format).startswith("camera RAW")


def test_the_reason_for_rejected_camera_raw_in_a_sub_directory_names_camera_raw() -> None:
    """The first page of NEF and ARW is a preview.

    The sensor's data is in a directory below it.
    """
    preview = tiff(SMALL, tags={330: (4, [0])})
    below = tiff(FULL[..., 0], tags={262: (3, [32_803])})
    padding = bytes(len(preview) % 2)
    entry = preview.index(b"\x4a\x01\x04\x00\x01\x00\x00\x00")
    at = len(preview) + len(padding) + 8
    source = preview[: entry + 8] + at.to_bytes(4, "little") + preview[entry + 12 :] + padding + below
    assert "camera RAW isn't accepted" in str(render(source, Accept(), {"it": PNG}).rejected)


def test_a_tiff_with_an_ordinary_picture_in_a_sub_directory_is_read() -> None:
    source = tiff(FULL, tags={330: (4, [8])})
    assert np.array_equal(np.asarray(shown(source, PNG)), FULL)
