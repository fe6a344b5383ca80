"""Colours that CICP or PNG's gamma declare, which become sRGB.

The expected values are computed here. Most tests convert known sRGB colours to the declared space, and the
rendition must show them again.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
import pyvips
from PIL import Image

from imaging.pictures import encoded, opened, png_chunk, rendered, shown
from imaging.test_colour import SRGB, WIDE_GAMUT
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Region, Rendition

PNG = Rendition(format="png")
SIDE = 16
COLOURS = np.array(
    [(200, 100, 50), (40, 90, 200), (128, 128, 128), (250, 245, 230), (20, 60, 30), (0, 0, 0)], float
)
TO_2020 = np.array([(0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)])
TO_P3 = np.array([(0.8225, 0.1774, 0.0), (0.0332, 0.9669, 0.0), (0.0171, 0.0724, 0.9108)])
SAME = np.eye(3)


def light(colours: Any) -> Any:
    """Return the linear light of sRGB values of 0 to 255 (IEC 61966-2-1)."""
    values = np.asarray(colours) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb(values: Any) -> Any:
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def pq(values: Any) -> Any:
    """Return the PQ values of linear light.

    A light of 1 is 203 cd/m².
    """
    root = (np.asarray(values) * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375


def hlg(values: Any) -> Any:
    """Return the HLG values of linear light.

    A light of 1 is 203 cd/m² on a display of 1,000 cd/m².
    """
    display = np.asarray(values) * 0.203
    bright = display @ np.array([0.2627, 0.6780, 0.0593])
    scene = display * np.where(bright > 0, bright, 1)[..., None] ** (1 / 1.2 - 1)
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


SPACES: dict[str, tuple[int, int, Any, Any]] = {
    "p3": (12, 13, TO_P3, srgb),
    "rec2020": (9, 14, TO_2020, srgb),
    "rec2020 with sRGB's curve": (9, 13, TO_2020, srgb),
    "linear": (1, 8, SAME, lambda values: values),
    "gamma 2.2": (1, 4, SAME, lambda values: values ** (1 / 2.2)),
    "television": (1, 1, SAME, srgb),
    "unspecified": (2, 2, SAME, srgb),
    "pq": (9, 16, TO_2020, pq),
    "pq in p3": (12, 16, TO_P3, pq),
    "hlg": (9, 18, TO_2020, hlg),
}


TELEVISION = ("rec2020", "television")


def coded(space: str, kind: str = "avif") -> Any:
    """Return the test's colours as values of 0 to 1 in this space.

    Each colour fills a square; the squares are in one row. For the curves of television, Chromium uses the
    curve of sRGB in AVIF, and the curve of a screen (BT.1886) in PNG.
    """
    *_, matrix, curve = SPACES[space]
    if space in TELEVISION and kind.startswith("png"):
        curve = lambda values: values ** (1 / 2.4)  # noqa: E731
    return squares(curve(np.maximum(light(COLOURS) @ matrix.T, 0)))


def squares(values: Any) -> Any:
    return np.repeat(np.repeat(np.asarray(values)[None], SIDE, 0), SIDE, 1)


def found(picture: Image.Image) -> Any:
    """Return the values in the middle of each square of the row."""
    return np.asarray(picture.convert("RGB")).astype(float)[SIDE // 2, SIDE // 2 :: SIDE]


def png(values: Any, *chunks: tuple[bytes, bytes], bits: int = 16) -> bytes:
    """Return values of 0 to 1 as a PNG with these chunks before its pixels."""
    whole = np.rint(values * (2**bits - 1)).astype(">u2" if bits == 16 else "u1")
    height, width = whole.shape[:2]
    data = b"".join(b"\0" + row.tobytes() for row in whole)
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if whole.ndim == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, part) for name, part in parts)


def cicp(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, 1])


def avif(values: Any, primaries: int, transfer: int, bits: int) -> bytes:
    """Return values of 0 to 1 as an AVIF in the best quality.

    Its ``nclx`` box has these numbers.
    """
    whole = np.rint(values * 65_535).astype("u2")
    image = pyvips.Image.new_from_memory(whole.tobytes(), whole.shape[1], whole.shape[0], 3, "ushort")
    image = image.copy(interpretation="rgb16")
    # libvips writes no nclx. So this function writes the nclx over the start of a profile's box.
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", SRGB)
    made = bytes(
        image.heifsave_buffer(compression="av1", bitdepth=bits, Q=100, subsample_mode="off", keep="icc")
    )
    before, box, after = made.partition(b"colrrICC")
    assert box
    return before + b"colrnclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80) + after[7:]


def with_code(content: bytes, primaries: int, transfer: int) -> bytes:
    """Return an AVIF or HEIC with these numbers in its first ``nclx`` box."""
    before, box, after = content.partition(b"colrnclx")
    assert box
    return before + box + struct.pack(">HH", primaries, transfer) + after[4:]


def heic(values: Any, primaries: int, transfer: int) -> bytes:
    """Return values of 0 to 1 as a HEIC of 10 bits."""
    whole = np.rint(values * 65_535).astype("u2")
    file = pillow_heif.from_bytes("RGB;16", (whole.shape[1], whole.shape[0]), whole.tobytes())
    out = io.BytesIO()
    file.save(out, quality=100, chroma=444)
    return with_code(out.getvalue(), primaries, transfer)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["png", "png of 8 bits", "avif", "avif of 10 bits", "heic"])
def test_colours_in_each_declared_space_become_srgb(space: str, kind: str) -> None:
    primaries, transfer, *_ = SPACES[space]
    values = coded(space, kind)
    source = {
        "png": lambda: png(values, cicp(primaries, transfer)),
        "png of 8 bits": lambda: png(values, cicp(primaries, transfer), bits=8),
        "avif": lambda: avif(values, primaries, transfer, 8),
        "avif of 10 bits": lambda: avif(values, primaries, transfer, 10),
        "heic": lambda: heic(values, primaries, transfer),
    }[kind]()
    made = found(shown(source, PNG))
    # Lossy files and eight bits are too coarse for dark colours in light, and for HDR.
    is_coarse = kind in ("png of 8 bits", "avif", "heic") and space in ("linear", "pq", "pq in p3", "hlg")
    assert np.abs(made - COLOURS).max() <= (14 if is_coarse else 4), made


LEVELS = (1.0, 20.0, 100.0, 203.0, 400.0, 800.0, 1600.0, 4000.0)
"""Greys in cd/m²."""


@pytest.mark.parametrize("most", [400, 1000, 4000])
def test_highlights_of_an_hdr_picture_are_compressed_and_not_clipped(most: int) -> None:
    levels = np.array([level for level in LEVELS if level <= most])
    source = png(squares(np.repeat(pq(levels / 203)[:, None], 3, 1)), cicp(9, 16))
    made = found(shown(source, PNG))
    assert (np.ptp(made, 1) == 0).all()
    assert (np.diff(made[:, 0]) >= 1).all(), made[:, 0]
    assert made[-1, 0] >= (254 if most == max(levels) else 0)
    # Dark tones stay.
    assert np.abs(made[:2, 0] - 255 * srgb(levels[:2] / 203)).max() <= 1


def test_the_highlights_of_an_hdr_picture_follow_the_curve_of_bt_2390() -> None:
    """The expected curve is computed here with the standard's formulas.

    The brightest light of the picture is 1,000 cd/m².
    """
    levels = np.array([150.0, 203.0, 300.0, 500.0, 700.0, 1000.0])
    top, white = pq(1000 / 203), pq(1.0)
    most, values = white / top, pq(levels / 203) / top
    knee = 1.5 * most - 0.5
    t = (values - knee) / (1 - knee)
    curved = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    curved += (-2 * t**3 + 3 * t**2) * most
    grid = np.linspace(0, 1, 100_001)
    shown_light = np.interp(np.where(values > knee, curved, values) * top, pq(grid), grid)
    source = png(squares(np.repeat(pq(levels / 203)[:, None], 3, 1)), cicp(9, 16))
    assert np.abs(found(shown(source, PNG))[:, 0] - 255 * srgb(shown_light)).max() <= 1


def test_bright_colours_of_an_hdr_picture_keep_their_hue() -> None:
    bright = 6 * light(COLOURS[:2])
    made = light(found(shown(png(squares(pq(bright @ TO_2020.T)), cicp(9, 16)), PNG)))
    for one, other in zip(made, bright, strict=True):
        assert np.abs(one / one.max() - other / other.max()).max() < 0.02


def test_a_cropped_hdr_picture_has_the_same_tones_as_the_whole_picture() -> None:
    grey = np.repeat(pq(np.array([150.0, 150.0, 150.0, 1000.0]) / 203)[:, None], 3, 1)
    source = png(squares(grey), cicp(9, 16))
    whole, part = (
        shown(source, recipe)
        for recipe in (PNG, Rendition(format="png", crop=Region(left=0, top=0, width=50, height=100)))
    )
    assert found(whole)[0].tolist() == found(part)[0].tolist()
    assert found(whole)[0, 0] < 255 * srgb(150 / 203) - 5


def test_a_picture_with_declared_colours_keeps_its_alpha() -> None:
    values = np.concatenate([coded("p3"), np.full((SIDE, SIDE * len(COLOURS), 1), 0.4)], -1)
    whole = np.rint(values * 65_535).astype(">u2")
    header = struct.pack(">IIBBBBB", whole.shape[1], SIDE, 16, 6, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in whole))
    chunks = ((b"IHDR", header), cicp(12, 13), (b"IDAT", data), (b"IEND", b""))
    source = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, part) for name, part in chunks)
    made = shown(source, PNG)
    assert set(np.asarray(made)[..., 3].ravel()) == {102}
    assert np.abs(np.asarray(made)[SIDE // 2, SIDE // 2 :: SIDE, :3] - COLOURS).max() <= 2


def test_a_grey_png_with_a_declared_cicp_code_becomes_srgb() -> None:
    made = shown(png(squares(pq(light(COLOURS[:, 0]))), cicp(9, 16)), PNG)
    assert made.mode == "L"
    assert np.abs(found(made)[:, 0] - COLOURS[:, 0]).max() <= 2


def test_alpha_does_not_change_the_tones_of_a_grey_hdr_png() -> None:
    greys = squares(pq(np.array([50.0, 203.0, 400.0]) / 203))
    whole = np.rint(np.stack([greys, np.ones_like(greys)], -1) * 65_535).astype(">u2")
    header = struct.pack(">IIBBBBB", whole.shape[1], SIDE, 16, 4, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in whole))
    chunks = ((b"IHDR", header), cicp(9, 16), (b"IDAT", data), (b"IEND", b""))
    source = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, part) for name, part in chunks)
    made = shown(source, PNG)
    assert made.mode == "LA"
    assert found(made).tolist() == found(shown(png(greys, cicp(9, 16)), PNG)).tolist()
    assert found(made)[-1, 0] >= 254


def gamma(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


P3_CHROMATICITIES = (
    b"cHRM",
    struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6000),
)
SRGB_CHROMATICITIES = (
    b"cHRM",
    struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6000),
)
PROFILE = (b"iCCP", b"it\0\0" + zlib.compress(WIDE_GAMUT))
BROKEN = (b"iCCP", b"it\0\0" + zlib.compress(b"no profile at all" * 20))
PLAIN = squares(COLOURS / 255)


@pytest.mark.parametrize("value", [100_000, 55_556, 30_000])
def test_the_gamma_of_a_png_is_applied_to_colours_and_greys(value: int) -> None:
    """Without chromaticities, the primaries are those of sRGB."""
    wanted = 255 * srgb((COLOURS / 255) ** (100_000 / value))
    assert np.abs(found(shown(png(PLAIN, gamma(value)), PNG)) - wanted).max() <= 1
    grey = shown(png(squares(COLOURS[:, 0] / 255), gamma(value)), PNG)
    assert np.abs(found(grey)[:, 0] - wanted[:, 0]).max() <= 1


def test_the_usual_gamma_of_a_png_is_applied_if_the_file_declares_chromaticities() -> None:
    """The usual gamma isn't quite the curve of sRGB.

    Without chromaticities it counts as sRGB.
    """
    wanted = 255 * srgb((COLOURS / 255) ** 2.2)
    assert np.abs(found(shown(png(PLAIN, gamma(45_455), SRGB_CHROMATICITIES), PNG)) - wanted).max() <= 1


def test_png_gamma_and_chromaticities_are_applied_together() -> None:
    linear = np.maximum(light(COLOURS) @ TO_P3.T, 0)
    source = png(squares(linear), gamma(100_000), P3_CHROMATICITIES)
    assert np.abs(found(shown(source, PNG)) - COLOURS).max() <= 2


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(45_455)],
        [gamma(0)],
        [P3_CHROMATICITIES],
        [(b"sRGB", b"\0"), gamma(100_000), P3_CHROMATICITIES],
        [gamma(45_455), (b"cHRM", bytes(32))],
        [gamma(100_000), (b"cHRM", bytes(32))],
        [gamma(100_000), (b"cHRM", b"\xff" * 32)],
        [gamma(0), P3_CHROMATICITIES],
        [(b"cICP", bytes([9, 16, 0]))],
        [(b"cICP", bytes([9, 16, 1, 1]))],
        [(b"iCCP", b"it\0\0" + zlib.compress(SRGB)), gamma(100_000)],
        [(b"cICP", bytes([1, 13, 0, 1])), PROFILE],
        [BROKEN, (b"sRGB", b"\0")],
    ],
    ids=[
        "the usual gamma", "gamma 0", "chromaticities alone", "sRGB before gAMA", "impossible chromaticities",
        "impossible chromaticities and light", "chromaticities above 1", "gamma 0 and chromaticities",
        "a short cICP", "cICP of YCbCr", "iCCP before gAMA", "cICP before iCCP", "a broken profile",
    ],
)  # fmt: skip
def test_the_colours_of_a_png_are_unchanged_if_it_declares_srgb_or_nothing_usable(
    chunks: list[tuple[bytes, bytes]],
) -> None:
    assert np.abs(found(shown(png(PLAIN, *chunks), PNG)) - COLOURS).max() <= 1


def test_the_cicp_code_of_a_png_overrides_its_profile() -> None:
    p3 = png(coded("p3"), cicp(12, 13), PROFILE)
    made = shown(p3, PNG)
    assert "icc_profile" not in made.info
    assert np.abs(found(made) - COLOURS).max() <= 2
    kept = rendered(p3, Rendition(format="png", profile="keep")).content
    assert "icc_profile" not in opened(kept).info
    assert np.abs(found(shown(kept, PNG)) - COLOURS).max() <= 2


def test_the_profile_of_an_avif_overrides_its_colour_code_unless_the_profile_is_broken() -> None:
    picture = Image.fromarray(np.rint(255 * coded("p3")).astype("u1"))
    for profile, is_followed in ((SRGB, False), (b"no profile at all" * 20, True)):
        source = with_code(encoded(picture, "avif", quality=100, icc_profile=profile), 12, 13)
        made = found(shown(source, PNG))
        assert (np.abs(made - COLOURS).max() <= 4) == is_followed


def test_a_heic_that_declares_no_colours_is_read_as_srgb() -> None:
    """The HEVC bitstream may declare colours too, but Renditions ignores them."""
    bare = heic(coded("p3"), 12, 13).replace(b"colrnclx", b"freenclx")
    assert np.abs(found(shown(bare, PNG)) - np.rint(255 * coded("p3")[0, ::SIDE])).max() <= 4


def test_a_png_with_a_declared_gamma_is_not_copied_as_a_rendition() -> None:
    source = png(PLAIN, gamma(100_000), bits=8)
    made = rendered(source, Rendition(format="png", skip_if_larger=True, metadata="all", progressive=False))
    assert np.abs(found(opened(made.content)) - 255 * srgb(COLOURS / 255)).max() <= 1


def test_a_small_rendition_of_an_hdr_picture_keeps_its_tones() -> None:
    source = avif(coded("pq"), 9, 16, 10)
    small = np.asarray(shown(source, Rendition(format="png", width=48))).astype(float)[4, 4::8]
    assert np.abs(small - COLOURS).max() <= 5


@pytest.mark.parametrize(
    "source",
    [
        png(coded("pq"), cicp(9, 16))[:-30],
        avif(coded("pq"), 9, 16, 10)[:-200],
        heic(coded("pq"), 9, 16)[:-200],
    ],
    ids=["png", "avif", "heic"],
)
def test_truncated_hdr_pictures_are_rejected(source: bytes) -> None:
    rendering = render(source, Accept(), {"it": PNG})
    assert rendering.rejected
    assert rendering.made == {}
