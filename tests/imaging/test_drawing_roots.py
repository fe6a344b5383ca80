"""The size and the transform of a drawing, and drawings in drawings.

The expected pictures are what Chromium 156 draws.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from urllib.parse import quote

import pytest
from PIL import Image

from imaging.pictures import difference, encoded, photo
from imaging.test_drawing_contents import warnings_of
from imaging.test_drawings import CROSS, PNG, cross, refusal, shown, svg
from renditions.imaging.formats.svg_style import with_values
from renditions.model.recipe import Region

STYLED = "width:8px;height:6px"
BOX = 'viewBox="0 0 8 6" width="8" height="6"'
SHEET = "<style>{}</style>" + CROSS
IGNORED = "so its declaration is ignored"


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        (CROSS, f'style="{STYLED}"'),
        (CROSS, 'style="width:8px !important;height:6PX! important"'),
        (CROSS, 'style="/* a; b */width:8px/* c */;HEIGHT : 6px"'),
        (CROSS, 'style="width:var(--w, 8px);--h:6px;height:var(--h)"'),
        (CROSS, 'style="width:0.5rem;height:6px"'),
        (CROSS, 'width="8" height="6" style="width:100%;height:auto"'),
        (CROSS, 'width="8" height="6" style="width:none"'),
        (SHEET.format(f"svg{{{STYLED}}}"), ""),
        (SHEET.format(f":root{{{STYLED}}}"), 'width="100" height="50"'),
        (SHEET.format(f"g, svg.a#b{{{STYLED}}} svg{{width:1px}}"), 'class="c a" id="b"'),
        (SHEET.format(f"svg{{{STYLED}}} .b{{width:1px}} svg:hover{{width:2px}}"), 'class="a"'),
        (SHEET.format("svg{width:99px!important;height:1px}"), 'style="width:8px!important;height:6px"'),
        (SHEET.format("svg{width:9px;height:1px}"), f'style="{STYLED}"'),
        (SHEET.format("svg{--w:8px;height:.375rem}"), 'style="width:var(--w)"'),
        (SHEET.format(f"@media print{{svg{{width:1px}}}}svg{{{STYLED}}}"), ""),
    ],
)
@pytest.mark.parametrize("width", [8, 80])
def test_a_drawing_has_the_size_that_its_css_declares(inside: str, attributes: str, width: int) -> None:
    """Without a view box, the size also decides which part of the drawing is visible."""
    made = shown(svg(inside, attributes), replace(PNG, width=width))
    assert made.size == (width, width * 6 // 8)
    assert difference(made, cross(*made.size), "RGBA") == 0


def test_a_part_of_a_drawing_with_a_size_in_a_style_sheet_is_drawn() -> None:
    source = svg(SHEET.format(f"svg{{{STYLED}}}"))
    part = replace(PNG, width=40, height=40, fit="cover", crop=Region(width=50, height=100))
    assert difference(shown(source, part), shown(svg(CROSS), part), "RGBA") == 0


def test_a_size_that_needs_the_window_is_ignored_with_a_warning() -> None:
    source = svg(CROSS, 'width="8" height="6" style="width:50vw;height:calc(1px + 5px)"')
    assert shown(source, PNG).size == (8, 6)
    assert warnings_of(source) == [
        ("not-drawn", f"the CSS unit vw isn't supported, {IGNORED}"),
        ("not-drawn", f"the CSS function calc() isn't supported, {IGNORED}"),
    ]


@pytest.mark.parametrize(
    ("inside", "attributes"),
    [
        (SHEET.format("svg{transform:scaleX(-1)}"), BOX),
        (SHEET.format(":root{transform:scaleX(-1)}"), f'{BOX} transform="scale(1 -1)"'),
        (SHEET.format("svg{transform:scaleX(-1)!important}"), f'{BOX} style="transform:none"'),
        (SHEET.format("svg{transform:scaleY(-1)}"), f'{BOX} style="transform:scaleX(-1)"'),
        (SHEET.format(f"svg{{{STYLED};transform:scaleX(-1)}}"), ""),
        (CROSS, f'{BOX} style="transform:scaleX(var(--s, -1))"'),
        (CROSS, f'{BOX} style="--s:-1;transform:scaleX(var(--s))"'),
        (SHEET.format("g{--s:1}svg{--s:-1}"), f'{BOX} style="transform:scaleX(var(--s))"'),
        (CROSS, f'{BOX} style="transform:scaleX(-1) translate(-8px);transform-origin:0 0"'),
        (CROSS, f'{BOX} transform="scale(-1 1) translate(8)" transform-origin="right top"'),
        (CROSS, f'{BOX} style="transform:rotate(180deg) scaleY(-1);transform-origin:4px 50%"'),
        (CROSS, f'{BOX} style="transform:scaleX(-1);transform-origin:top"'),
    ],
)
@pytest.mark.parametrize("width", [8, 80])
def test_the_first_element_is_transformed_as_in_browsers(inside: str, attributes: str, width: int) -> None:
    made = shown(svg(inside, attributes), replace(PNG, width=width))
    expected = cross(width, width * 6 // 8).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert difference(made, expected, "RGBA") == 0


@pytest.mark.parametrize(
    ("css", "warning"),
    [
        (
            "transform:translate(10%, 0)",
            f"percentages in the CSS function translate() aren't supported, {IGNORED}",
        ),
        ("transform:rotateY(40deg)", f"the CSS function rotateY() isn't supported, {IGNORED}"),
        ("transform:translate3d(1px,0,0)", f"the CSS function translate3d() isn't supported, {IGNORED}"),
        ("animation:spin 2s linear infinite", "animations are left out"),
    ],
)
def test_css_that_librsvg_ignores_gives_a_warning_everywhere(css: str, warning: str) -> None:
    in_sheets = (SHEET.format(f"{each}{{{css}}}") for each in ("g", "svg"))
    for content in (
        svg(CROSS, f'{BOX} style="{css}"'),
        svg(f'<g style="{css}"/>{CROSS}'),
        *map(svg, in_sheets),
    ):
        assert warnings_of(content) == [("not-drawn", warning)]


@pytest.mark.parametrize(
    "inside",
    [
        '<rect width="8" height="6"><animate attributeName="x" from="0" to="4" dur="2s"/></rect>',
        '<rect width="8" height="6"><set attributeName="fill" to="red" begin="a.end; 2s"/></rect>',
        '<g><animateTransform attributeName="transform" type="rotate" to="90" dur="1s"/></g>',
        "<style>rect{animation-name:a}@keyframes a{to{fill:red}}</style><rect/>",
    ],
)
def test_a_warning_is_given_for_an_animation(inside: str) -> None:
    assert warnings_of(svg(inside + CROSS)) == [("not-drawn", "animations are left out")]


@pytest.mark.parametrize(
    "inside",
    [
        '<rect width="8" height="6"><set attributeName="fill" to="red" begin="click"/></rect>',
        '<rect id="r"><animate attributeName="x" to="4" dur="2s" begin="r.mouseover+1s; indefinite"/></rect>',
        "<style>rect:hover{animation:a 1s;fill:oklch(1 0 0)}rect{animation:none}</style><rect/>",
        "<style>@media (prefers-reduced-motion:reduce){rect{animation:a 1s}}</style><rect/>",
        '<g style="transform:translateZ(0) translate3d(0, 0px, 0)"/>',
    ],
)
def test_no_warning_is_given_for_what_only_a_person_starts_or_what_changes_nothing(inside: str) -> None:
    assert warnings_of(svg(inside + CROSS)) == []


INNER = svg(CROSS)
URLS = {
    "base64": f"data:image/svg+xml;base64,{base64.b64encode(INNER).decode()}",
    "percent": f"data:image/svg+xml,{quote(INNER)}",
    "named encoding": f"data:image/svg+xml;charset=utf-8,{quote(INNER)}",
    "part": f"data:image/svg+xml,{quote(INNER)}#part",
    "base64 part": f"data:image/svg+xml;base64,{base64.b64encode(INNER).decode()}#part",
}


def embedded(content: bytes, attributes: str = 'width="8" height="6"') -> bytes:
    url = f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"
    return svg(f'<image {attributes} href="{url}"/>')


@pytest.mark.parametrize("url", URLS)
def test_a_drawing_in_a_drawing_is_drawn_in_the_needed_size(url: str) -> None:
    made = shown(svg(f'<image width="8" height="6" href="{URLS[url]}"/>'), replace(PNG, width=400))
    assert difference(made, cross(400, 300), "RGBA") == 0


def test_a_drawing_in_a_drawing_is_checked_and_read_like_any_other() -> None:
    red = '<rect width="{}" height="6" fill="red"/>'
    turned = svg(CROSS, f'{BOX} style="transform:rotate(180deg)"')
    assert shown(embedded(turned), PNG) == shown(turned, PNG)
    assert shown(embedded(embedded(INNER)), PNG) == shown(INNER, PNG)
    assert shown(embedded(svg("<text y='5'>a</text>")), PNG) == shown(svg("<text y='5'>a</text>"), PNG)
    outside = embedded(svg(f'{red.format(8)}<image width="8" height="6" href="http://host/a.png"/>'))
    assert warnings_of(outside) == [
        ("reference-dropped", "'http://host/a.png' is outside of the drawing, and is left out")
    ]
    assert warnings_of(embedded(svg(CROSS, 'width="8" height="6" style="background:red"'))) == [
        ("not-drawn", "the background of an embedded drawing is left out")
    ]


def test_a_part_of_an_embedded_drawing_with_a_filter_is_drawn_like_the_whole() -> None:
    blurred = svg(
        '<filter id="f"><feGaussianBlur stdDeviation="1"/></filter>'
        '<rect x="2" y="2" width="4" height="2" filter="url(#f)"/>'
    )
    part = replace(PNG, width=40, crop=Region(width=50, height=100))
    assert difference(shown(embedded(blurred), part), shown(blurred, part), "RGBA") < 1


def deep(levels: int) -> bytes:
    content = INNER
    for _ in range(levels):
        content = embedded(content)
    return content


ENTITY = '<!DOCTYPE svg [<!ENTITY x "{}">]>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (embedded(svg("<script>1</script>")), "the drawing contains a script. Remove the <script> element"),
        (embedded(INNER[:-1]), "the XML isn't well-formed (unclosed token: line 1, column 175). Correct it"),
        (deep(6), "drawings are embedded more than 5 deep. Simplify the drawing"),
        (embedded(embedded(svg("<g></h>"))), "the XML isn't well-formed (mismatched tag"),
        (embedded(svg("<g/>" * 99_999)), "the drawing has more than 100,000 elements. Simplify"),
        (embedded(svg("&x;" * 3, before=ENTITY.format(" " * 600_000))), "add more than 1,000,000"),
        (
            svg(f'<defs><image id="i" width="8" height="6" href="{URLS["base64"]}"/></defs>'
                + '<use href="#i"/>' * 30_000),
            "draws 150,006 elements",
        ),
    ],
    ids=["script", "cut off", "deep", "twice", "elements", "entities", "copies"],
)  # fmt: skip
def test_a_drawing_in_a_drawing_that_is_refused_gives_the_reason(content: bytes, reason: str) -> None:
    found = refusal(content)
    assert reason in found
    assert found.count("an embedded drawing can't be drawn") <= 1


@pytest.mark.parametrize("attributes", ['width="4"', 'height="3"', 'x="0" width="4px"'])
def test_an_embedded_picture_with_one_side_keeps_its_proportions(attributes: str) -> None:
    png = f"data:image/png;base64,{base64.b64encode(encoded(photo(80, 60), 'png')).decode()}"
    for url in (png, URLS["base64"]):
        both = shown(svg(f'<image width="4" height="3" href="{url}"/>'), replace(PNG, width=80))
        made = shown(svg(f'<image {attributes} href="{url}"/>'), replace(PNG, width=80))
        assert difference(made, both, "RGBA") == 0


def test_a_root_with_a_very_long_size_is_read_within_seconds() -> None:
    long = 100_000
    for style in (f"width:{' ' * long}x", f"width:{'0' * long}%", f"--a:{'var(--a)' * long};width:var(--a)"):
        assert shown(svg(CROSS, f'width="8" height="6" style="{style}"'), PNG).size == (8, 6)


def test_values_of_variables_that_refer_to_each_other_are_bounded() -> None:
    values = {f"--v{n}": f"var(--v{n + 1}) var(--v{n + 1}) " * 20 for n in range(9)}
    assert with_values("var(--v0)", values) == ""
    assert with_values("var(--a, var(--b, 3px))", {"--b": "2px"}) == "2px"
    assert with_values("var(--a)", {"--a": "var(--a)"}) != "2px"
