"""Contents of drawings: text, CSS sizes, pictures, entities, HTML, references."""

from __future__ import annotations

import base64
import gzip
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo
from imaging.test_drawings import CROSS, PNG, SVG, cross, listener, refusal, shown, svg
from renditions.imaging.render import render
from renditions.imaging.typeface import default_font
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.recipe import Region, Rendition, Watermark

__all__ = ["listener"]

PLACED = "single letters aren't placed: only the first number in x, y, dx, dy or rotate of a text is used"

LABEL = base64.b64encode(encoded(photo(8, 6), "png")).decode()


def warnings_of(content: bytes, recipe: Rendition = PNG) -> list[tuple[str, str]]:
    result = render(content, SVG, {"it": recipe})
    assert set(result.made) == {"it"}
    return [(warning.code, warning.text) for warning in result.warnings]


def ink(content: bytes, recipe: Rendition = PNG) -> tuple[int, int, int, int]:
    """Return the box around the pixels that are more opaque than transparent."""
    return (
        shown(content, recipe).getchannel("A").point(lambda value: 255 * (value > 127)).getbbox() or (0,) * 4
    )


def compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def words(text: str, attributes: str = "") -> bytes:
    return svg(f'<text x="10" y="60" font-size="40" {attributes}>{text}</text>', 'width="400" height="100"')


@pytest.mark.parametrize(
    "family", ["", 'font-family="DejaVu Sans, sans-serif"', 'style="font-family:monospace"']
)
def test_text_is_drawn_in_the_font_of_the_package(family: str) -> None:
    """Pillow draws the same letters, through FreeType.

    The heights agree within a pixel, and the widths nearly so.
    """
    from io import BytesIO  # noqa: PLC0415

    from PIL import ImageFont  # noqa: PLC0415

    left, top, right, bottom = ImageFont.truetype(BytesIO(default_font()), 40).getbbox(
        "Hello SVG text", anchor="ls"
    )
    box = ink(words("Hello SVG text", family))
    assert box[1::2] == pytest.approx((60 + top, 60 + bottom), abs=1)
    assert box[::2] == pytest.approx((10 + left, 10 + right), abs=6)
    assert warnings_of(words("Hello SVG text", family)) == []


def test_bold_italic_greek_and_cyrillic_text_has_its_own_letters() -> None:
    plain, bold, italic = (
        shown(words("Hamburg", how), PNG) for how in ("", 'font-weight="bold"', 'font-style="italic"')
    )
    assert np.asarray(bold)[..., 3].sum() > 1.2 * np.asarray(plain)[..., 3].sum()
    assert difference(plain, italic, "RGBA") > 1
    assert warnings_of(words("Ελλάς Привет e\u0301")) == []


def test_characters_that_the_font_lacks_are_drawn_as_squares_and_reported() -> None:
    assert warnings_of(words("a 山\n田 b")) == [
        ("glyph-missing", "no font has a glyph for these characters of the drawing: 山田")
    ]
    assert difference(shown(words("山"), PNG), shown(words("□"), PNG), "RGBA") == 0
    assert warnings_of(svg(f"<title>山</title><desc>田</desc>{CROSS}")) == []


DRAW = """
import sys
from dataclasses import replace
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
made = render(sys.stdin.buffer.read(), Accept(formats=("svg",)), {"it": Rendition(format="png")})
sys.stdout.buffer.write(made.made["it"].content)
"""


def test_text_looks_the_same_in_another_process_and_after_a_watermark() -> None:
    source = words("Hello 山")
    env = {"PYTHONPATH": ":".join(sys.path), "HOME": ""}
    other = subprocess.run(
        [sys.executable, "-c", DRAW], input=source, capture_output=True, check=True, env=env
    )
    render(encoded(photo(), "png"), SVG, {"it": Rendition(format="png", watermark=Watermark(text="mark"))})
    assert difference(opened(other.stdout), shown(source, PNG), "RGBA") == 0
    assert other.stderr == b""


@pytest.mark.parametrize(
    ("attributes", "natural"),
    [
        ("", (300, 150)),
        ('width="100%" height="100%"', (300, 150)),
        ('width="auto" height="50%"', (300, 150)),
        ('width="200"', (200, 150)),
        ('height="1in"', (300, 96)),
        ('width="10rem" height="50%"', (160, 150)),
        ('style="fill:red;width:100px;height:100%"', (100, 150)),
        ('width="50" style="width:100%"', (50, 150)),
        ('width="40" viewBox="none"', (40, 150)),
        ('width="200" viewBox="0 0 8 6"', (200, 150)),
        ('viewBox="0 0 8 6" style="max-width:5px"', (8, 6)),
    ],
)
def test_a_drawing_without_a_size_of_its_own_is_sized_as_in_css(
    attributes: str, natural: tuple[int, int]
) -> None:
    result = render(svg(CROSS, attributes), SVG, {"it": Rendition(format="png", width=2 * natural[0])})
    assert (result.original.width, result.original.height) == natural
    assert (result.made["it"].width, result.made["it"].height) == (2 * natural[0], 2 * natural[1])


def test_a_drawing_without_a_complete_size_is_scaled_to_the_requested_width() -> None:
    for size in ('width="100%" height="100%"', 'width="8"', 'height="6"', ""):
        source = svg('<rect width="4" height="3" fill="red"/>', size)
        width = render(source, SVG, {"it": PNG}).original.width or 0
        box = ink(source, Rendition(format="png", width=10 * width))
        assert box == pytest.approx((0, 0, 40, 30), abs=1)


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "jpeg"])
def test_embedded_pictures_of_each_kind_are_drawn(kind: str) -> None:
    source = encoded(photo(), kind, **({"lossless": True} if kind == "webp" else {}))
    data = base64.b64encode(source).decode()
    drawing = svg(
        f'<image xlink:href="data:image/{kind};base64,{data}" width="320" height="240"/>',
        'viewBox="0 0 320 240"',
    )
    assert difference(shown(drawing, PNG), opened(source)) < 1


def test_an_embedded_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    data = base64.b64encode(encoded(frames[0], "gif", save_all=True, append_images=frames[1:])).decode()
    made = shown(svg(f'<image href="data:;base64,{data}" width="8" height="6"/>'), PNG)
    assert difference(made, frames[0]) == 0


def test_a_drawing_with_a_damaged_embedded_picture_is_rejected() -> None:
    data = base64.b64encode(encoded(photo(), "gif")[:12]).decode()
    assert "an embedded picture is damaged" in refusal(svg(f'<image href="data:image/gif;base64,{data}"/>'))


@pytest.mark.parametrize("data", ["AAAAA", "AA=A", "iVBORw0KGgo"])
def test_invalid_base64_of_an_embedded_picture_is_reported_as_such(data: str) -> None:
    refused = refusal(svg(f'<image href="data:image/png;base64,{data}"/>'))
    assert "an embedded picture isn't valid Base64" in refused
    assert refused.endswith("Embed the picture again")
    assert "XML" not in refused


DOCTYPE = (
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [{}]>'
)


@pytest.mark.parametrize(
    "content",
    [
        svg(
            "<switch><foreignObject requiredExtensions='&ai;'><i:pgfRef/></foreignObject>"
            f"<g>{CROSS}</g></switch>",
            'width="8" height="6" xmlns:i="&ai;"',
            DOCTYPE.format('<!ENTITY ai "http://ns.adobe.com/AdobeIllustrator/10.0/">'),
        ),
        svg("&all;", before=DOCTYPE.format(f"<!ENTITY all '{CROSS}'>")),
        svg(CROSS, before=DOCTYPE.format('<!ENTITY % unused "x">')),
        svg(CROSS, before=f"<?xml version='1.0'?><!--{'a long licence ' * 900}-->"),
        svg(CROSS, before=f"\n\n<!-- <html> --><!-- {'<p>' * 500} -->"),
        svg(CROSS, before="<?xml version='1.0' encoding='UTF-16'?>").decode().encode("utf-16"),
        svg(CROSS).decode().encode("utf-16-be"),
        b"\xff\xfe" + svg(CROSS).decode().encode("utf-16-le"),
        compressed(svg(CROSS)),
        compressed(b"\xef\xbb\xbf" + svg(CROSS, before=f"<!--{'x' * 5000}-->")),
        f'<s:svg xmlns:s="http://www.w3.org/2000/svg" width="8" height="6">{CROSS}</s:svg>'.replace(
            "<path", "<s:path"
        ).encode(),
    ],
)  # fmt: skip
def test_drawings_of_older_and_unusual_programs_are_drawn(content: bytes) -> None:
    assert difference(shown(content, PNG), cross(8, 6), "RGBA") == 0
    assert warnings_of(content) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (compressed(b"<html/>"), "gzip isn't accepted. Convert the picture to svg"),
        (compressed(svg(CROSS))[:-9], "the compressed drawing ends too early"),
        (compressed(svg("<script/>")), "contains a script"),
        (svg("<script/>").decode().encode("utf-16"), "contains a script"),
        (b"<!DOCTYPE html><html><body><svg/></body></html>", "not a picture in a known format"),
    ],
)
def test_drawings_of_unusual_form_that_break_a_rule_are_rejected(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


def test_a_compressed_drawing_that_becomes_too_large_is_rejected() -> None:
    bomb = compressed(b"<svg>" + b" " * 60_000_000 + b"</svg>")
    assert "the unpacked drawing has more than 50,000,000 bytes" in refusal(bomb)


OUTSIDE = [
    ('<image href="file:///etc/passwd"/>', "file:///etc/passwd"),
    ('<image xlink:href="{url}/a.png" width="8" height="6"/>', "{url}/a.png"),
    ('<use href="other.svg#a"/>', "other.svg#a"),
    ('<filter id="f"><feImage href="//host/a.png"/></filter>', "//host/a.png"),
    ('<defs><g fill="url( {url}/a.svg#g )"/></defs>', "{url}/a.svg#g"),
    ('<g style="mask:url(&quot;other.svg#m&quot;)"/>', "other.svg#m"),
    ("<style>@import url('{url}/a.css?a;b') screen;path{{stroke:none}}</style>", "{url}/a.css?a;b"),
    ('<style>@import "{url}/a.css"</style>', "{url}/a.css"),
    ("<style><![CDATA[@font-face{{font-family:x;src:URL({url}/a)}}]]></style>", "{url}/a"),
    ('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>', "/etc/passwd"),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "target"), OUTSIDE)
def test_references_to_places_outside_a_drawing_are_reported_and_not_fetched(
    inside: str, target: str, listener: tuple[str, list[str]]
) -> None:
    url, asked = listener
    content = svg(CROSS + inside.format(url=url))
    named = target.format(url=url)
    expected = ("reference-dropped", f"{named!r} is outside of the drawing, and is left out")
    assert warnings_of(content) == [expected]
    assert difference(shown(content, PNG), cross(8, 6), "RGBA") == 0
    assert asked == []


def test_external_style_sheets_and_undeclared_entities_are_reported() -> None:
    sheet = svg(CROSS, before='<?xml-stylesheet href="http://host/a.css"?>')
    assert [code for code, _ in warnings_of(sheet)] == ["reference-dropped"]
    undeclared = svg(f"<title>a&nbsp;b</title>{CROSS}", before=DOCTYPE.format(""))
    assert [text for _, text in warnings_of(undeclared)] == [
        "'&nbsp;' is outside of the drawing, and is left out"
    ]


def test_a_shape_whose_paint_is_outside_the_drawing_is_drawn_in_its_fallback_colour() -> None:
    made = shown(svg('<rect width="8" height="6" fill="url(http://host/a#b) red"/>'), PNG)
    assert made.getpixel((4, 3)) == (255, 0, 0, 255)


def test_the_language_of_the_machine_does_not_affect_which_elements_are_drawn() -> None:
    inside = (
        '<switch><rect systemLanguage="de" width="8" height="6"/>'
        '<rect systemLanguage="fr, en-GB" width="8" height="6" fill="lime"/>'
        '<rect width="8" height="6" fill="red"/></switch>'
    )
    for language in ("de_DE.UTF-8", "en_US.UTF-8", ""):
        env = {"PYTHONPATH": ":".join(sys.path), "LANG": language}
        made = subprocess.run(
            [sys.executable, "-c", DRAW], input=svg(inside), capture_output=True, check=True, env=env
        )
        assert opened(made.stdout).convert("RGB").getpixel((4, 3)) == (0, 255, 0)
    assert ink(svg('<rect systemLanguage="de" width="8" height="6"/>')) == (0, 0, 0, 0)


def test_the_language_of_a_drawing_decides_which_forms_letters_have() -> None:
    """In Romanian, the letter has another sign below.

    A drawing without a language is English.
    """
    text = '<text x="10" y="60" font-size="40" {}>ş</text>'
    plain, english, romanian = (
        shown(svg(text.format(attribute), f'width="90" height="90" {root}'), PNG)
        for attribute, root in (("", ""), ('xml:lang="en"', ""), ("", 'xml:lang="ro"'))
    )
    assert difference(plain, english, "RGBA") == 0
    assert difference(plain, romanian, "RGBA") > 0


def test_a_warning_is_given_for_html_in_a_drawing() -> None:
    label = "<div xmlns='http://www.w3.org/1999/xhtml'>Start\n <b>here</b></div>"
    content = svg(f"{CROSS}<foreignObject width='8' height='6'>{label}</foreignObject>")
    expected = [("html-dropped", "HTML within the drawing (foreignObject) is left out: 'Start here'")]
    assert warnings_of(content) == expected
    assert difference(shown(content, PNG), cross(8, 6), "RGBA") == 0


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("", ""),
        ('font-size="1em"', ""),
        ('font-size="160%"', 'font-size="10px"'),
        ("", 'style="font-size:16px"'),
    ],
)
def test_text_has_the_size_that_css_gives_it(text: str, root: str) -> None:
    line = '<text x="5" y="30" {}>Words</text>'
    size = 'width="90" height="40"'
    found = shown(svg(line.format(text), f"{size} {root}"), PNG)
    assert difference(found, shown(svg(line.format('font-size="16px"'), size), PNG), "RGBA") == 0


def test_the_unit_em_of_a_drawing_is_sixteen_pixels() -> None:
    assert shown(svg(CROSS, 'width="4em" height="2em"'), PNG).size == (64, 32)


def test_a_warning_is_given_for_text_along_a_path_in_a_drawing() -> None:
    content = svg(f'{CROSS}<path id="p" d="M0 0h8"/><text><textPath href="#p">x</textPath></text>')
    assert warnings_of(content) == [("not-drawn", "text along a path (textPath) is left out")]


@pytest.mark.parametrize(("name", "encoding"), [("--c", "utf-8"), ("--größe", "utf-8"), ("--c", "utf-16")])
@pytest.mark.parametrize(
    "inside",
    [
        '<g style="--c: red"><rect width="8" height="6" fill="var(--c, lime)"/></g>',
        '<style>:root{--c:red}rect{fill:var(--c)}</style><rect width="8" height="6"/>',
    ],
)
def test_a_warning_is_given_for_a_css_variable_that_a_drawing_declares(
    inside: str, name: str, encoding: str
) -> None:
    expected = [("not-drawn", f"the CSS variable {name} isn't supported, so default values replace it")]
    content = svg(inside.replace("--c", name)).decode().encode(encoding)
    assert warnings_of(content) == expected


@pytest.mark.parametrize(
    "inside",
    [
        '<rect width="8" height="6" fill="lime" style="fill: light-dark(lime, var(--dark, #121212))"/>',
        '<rect width="8" height="6" fill="lime" data-x="my-var(--c)"/>',
        "<style>rect{--c:red;fill:lime}</style><rect width='8' height='6'/>",
        '<rect width="8" height="6" fill="var(--c, lime)"/>',
        '<rect width="8" height="6" style="fill: VAR( --a, var(--b, rgb(0, 255, 0)) )"/>',
        '<rect width="var(--w, 8)" height="6" fill="lime"/>',
        "<style>rect{fill:var(--c,lime)}</style><rect width='8' height='6'/>",
        '<g fill="lime"><rect width="8" height="6" fill="var(--c)"/></g>',
    ],
)
def test_no_warning_is_given_for_a_css_variable_that_changes_nothing_in_the_drawing(inside: str) -> None:
    assert warnings_of(svg(inside)) == []
    assert shown(svg(inside), PNG).convert("RGB").getpixel((4, 3)) == (0, 255, 0)


IGNORED = "so its declaration is ignored"


@pytest.mark.parametrize(
    ("inside", "warning"),
    [
        ('<rect width="calc(1px + 4px)" height="6"/>', f"the CSS function calc() isn't supported, {IGNORED}"),
        ('<rect style="width: MIN(4px, 5px)"/>', f"the CSS function MIN() isn't supported, {IGNORED}"),
        ('<rect fill="oklch(0.7 0.2 140)"/>', f"the CSS function oklch() isn't supported, {IGNORED}"),
        ("<style>rect{fill:color-mix(in lab, red, blue)}</style>",
         f"the CSS function color-mix() isn't supported, {IGNORED}"),
        ('<rect clip-path="circle(2px)"/>', f"the CSS function circle() isn't supported, {IGNORED}"),
        ('<text font-size="1.5rem">a</text>', f"the CSS unit rem isn't supported, {IGNORED}"),
        ('<rect style="fill:red;width:.5vw"/>', f"the CSS unit vw isn't supported, {IGNORED}"),
        ('<g transform-origin="4 3"/>',
         "the CSS property transform-origin isn't supported, so it is ignored"),
        ('<text alignment-baseline="middle">a</text>',
         "the CSS property alignment-baseline isn't supported, so it is ignored"),
        ("<style>g{fill:red;translate: 4px}</style>",
         "the CSS property translate isn't supported, so it is ignored"),
        ("<style>@media (min-width: 1px){rect{fill:red}}</style>",
         "CSS rules with @media aren't supported, so they are ignored"),
        ("<style>g{}@supports (fill:red){rect{fill:red}}</style>",
         "CSS rules with @supports aren't supported, so they are ignored"),
        ("<style>g{fill:red} rect:is(.a, .b){fill:red}</style>",
         "CSS rules with :is aren't supported, so they are ignored"),
    ],
)  # fmt: skip
def test_a_warning_is_given_for_css_that_only_browsers_draw(inside: str, warning: str) -> None:
    assert warnings_of(svg(inside + CROSS)) == [("not-drawn", warning)]


@pytest.mark.parametrize(
    "inside",
    [
        "<style>g{transform-origin:center;animation:a 1s}@keyframes a{to{rotate:1turn}}</style>",
        '<g style="animation: a 1s; transform-box: fill-box; transform-origin: center"/>',
    ],
)
def test_the_origin_of_an_animation_gives_no_warning_of_its_own(inside: str) -> None:
    assert warnings_of(svg(inside + CROSS)) == [("not-drawn", "animations are left out")]


def test_the_origin_of_a_transform_gives_a_warning_beside_that_about_an_animation() -> None:
    inside = '<g style="transform: scale(2); transform-origin: center; animation: a 1s"/>'
    assert [text.split()[0:3] for _, text in warnings_of(svg(inside + CROSS))] == [
        ["the", "CSS", "property"],
        ["animations", "are", "left"],
    ]


def test_no_warning_is_given_for_css_that_changes_nothing() -> None:
    assert warnings_of(svg(f'<text alignment-baseline="baseline">a</text>{CROSS}')) == []


@pytest.mark.parametrize("sides", ["", 'width="160"', 'width="20" height="40"', 'width="5in" height="240"'])
@pytest.mark.parametrize(
    ("transform", "corner"),
    [
        ('transform="rotate(180)"', (1, 1)),
        ('transform="scale(-1 1)" x="7"', (1, 0)),
        ('style="fill:red; transform: scale(1, -1); transform-origin: center"', (0, 1)),
        ('transform="scale(-1 1)" style="transform:none"', (0, 0)),
    ],
)
def test_a_transform_of_the_first_element_applies_around_its_centre(
    sides: str, transform: str, corner: tuple[int, int]
) -> None:
    """Alone, librsvg transforms it around the upper left corner."""
    quarter = svg('<rect width="20" height="10"/>', f'viewBox="0 0 40 20" {sides}')
    turned = quarter.replace(b"<svg ", f"<svg {transform} ".encode())
    for width in (40, 100):
        recipe = replace(PNG, width=width)
        expected = shown(quarter, recipe)
        if corner[0]:
            expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if corner[1]:
            expected = expected.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        assert ink(turned, recipe) == expected.getchannel("A").point(lambda a: 255 * (a > 127)).getbbox()
        assert warnings_of(turned, recipe) == []


def test_a_translation_of_the_first_element_is_in_css_pixels() -> None:
    source = svg('<rect width="20" height="10"/>', 'viewBox="0 0 40 20" width="80" transform="translate(20)"')
    assert ink(source, replace(PNG, width=160)) == (40, 0, 120, 40)


@pytest.mark.parametrize("selector", ["svg", ":root", "*", ".page", "#top", "g, svg"])
@pytest.mark.parametrize("name", ["background", "background-color"])
def test_a_warning_is_given_for_a_background_of_the_drawing_in_a_style_sheet(
    selector: str, name: str
) -> None:
    style = f"<style>g{{fill:red}} {selector} {{ {name}: white }}</style>"
    root = 'width="8" height="6" class="a page" id="top"'
    expected = (
        "a background in a style sheet is ignored. To draw it, declare it in the style attribute of the "
        "first element"
    )
    assert warnings_of(svg(style + CROSS, root)) == [("not-drawn", expected)]


@pytest.mark.parametrize(
    "inside",
    [
        "<style>@media (prefers-color-scheme: dark){svg{background:#000}path{stroke:var(--c)}}</style>",
        "<style>@media print{path{stroke:red}}</style>",
        "<style>/* @media screen{svg{background:red}} calc(1px) */</style>",
        "<style>@keyframes a{from{fill:red}to{fill:blue}}</style>",
        "<style>svg{background:none}.label{background:red}g svg{background:red}</style>",
        '<filter id="f"><feDisplacementMap scale="3"/></filter><g aria-label="calc(1)" id="min(1)"/>',
        '<g transform="rotate(45) scale(2)" fill="hsl(120 50% 50%)" color="rgb(0 0 0 / 50%)"/>',
        '<g style="mask:url(data:image/png;base64,calc(+4vw+))"/>',
    ],
)
def test_no_warning_is_given_for_css_that_changes_nothing_by_default(inside: str) -> None:
    assert warnings_of(svg(inside + CROSS)) == []


def test_what_stands_beside_html_in_a_switch_is_drawn() -> None:
    """Diagram tools put HTML and its replacement into a ``switch``."""
    content = svg(f"<switch><foreignObject><p>words</p></foreignObject><g>{CROSS}</g></switch>")
    assert difference(shown(content, PNG), cross(8, 6), "RGBA") == 0
    assert [code for code, _ in warnings_of(content)] == ["html-dropped"]


@pytest.mark.parametrize(
    ("beside", "codes"),
    [
        ("<text>Load &amp;<tspan>store</tspan></text>", []),
        ("<g><text>Load &amp;</text><text>store</text></g>", []),
        (f'<image width="8" height="6" href="data:image/png;base64,{LABEL}"/>', []),
        ("<text>Load &amp; st...</text>", ["html-dropped"]),
        ("<text>Load</text>", ["html-dropped"]),
        ("", ["html-dropped"]),
    ],
)
def test_html_gives_a_warning_unless_it_is_also_drawn_as_text_or_picture(
    beside: str, codes: list[str]
) -> None:
    html = "<foreignObject><p>Load &amp;</p>\n<p>store</p></foreignObject>"
    content = svg(f"<switch>{html}{beside}</switch><text>Load &amp; store</text>")
    assert [code for code, _ in warnings_of(content)] == codes


@pytest.mark.parametrize(
    "inside",
    [
        '<g only="x" one-way="y" on="z" onset="1" data-onclick="f()"/>',
        '<g i:onload="x" xmlns:i="http://www.inkscape.org/namespaces/inkscape"/>',
        '<i:script xmlns:i="http://example.org/tool">a &lt; b</i:script>',
        '<title>javascript: the good parts</title><g aria-label="javascript: yes"/>',
    ],
)
def test_text_that_only_looks_like_a_script_is_accepted(inside: str) -> None:
    assert difference(shown(svg(CROSS + inside), PNG), cross(8, 6), "RGBA") == 0


@pytest.mark.parametrize(
    "inside",
    [
        "<g onbegin='f()'/>",
        "<g OnClick='f()'/>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml' onpointerdown='f()'/></foreignObject>",
        "<foreignObject><x:SCRIPT xmlns:x='http://www.w3.org/1999/xhtml'/></foreignObject>",
        "<s:script xmlns:s='http://www.w3.org/2000/svg'/>",
        "<a xlink:href=' java&#10;script:f()'/>",
        "<animate attributeName='href' values='#a;javascript:f()'/>",
    ],
)
def test_drawings_with_scripts_in_unusual_forms_are_rejected(inside: str) -> None:
    assert "the drawing contains a script" in refusal(svg(CROSS + inside))


def test_a_drawing_whose_style_also_matches_its_own_clip_path_is_drawn() -> None:
    content = svg(
        f'<style>*{{clip-path:url(#c)}}</style><clipPath id="c"><path d="M0 0h4v6h-4z"/></clipPath>{CROSS}'
    )
    assert set(render(content, SVG, {"it": PNG}).made) == {"it"}


def test_a_very_long_unclosed_style_is_read_within_seconds() -> None:
    import time  # noqa: PLC0415

    begin = time.process_time()
    for text in (
        "url(" * 100_000,
        "@import " * 50_000,
        "/*" * 200_000,
        "url(" + " " * 400_000,
        "a{" * 200_000,
    ):
        warnings_of(svg(f"<style>{text}</style>{CROSS}"))
    assert time.process_time() - begin < 10


def test_a_drawing_with_thousands_of_namespaces_is_read_within_seconds() -> None:
    import time  # noqa: PLC0415

    many = " ".join(f'xmlns:p{number}="u"' for number in range(20_000))
    begin = time.process_time()
    assert warnings_of(svg(CROSS + '<g xmlns:q="v"/>' * 20_000, f'width="8" height="6" {many}')) == []
    assert time.process_time() - begin < 10


def test_drawings_have_the_suffixes_svg_and_svgz() -> None:
    assert SOURCE_FORMATS["svg"].suffixes == ("svg", "svgz")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("background:#0f0", (0, 255, 0, 255)),
        ("max-width:9px; background-color: rgb(0, 255, 0) !important;", (0, 255, 0, 255)),
        ("background: lime; background-color: light-dark(red, var(--dark, blue))", (0, 255, 0, 255)),
        ("background:red;background-color:lime", (0, 255, 0, 255)),
        ("background:lime;background:no-colour", (0, 255, 0, 255)),
        ("background:rgba(0,255,0,.4)", (0, 255, 0, 102)),
        ("background:black", (0, 0, 0, 255)),
        ("background:red;background:transparent", (0, 0, 0, 0)),
        ("background:none", (0, 0, 0, 0)),
        ("background:url(#a)", (0, 0, 0, 0)),
        ("--background:red", (0, 0, 0, 0)),
    ],
)
def test_a_drawing_has_the_background_that_its_root_declares(
    style: str, expected: tuple[int, int, int, int]
) -> None:
    content = svg('<rect width="2" height="2" fill="blue"/>', f'width="8" height="6" style="{style}"')
    for recipe in (
        PNG,
        replace(PNG, crop=Region(left=50, top=0, width=50, height=100)),
        replace(PNG, width=80),
    ):
        made = shown(content, recipe).convert("RGBA")
        assert made.getpixel((made.width - 1, made.height - 1)) == expected
    assert shown(content, PNG).convert("RGBA").getpixel((0, 0)) == (0, 0, 255, 255)


def test_a_drawing_without_a_declared_background_keeps_its_alpha() -> None:
    assert shown(svg(CROSS), PNG).mode == "RGBA"


def test_a_background_colour_that_precedes_many_invalid_ones_in_a_style_is_not_drawn() -> None:
    """Each tried background costs time, so only the last few declared ones are tried."""
    style = "background:lime;" + "".join(f"background:no-{number};" for number in range(1000))
    made = shown(svg("", f'width="8" height="6" style="{style}"'), PNG).convert("RGBA")
    assert np.asarray(made).max() == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<text x="1 3 5" y="5">abc</text>', PLACED),
        ('<text><tspan dx="1,2">ab</tspan></text>', PLACED),
        ('<text textLength="9">ab</text>', "the length of a text (textLength) is ignored"),
    ],
)
def test_a_warning_is_given_for_letters_that_librsvg_places_otherwise(text: str, expected: str) -> None:
    assert warnings_of(svg(text)) == [("not-drawn", expected)]


def test_no_warning_is_given_for_a_text_with_one_place() -> None:
    assert (
        warnings_of(svg('<text x=" 1 " y="5" dx="1"><tspan dy="1em">ab</tspan></text><rect x="1 2"/>')) == []
    )
