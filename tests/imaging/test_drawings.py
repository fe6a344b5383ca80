"""SVG input, which is drawn in the needed size.

A drawing is rejected if it has forbidden content, is too complex or is damaged.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imaging.pictures import difference, encoded, opened, photo, rendered, rgb_png, why_not
from renditions.imaging.render import render
from renditions.model.formats import DEFAULT_SOURCES
from renditions.model.original import Original
from renditions.model.pipeline import Accept
from renditions.model.recipe import Region, Rendition

SVG = Accept(formats=("svg",))
PNG = Rendition(format="png")
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
CROSS = '<path fill="red" d="M0 0h4v3h-4z"/><path fill="blue" d="M4 3h4v3h-4z"/>'


def svg(inside: str, attributes: str = 'width="8" height="6"', before: str = "") -> bytes:
    return f"{before}<svg {NAMESPACES} {attributes}>{inside}</svg>".encode()


def cross(width: int, height: int) -> Image.Image:
    """Return the drawing ``CROSS`` as drawn by Pillow."""
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), "red")
    draw.rectangle((width // 2, height // 2, width - 1, height - 1), "blue")
    return picture


def shown(content: bytes, recipe: Rendition) -> Image.Image:
    return opened(rendered(content, recipe, SVG).content)


def refusal(content: bytes) -> str:
    result = render(content, SVG, {"it": PNG})
    assert result.made == {}
    return str(result.rejected or "")


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        (Rendition(format="auto"), (8, 6)),
        (Rendition(format="png", width=400), (400, 300)),
        (Rendition(format="png", width=400, height=400), (400, 300)),
        (Rendition(format="png", height=30, pixel_ratio=2.0), (80, 60)),
        (Rendition(format="png", width=200, height=600, fit="fill"), (200, 600)),
        (Rendition(format="webp", lossless=True, width=1000), (1000, 750)),
    ],
)
def test_a_drawing_is_drawn_in_the_needed_size(recipe: Rendition, size: tuple[int, int]) -> None:
    """A drawing that is drawn small and then enlarged would not be sharp."""
    made = shown(svg(CROSS), recipe)
    assert made.size == size
    if recipe.fit != "fill":
        assert difference(made, cross(*size), "RGBA") == 0


def test_renditions_of_a_drawing_in_several_sizes_show_the_same_drawing() -> None:
    widths = {"icon": 16, "small": 200, "near": 300, "large": 400}
    recipes = {name: Rendition(format="png", width=width) for name, width in widths.items()}
    result = render(svg(CROSS), SVG, recipes | {"own": Rendition(format="auto", key="{key}")})
    assert result.original == Original(len(svg(CROSS)), "svg", 8, 6, 1)
    assert result.made["own"].format == "png"
    for name, width in widths.items():
        both = opened(result.made[name].content), cross(width, width * 3 // 4)
        white = Image.new("RGBA", both[0].size, "white")
        one, other = (Image.alpha_composite(white, picture) for picture in both)
        assert difference(one, other) < (6 if name == "icon" else 1)


@pytest.mark.parametrize(
    ("attributes", "natural", "at_a_thousand"),
    [
        ('width="24.5" height="24"', (25, 24), (1000, 980)),
        ('viewBox="0 0 1 1.4"', (1, 1), (1000, 1400)),
        ('width="1in" height="25.4mm"', (96, 96), (1000, 1000)),
        ('width="100%" height="100%" viewBox="0 0 30 20"', (30, 20), (1000, 667)),
        ('viewBox="0 0 40000 20000"', (40_000, 20_000), (1000, 500)),
        ('viewBox="-5 -5 1000000 1000"', (1_000_000, 1_000), (1000, 1)),
    ],
)
def test_a_drawing_keeps_its_own_size_and_proportions(
    attributes: str, natural: tuple[int, int], at_a_thousand: tuple[int, int]
) -> None:
    result = render(svg(CROSS, attributes), SVG, {"it": Rendition(format="png", width=1000)})
    assert result.rejected is None
    assert (result.original.width, result.original.height) == natural
    assert (result.made["it"].width, result.made["it"].height) == at_a_thousand


def test_a_drawing_can_be_rendered_with_a_background_and_a_rotation() -> None:
    made = shown(svg(CROSS), Rendition(format="png", width=60, rotate=90, background="#00ff00"))
    assert difference(made, cross(80, 60).transpose(Image.Transpose.ROTATE_270), "RGBA") == 0
    flat = shown(svg(CROSS), Rendition(width=80, background="#00ff00"))
    assert flat.getpixel((70, 10))[1] > 250  # type: ignore[index]


def test_the_pixel_limit_applies_to_the_drawn_size() -> None:
    accept = Accept(formats=("svg",), max_pixels=120_000)
    assert render(svg(CROSS), accept, {"it": Rendition(width=400)}).rejected is None
    assert why_not(svg(CROSS), Rendition(width=404), accept) == (
        "rendering needs 122,412 pixels (404 by 303), more than the 120,000 that [accept] max_pixels allows. "
        "Declare smaller renditions, or raise the limit"
    )
    huge = svg(CROSS, 'width="60000" height="60000"')
    assert why_not(huge, PNG, SVG) == (
        "rendering needs 3,600,000,000 pixels (60000 by 60000), more than the 100,000,000 that [accept] "
        "max_pixels allows. Declare smaller renditions, or raise the limit"
    )
    assert render(huge, SVG, {"it": Rendition(width=100)}).made


def test_the_pixel_limit_counts_all_drawn_parts_of_a_drawing() -> None:
    halves = {
        name: Rendition(width=200, crop=Region(left=left, width=50, height=100))
        for name, left in (("left", 0), ("right", 50))
    }
    result = render(svg(CROSS), Accept(formats=("svg",), max_pixels=100_000), halves)
    (reason,) = map(str, result.errors.values())
    assert len(result.made) == 1
    assert "rendering needs 120,000 pixels (200 by 300 in 2 parts), more than the 100,000 " in reason


def test_a_picture_that_a_drawing_embeds_is_drawn() -> None:
    data = base64.b64encode(encoded(photo(), "png")).decode()
    source = svg(
        f'<image href="data:image/png;base64,{data}" width="320" height="240"/>', 'viewBox="0 0 320 240"'
    )
    assert difference(shown(source, PNG), photo()) < 1


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
NESTED = "".join(f'<g id="g{n}">{f"""<use href="#g{n - 1}"/>""" * 10}</g>' for n in range(1, 9))
FILTERS = "".join(
    f'<filter id="f{n + 1}">{f"""<feImage href="#i{n}"/>""" * 10}</filter><g id="i{n}" filter="url(#f{n})"/>'
    for n in range(1, 8)
)
MASKED = '<g class="a x"/>' * 300
BOMB = base64.b64encode(rgb_png(20_000, 20_000, bytes(9))).decode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            svg("<text>&a9;</text>", before=f'<!DOCTYPE svg [<!ENTITY a0 "lol">{LAUGHS}]>'),
            "the drawing's entities add more than 1,000,000 characters",
        ),
        (
            svg('<g class="&a9;"/>', before=f'<!DOCTYPE svg [<!ENTITY a0 "lol">{LAUGHS}]>'),
            "the drawing's entities add more than 1,000,000 characters",
        ),
        (
            svg("&x;" * 40_000, before='<!DOCTYPE svg [<!ENTITY x "<g/><g/><g/>">]>'),
            "the drawing has more than 100,000 elements",
        ),
        (
            svg("<text>&x;</text>", before='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
            "the drawing has the external entity 'x'. Remove this entity",
        ),
        (
            svg(CROSS, before='<!DOCTYPE svg [<!ENTITY % x PUBLIC "x" "http://host/a.dtd"> %x;]>'),
            "the drawing has the external entity 'x'. Remove this entity",
        ),
        (svg("<script>alert(1)</script>"), "the drawing contains a script"),
        (svg("", 'width="8" height="6" onload="alert(1)"'), "contains a script in onload"),
        (svg('<a href="JavaScript:alert(1)"/>'), "contains a script in href"),
        (svg('<filter><feImage href="data:image/svg+xml,%3Csvg/%3E"/></filter>'), "is in svg. Embed it"),
        (svg('<image href="data:image/png;base64,AAAA"/>'), "an embedded picture is in an unknown format"),
        (svg(f'<image href="data:,{BOMB}"/>'), "is in an unknown format"),
        (svg(f'<image href="data:;base64,{BOMB}"/>'), "embedded pictures have 400,000,000 pixels"),
        (svg("<g>" * 300 + "</g>" * 300), "elements are nested more than 200 deep"),
        (svg("<g/>" * 100_001), "the drawing has more than 100,000 elements"),
        (svg(f'<g id="g0"/>{NESTED}<use href="#g8"/>'), "draws 222,221 elements (each reference "),
        (svg('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'), "references form a circle at "),
        (
            svg("".join(f'<g id="g{n}"><use href="#g{n + 1}"/></g>' for n in range(500))),
            "references are nested more than 200 deep",
        ),
        (
            svg("".join(f'<g id="g{n}"><use href="#g{n + 1}"/></g>' for n in range(210))),
            "references are nested more than 200 deep",
        ),
        (svg(f'<g id="g0"/>{FILTERS}<g filter="url(#f8)"/>'), "more than the 100,000 that are allowed"),
        (
            svg(f"<style>.x{{fill:red;mask:url(#m)}}</style><mask id='m'>{'<g/>' * 400}</mask>{MASKED}"),
            "draws 121,003 elements (each reference counts as what it draws), more than the 100,000 ",
        ),
        (svg("", 'width="1e9" height="1e9"'), "width attribute has the number 1e9, but"),
        (svg("", 'viewBox="0 0 5 9999999"'), "viewBox attribute has the number 9999999, but"),
        (svg("", 'width="0" height="0"'), "the drawing has no valid size"),
        (svg(CROSS).replace(b"2000/svg", b"1999/xhtml", 1), "it isn't in SVG's namespace"),
        (svg(CROSS, 'systemLanguage="fr"'), "or is for another language. Declare xmlns"),
        (svg(CROSS)[:-1], "the XML isn't well-formed"),
        (svg(CROSS)[:150], "the XML isn't well-formed"),
        (svg("<g></h>"), "the XML isn't well-formed"),
        (svg('<use b:href="#a"/>'),
         "the XML isn't well-formed (the prefix of 'b:href' isn't declared). Declare it with xmlns:b in the"),
        (svg(CROSS) + b"<g/>", "the XML isn't well-formed"),
        (svg(CROSS, before="<?xml version='1.0' encoding='no-such'?>"),
         "the encoding of the XML isn't supported (unknown encoding: no-such). Save the drawing in UTF-8"),
        (b"<?xml version='1.0'?><html><svg/></html>", "not a picture in a known format"),
    ],
)  # fmt: skip
def test_forbidden_too_complex_and_damaged_drawings_are_rejected(content: bytes, reason: str) -> None:
    found = refusal(content)
    assert reason in found
    assert re.search(r"\. (Simplify|Remove|Embed|Export|Declare|Correct|Save|Upload) ", found), "what to do"


@pytest.mark.parametrize(
    "content",
    [
        svg(CROSS, before='<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd">'),
        svg(f'<a href="https://example.org/">{CROSS}</a>'),
        svg(f"<metadata><a xmlns='http://x/' about='http://y/'/></metadata>{CROSS}"),
        svg(f'<defs><g id="g">{CROSS}</g></defs><use xlink:href="#g"/>'),
        svg(f"<style>@font-face{{src:url(data:font/woff2;base64,AAAA)}}</style>{CROSS}"),
        svg(CROSS, before="<?xml version='1.0' encoding='ISO-8859-1'?><!-- caf\u00e9 -->")
        .decode()
        .encode("latin-1"),
        svg(CROSS, before="<?xml version='1.0'?>\n"),
        svg(f"<g>{CROSS}</g><g/>"),
        b"\xef\xbb\xbf" + svg(CROSS),
    ],
)
def test_drawings_with_harmless_references_or_another_encoding_are_drawn(content: bytes) -> None:
    assert difference(shown(content, PNG), cross(8, 6), "RGBA") == 0


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """Yield a server's URL, and the requests that it got."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_librsvg_itself_loads_no_external_reference(listener: tuple[str, list[str]], tmp_path: Path) -> None:
    """The check of Renditions might miss references.

    librsvg loads none, because it gets bytes without a base URL.
    """
    from renditions.imaging.vips import load  # noqa: PLC0415

    url, asked = listener
    red = tmp_path / "red.png"
    Image.new("RGB", (8, 6), "red").save(red)
    for place in (f"{url}/a.png", red.as_uri(), str(red), "red.png"):
        drawn = load("svg", svg(f'<image href="{place}" width="8" height="6"/>'))
        assert drawn.max() == 0
    time.sleep(0.05)
    assert asked == []


def test_a_drawing_is_accepted_only_if_svg_is_declared() -> None:
    result = render(svg(CROSS), Accept(), {"it": PNG})
    assert str(result.rejected) == (
        f'svg isn\'t accepted. Convert the picture to {", ".join(DEFAULT_SOURCES)}, or add "svg" to '
        "[accept] formats"
    )


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_rendering_a_damaged_drawing_raises_no_error(data: st.DataObject) -> None:
    content = bytearray(
        svg(f'<defs><g id="g">{CROSS}</g></defs><use href="#g"/><style>g{{fill:red}}</style>')
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(1, len(content) - 1))] = data.draw(st.integers(0, 255))
    result = render(bytes(content), SVG, {"it": Rendition(format="png", width=20)})
    assert result.rejected or set(result.made) | set(result.errors) == {"it"}
