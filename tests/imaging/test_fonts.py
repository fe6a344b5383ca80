"""Texts in any script: collections of fonts, emoji, and missing characters."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from PIL import Image

from imaging.fonts import attached, make_bitmap_font, make_collection, make_font
from imaging.pictures import difference, encoded, opened, photo, pixels
from renditions.errors import Failed, Undecodable
from renditions.imaging import lettering, typeface
from renditions.imaging.font_choice import STAND_IN, Letters, Piece, choose_fonts
from renditions.imaging.lettering import draw_letters
from renditions.imaging.render import render
from renditions.imaging.typeface import choose_face, default_font, find_missing, own_fonts, read_faces
from renditions.model.fields import Attachment
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition, Watermark
from renditions.model.warning import PictureWarning

WIDE = make_font({"日": (900, 800), "A": (800, 700)})
NARROW = make_font({"日": (300, 800), "本": (300, 400)})
RED, BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)
EMOJI = make_font(
    {"📷": (900, 800), "\ufe0f": (0, 0), " ": (0, 0), "2": (900, 800), "©": (900, 100), "·": (300, 300)},
    layers={"📷": [("📷", RED), ("·", BLUE)], "©": [("©", RED)]},
)


def drawn(
    text: str, font: bytes | None, face: int | None = None
) -> tuple[Image.Image, tuple[PictureWarning, ...]]:
    """Return a grey picture with the text over it, and the warnings."""
    declared = attached(font) if font else None
    watermark = Watermark(text=text, font=declared, face=face, size=80.0, opacity=100.0)
    recipe = Rendition(format="png", watermark=watermark)
    source = encoded(Image.new("RGB", (400, 200), "#808080"), "png")
    result = render(source, Accept(), {"it": recipe})
    assert result.errors == {}
    return opened(result.made["it"].content), result.warnings


def looks_like(one: bytes, other: bytes, text: str, face: int | None = None) -> bool:
    return difference(drawn(text, one, face)[0], drawn(text, other)[0]) == 0


def split(text: str, font: bytes | None) -> list[str]:
    """Return the pieces of the text; those of the bundled font are in angle brackets."""
    letters = choose_fonts(text, attached(font) if font else None)
    return [f"<{each.text}>" if each.is_bundled else each.text for each in letters.pieces]


@pytest.mark.parametrize("is_cff", [False, True])
def test_the_face_of_a_collection_that_has_all_characters_is_used(is_cff: bool) -> None:
    wide = make_font({"日": (900, 800), "A": (800, 700)}, is_cff=is_cff)
    narrow = make_font({"日": (300, 800), "本": (300, 400)}, is_cff=is_cff)
    both = make_collection(wide, narrow)
    assert both.startswith(b"ttcf")
    assert looks_like(both, wide, "日")
    assert looks_like(both, narrow, "日本")
    assert not looks_like(both, narrow, "日")


def test_a_declared_face_of_a_collection_is_used() -> None:
    both = make_collection(WIDE, NARROW)
    assert looks_like(both, NARROW, "日", face=1)
    assert looks_like(both, WIDE, "日", face=0)
    watermarks = [Watermark(text="日", font=attached(both), face=face) for face in (None, 0, 1)]
    assert len({Rendition(watermark=watermark).fingerprint() for watermark in watermarks}) == 3


def test_missing_characters_are_found_for_each_face_of_a_collection() -> None:
    faces = read_faces(make_collection(WIDE, NARROW))
    assert [face.find_missing("A日本") for face in faces] == ["本", "A"]
    assert find_missing(make_collection(WIDE, NARROW), "本") == ""


@pytest.mark.parametrize("cut", [11, 14, 30, 200])
def test_a_damaged_collection_of_fonts_is_refused(cut: int) -> None:
    with pytest.raises(Undecodable):
        find_missing(make_collection(WIDE, NARROW)[:cut], "日")


def test_a_face_that_the_collection_lacks_is_refused() -> None:
    with pytest.raises(Undecodable, match="its 2 faces are numbered from 0"):
        choose_face(make_collection(WIDE, NARROW), "日", 2)
    with pytest.raises(Undecodable, match="the collection has no fonts"):
        read_faces(b"ttcf\0\1\0\0\0\0\0\0")


def test_missing_characters_are_found_in_a_font_with_characters_above_u_ffff() -> None:
    """Format 12 of ``cmap`` has groups of characters.

    The search must find the first and the last character of each group.
    """
    font = make_font({chr(code): (500, 500) for code in (*range(0x20000, 0x20010), *range(0x20020, 0x20022))})
    text = "\U0001ffff\U00020000\U0002000f\U00020010\U0002001f\U00020020\U00020021\U00020022"
    assert find_missing(font, text) == "\U0001ffff\U00020010\U0002001f\U00020022"


@pytest.mark.parametrize(
    ("text", "font", "pieces"),
    [
        ("日A", WIDE, ["日A"]),
        ("日本 Zoë", NARROW, ["日本", "< Zoë>"]),
        ("A日e\u0301 日", WIDE, ["A日", "<e\u0301 >", "日"]),
        ("日 A\u3000日", make_font({"日": (900, 800), " ": (0, 0)}), ["日 ", "<A>", "\u3000日"]),
        ("日\U000e0100", WIDE, ["日\U000e0100"]),
        ("© 2 📷 Ann", EMOJI, ["<© 2 >", "📷", "< Ann>"]),
        ("📷\ufe0f©\ufe0f2", EMOJI, ["📷\ufe0f©\ufe0f", "<2>"]),
        ("📷\u200d📷", EMOJI, ["📷\u200d📷"]),
        ("日", None, [f"<{STAND_IN}>"]),
        ("日本", WIDE, ["日", f"<{STAND_IN}>"]),
        ("\u0301日", WIDE, ["<\u0301>", "日"]),
    ],
)
def test_a_text_is_split_into_pieces_by_the_fonts_that_draw_them(
    text: str, font: bytes | None, pieces: list[str]
) -> None:
    assert split(text, font) == pieces


def test_a_syllable_in_parts_is_drawn_by_a_font_that_has_the_syllable() -> None:
    """Texts from macOS can have each Hangul syllable in parts (Unicode's form NFD)."""
    korean = make_font({"한": (900, 800), "글": (700, 800)})
    assert split(unicodedata.normalize("NFD", "한글x"), korean) == [
        unicodedata.normalize("NFD", "한글"), "<x>"
    ]  # fmt: skip


def test_characters_that_no_font_has_are_reported_for_each_picture() -> None:
    for _ in range(2):
        picture, warnings = drawn("A日本", WIDE)
        text = "no font has a glyph for these characters of the watermark: 本"
        assert warnings == (PictureWarning("glyph-missing", text, ("it",)),)
    assert difference(picture, drawn(f"A日{STAND_IN}", WIDE)[0]) == 0
    assert drawn("A日", WIDE)[1] == ()
    assert find_missing(default_font(), STAND_IN) == ""


def test_emoji_keep_their_own_colours_and_letters_get_the_colour_of_the_watermark() -> None:
    made = pixels(drawn("📷 Ann", EMOJI)[0])
    left, right = made[:, :180], made[:, 250:]
    for colour in ((255, 0, 0), (0, 0, 255)):
        assert (np.abs(left - colour).max(axis=2) == 0).sum() > 100
        assert (np.abs(right - colour).max(axis=2) == 0).sum() == 0
    assert (right.min(axis=2) == 255).sum() > 100


def test_emoji_stored_as_pictures_are_scaled_to_the_size_of_the_text() -> None:
    """This font stores its picture in one size only, 100 by 100 pixels."""
    square = encoded(Image.new("RGBA", (100, 100), (0, 200, 0, 255)), "png")
    letters = choose_fonts("A📷A", attached(make_bitmap_font("📷", square, 100)))
    for font_pixels in (50, 100, 400):
        made = draw_letters(letters, "#ff0000", font_pixels)
        bands = np.frombuffer(made.write_to_memory(), np.uint8).reshape(made.height, made.width, 4)
        green = (bands[..., 1] > 150) & (bands[..., 3] > 200)
        assert np.ptp(np.flatnonzero(green.any(0))) + 1 == pytest.approx(font_pixels, abs=3)
        assert np.ptp(np.flatnonzero(green.any(1))) + 1 == pytest.approx(font_pixels, abs=3)


def test_the_opacity_of_a_watermark_applies_to_emoji() -> None:
    source = encoded(Image.new("RGB", (400, 200), "black"), "png")
    watermark = Watermark(text="📷", font=attached(EMOJI), size=40.0, opacity=50.0)
    made = pixels(
        opened(
            render(source, Accept(), {"it": Rendition(format="png", watermark=watermark)}).made["it"].content
        )
    )
    assert made.max(axis=(0, 1)).tolist() == [128, 0, 128]


def test_letters_have_their_english_forms() -> None:
    """Otherwise Pango would take the machine's language.

    In China, it would draw Chinese forms of Japanese letters.
    """
    rule = (
        "languagesystem DFLT dflt; languagesystem DFLT {}; "
        "feature locl {{script DFLT; language {}; sub uni65E5 by other;}} locl;"
    )
    english, chinese = (
        make_font({"日": (900, 800)}, alternates={"other": (300, 800)}, features=rule.format(tag, tag))
        for tag in ("ENG", "ZHS")
    )
    assert looks_like(chinese, WIDE, "日")
    assert looks_like(english, NARROW, "日")


def test_a_truncated_font_fails_its_rendition_with_a_reason() -> None:
    broken = Attachment("x.ttf", default_font()[:300])
    recipe = Rendition(format="png", watermark=Watermark(text="a", font=broken))
    result = render(encoded(photo(), "png"), Accept(), {"it": recipe})
    assert str(result.errors["it"]).startswith("the watermark's font 'x.ttf': the font is damaged (")


@pytest.mark.parametrize("content", [None, b"", b"not a font", default_font()[:5000]])
@pytest.mark.parametrize("kind", ["drawing", "watermark", "drawing in italics"])
def test_a_damaged_bundled_font_is_reported_and_not_blamed_on_the_picture(
    kind: str, content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in own_fonts():
        copyfile(path, tmp_path / path.name)
    is_italic = kind == "drawing in italics"
    damaged = next(path for path in tmp_path.iterdir() if ("Italic" in path.name) == is_italic)
    if content is None:
        damaged.unlink()
        damaged.symlink_to(tmp_path / "missing")
    else:
        damaged.write_bytes(content)
    monkeypatch.setattr(typeface, "_folder", lambda: tmp_path)
    lettering._add_own_fonts.cache_clear()
    choose_fonts.cache_clear()
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><text y="20" font-style="italic">a</text></svg>'
    marked = Rendition(format="png", watermark=Watermark(text="a")), encoded(photo(), "png")
    recipe, picture = marked if kind == "watermark" else (Rendition(format="png"), drawing)
    message = rf"can't use the bundled font {re.escape(str(damaged))}: .* Install it again: pip"
    try:
        with pytest.raises(Failed, match=message):
            render(picture, Accept(formats=("png", "svg")), {"it": recipe})
    finally:
        lettering._add_own_fonts.cache_clear()
        choose_fonts.cache_clear()


def test_the_bundled_font_draws_a_text_without_a_declared_font() -> None:
    assert choose_fonts("a", None) == Letters(None, (Piece("a", is_bundled=True),), "")
