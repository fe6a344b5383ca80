"""Small fonts for the tests, made by fonttools. Most glyphs are boxes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.tables.sbixGlyph import Glyph
from fontTools.ttLib.tables.sbixStrike import Strike

from renditions.model.fields import Attachment

Box = tuple[int, int]
"""The width and the height of a glyph, in thousandths of the font size."""


def make_font(
    boxes: Mapping[str, Box],
    *,
    layers: Mapping[str, Sequence[tuple[str, tuple[float, float, float, float]]]] | None = None,
    alternates: Mapping[str, Box] | None = None,
    features: str = "",
    is_cff: bool = False,
) -> bytes:
    """Return a font with these characters.

    Args:
        boxes: The box of each character.
        layers: For characters in colours: the characters whose boxes are drawn, each in its colour.
        alternates: The boxes of glyphs without a character, by their names.
        features: Rules in the language of OpenType feature files. A character's glyph is ``uniXXXX``.
        is_cff: Whether the outlines are in a ``CFF`` table, and not in ``glyf``.

    """
    glyphs: dict[str, Box] = {".notdef": (500, 700), **{_name(each): box for each, box in boxes.items()}}
    glyphs |= alternates or {}
    builder = FontBuilder(1000, isTTF=not is_cff)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(each): _name(each) for each in boxes})
    if is_cff:
        drawn = {
            name: _draw(T2CharStringPen(1000, None), box).getCharString() for name, box in glyphs.items()
        }
        builder.setupCFF("Boxes", {}, drawn, {})
    else:
        builder.setupGlyf({name: _draw(TTGlyphPen(None), box).glyph() for name, box in glyphs.items()})
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    if layers:
        palette = [colour for parts in layers.values() for _, colour in parts]
        numbers = iter(range(len(palette)))
        builder.setupCOLR(
            {
                _name(each): [(_name(part), next(numbers)) for part, _ in parts]
                for each, parts in layers.items()
            },
            version=0,
        )
        builder.setupCPAL([palette])
    if features:
        addOpenTypeFeaturesFromString(builder.font, features)
    return _saved(builder.font)


def make_bitmap_font(character: str, picture: bytes, side: int) -> bytes:
    """Return a font whose only character is a square PNG, ``side`` pixels wide."""
    font = TTFont(io.BytesIO(make_font({character: (1000, 1000)})))
    strike = Strike(ppem=side, resolution=72)
    for name in font.getGlyphOrder():
        is_drawn = name == _name(character)
        strike.glyphs[name] = Glyph(
            glyphName=name,
            graphicType="png " if is_drawn else None,
            imageData=picture if is_drawn else None,
            originOffsetX=0,
            originOffsetY=0,
        )
    table = font["sbix"] = newTable("sbix")
    table.version, table.flags, table.strikes = 1, 1, {side: strike}
    return _saved(font)


def make_collection(*fonts: bytes) -> bytes:
    """Return a collection of these fonts."""
    collection = TTCollection()
    collection.fonts = [TTFont(io.BytesIO(font)) for font in fonts]
    return _saved(collection)


def attached(font: bytes, name: str = "boxes.ttf") -> Attachment:
    return Attachment(name, font)


def _saved(font: Any) -> bytes:
    target = io.BytesIO()
    font.save(target)
    return target.getvalue()


def _name(character: str) -> str:
    return f"uni{ord(character):04X}"


def _draw(pen: Any, box: Box) -> Any:
    width, height = box
    if box != (0, 0):
        pen.moveTo((0, 0))
        for point in ((0, height), (width, height), (width, 0)):
            pen.lineTo(point)
        pen.closePath()
    return pen
