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


@pytest.mark.parametrize("drawn", [WORDS, "/X Do"], ids=["page", "form"])
def test_a_warning_names_the_font_of_text_that_no_font_can_draw(drawn: str) -> None:
    expected = "text is left out, because the PDF doesn't contain its fonts: 'Letters'"
    assert warnings_of(pdf(drawn)) == [("glyph-missing", expected)]
    made = render(pdf(drawn), PDF, {"it": Rendition(format="png")}).made["it"].content
    assert opened(made).convert("L").getextrema() == (255, 255)


@pytest.mark.parametrize(
    ("drawn", "font"),
    [
        ("BT /F 40 Tf 10 20 Td (ABC) Tj ET", ""),
        ("BT /F 40 Tf 10 20 Td (   ) Tj ET", ""),
        (f"3 Tr {WORDS}", CYRILLIC),
        (WORDS.replace("40 Tf", "0 Tf"), CYRILLIC),
    ],
    ids=["Latin letters", "spaces", "the invisible text of a scan", "the size 0"],
)
def test_no_warning_is_given_for_text_that_is_drawn_or_has_nothing_to_draw(drawn: str, font: str) -> None:
    assert warnings_of(pdf(drawn, font)) == []
