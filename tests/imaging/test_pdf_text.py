"""Text of a PDF that no font can draw, and the warnings about it."""

from __future__ import annotations

import pytest

from imaging.pictures import opened
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PDF = Accept(formats=("pdf",))
CYRILLIC = "/Encoding<</Type/Encoding/Differences[192/afii10017/afii10018/afii10019]>>"
WORDS = "BT /F 40 Tf 10 20 Td (\\300\\301\\302) Tj ET"
UPWARD = WORDS.replace("10 20 Td", "0 1 -1 0 60 5 Tm")
DOWNWARD = "/Subtype/Type0/Encoding/UniJIS-UTF16-V/DescendantFonts[<</Type/Font/Subtype/CIDFontType0"
DOWNWARD += "/BaseFont/Letters/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>"
DOWNWARD += "/FontDescriptor<</Type/FontDescriptor/FontName/Letters/Flags 4/FontBBox[0 -200 1000 900]>>>>]"
"""A font for writing from top to bottom."""


def pdf(drawn: str, font: str = CYRILLIC) -> bytes:
    """Return a PDF whose page draws with a font that the file doesn't contain."""
    resources = "/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>"
    letters = "/BaseFont/Letters/FirstChar 192/LastChar 194/Widths[600 600 600]"
    form = f"<</Type/XObject/Subtype/Form/BBox[0 0 200 80]{resources}/Length {len(WORDS)}>>"
    objects = (
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[4 0 R]/Count 1>>",
        f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 80]/Contents 3 0 R{resources}>>",
        f"<</Type/Font/Subtype/TrueType{letters}{font}>>",
        f"{form}stream\n{WORDS}\nendstream",
    )
    numbered = "".join(f"{number} 0 obj{each} endobj\n" for number, each in enumerate(objects, 1))
    return f"%PDF-1.4\n{numbered}trailer<</Root 1 0 R/Size 7>>\n%%EOF\n".encode()


def warnings_of(content: bytes) -> list[tuple[str, str]]:
    result = render(content, PDF, {"it": Rendition(format="png"), "small": Rendition(format="png", width=20)})
    assert set(result.made) == {"it", "small"}
    return [(warning.code, warning.text) for warning in result.warnings]


@pytest.mark.parametrize(
    ("drawn", "font"),
    [
        (WORDS, CYRILLIC),
        ("/X Do", CYRILLIC),
        ("q 0 1 -1 0 100 0 cm /X Do Q", CYRILLIC),
        (UPWARD, CYRILLIC),
        (WORDS.replace("10 20 Td", ".7 .7 -.7 .7 50 20 Tm"), CYRILLIC),
        (WORDS.replace("10 20 Td", ".98 .17 -.17 .98 50 20 Tm"), CYRILLIC),
        ("BT /F 20 Tf 100 70 Td <65E5672C8A9E> Tj ET", DOWNWARD),
    ],
    ids=["page", "form", "upward form", "upward", "diagonal", "aslant", "from top to bottom"],
)
def test_a_warning_names_the_font_of_text_that_no_font_can_draw(drawn: str, font: str) -> None:
    expected = "text is left out, because the PDF doesn't contain its fonts: 'Letters'"
    assert warnings_of(pdf(drawn, font)) == [("glyph-missing", expected)]
    made = render(pdf(drawn, font), PDF, {"it": Rendition(format="png")}).made["it"].content
    assert opened(made).convert("L").getextrema() == (255, 255)


def test_a_warning_says_that_more_fonts_than_the_named_ones_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("renditions.imaging.formats.pdf.find_missing_fonts", lambda *_: ["A", "B", "C", "D"])
    expected = "text is left out, because the PDF doesn't contain its fonts: 'A', 'B', 'C' and others"
    assert warnings_of(pdf(WORDS)) == [("glyph-missing", expected)]


@pytest.mark.parametrize(
    ("drawn", "font"),
    [
        ("BT /F 40 Tf 10 20 Td (ABC) Tj ET", ""),
        ("BT /F 40 Tf 10 20 Td (   ) Tj ET", ""),
        (f"3 Tr {WORDS}", CYRILLIC),
        (WORDS.replace("40 Tf", "0 Tf"), CYRILLIC),
        ("BT /F 40 Tf 0 1 -1 0 60 5 Tm (ABC) Tj ET", ""),
        ("BT /F 20 Tf 100 70 Td <002000203000> Tj ET", DOWNWARD),
        ("BT /F 20 Tf 100 70 Td <004100420043> Tj ET", DOWNWARD),
    ],
    ids=[
        "Latin letters",
        "spaces",
        "the invisible text of a scan",
        "the size 0",
        "upward Latin letters",
        "spaces from top to bottom",
        "Latin letters from top to bottom",
    ],
)
def test_no_warning_is_given_for_text_that_is_drawn_or_has_nothing_to_draw(drawn: str, font: str) -> None:
    assert warnings_of(pdf(drawn, font)) == []
