"""SVG input, drawn by librsvg at the needed size after a safety check.

The check reads the document (XML 1.0; SVG 2, chapters 5, 13 and 15). It rejects a document that isn't
well-formed, that has entities, scripts or external references, or that has too much to draw. An element
counts as often as the document refers to it, and an embedded picture counts by its pixels.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.parsers import expat

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header, sniff
from renditions.imaging.vips import load, translated

MAX_ELEMENTS = 100_000
"""How many elements may be drawn. librsvg needs about ten seconds for this many."""
MAX_DEPTH = 200
"""How deep elements and references may be nested. librsvg's parser allows more."""
MAX_EMBEDDED_PIXELS = 50_000_000
_MAX_LENGTH = 1_000_000
"""The longest side that the root may declare, in its own units. Numbers far above it overflow in librsvg."""
_PIXELS_PER_INCH = 96
"""The resolution of CSS pixels, so that a drawing is as large as in a browser."""
_POINTS_PER_INCH = 72
_FINE_SIDE = 10_000
"""The longer side, in pixels, at which a drawing's proportions are measured."""
_MIN_SCALE = 0.001
"""The smallest scale that libvips allows."""
_EMBEDDED = ("png", "jpeg", "gif", "webp")
_URL = re.compile(r"url\(\s*[\"']?\s*([^\"')\s]*)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def read_header(content: bytes, _: int) -> Header:
    """Check the drawing, and return a header with its own size in CSS pixels.

    Raises:
        NotAccepted: The drawing has forbidden or too many elements.
        Undecodable: The drawing is damaged.

    """
    _Scanner().scan(content)
    with translated(Undecodable, "the drawing has no valid size"):
        image = _load(content, 1)
        stored = Size(image.width, image.height)
        fine = _load(content, _fine_scale(stored))
        return Header("svg", stored, orientation=1, frames=1, drawing=Size(fine.width, fine.height))


def draw(content: bytes, header: Header, size: Size) -> Any:
    """Return the drawing in sRGB with alpha, within a pixel of this size, as a lazy libvips image."""
    fine = header.drawing or header.stored
    times = max(size.width / fine.width, size.height / fine.height)
    return _load(content, _fine_scale(header.stored) * times)


def _load(content: bytes, scale: float) -> Any:
    """Return the drawing at its size in CSS pixels times ``scale``.

    libvips also multiplies the size by ``dpi`` / 72, so the scale given to it is divided by that.
    """
    scale = max(_MIN_SCALE, scale * _POINTS_PER_INCH / _PIXELS_PER_INCH)
    return load("svg", content, dpi=_PIXELS_PER_INCH, scale=scale)


def _fine_scale(stored: Size) -> float:
    return _FINE_SIDE / max(stored.width, stored.height)


@dataclass(slots=True)
class _Part:
    """An element with all its children."""

    name: str
    id: str | None = None
    elements: int = 1
    references: Counter[str] = field(default_factory=Counter)
    """How often the element refers to each id."""


class _Scanner:
    """Reads a drawing and rejects forbidden content."""

    def __init__(self) -> None:
        self._elements = 0
        self._embedded_pixels = 0
        self._open: list[_Part] = []
        self._parts: dict[str, _Part] = {}
        """The elements that have an id."""
        self._totals: dict[str, int] = {}
        self._style = ""

    def scan(self, content: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.EntityDeclHandler = self._refuse_entity
        parser.ProcessingInstructionHandler = self._read_instruction
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._read_text
        root = _Part("")
        self._open.append(root)
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise Undecodable(f"the XML isn't well-formed: {error}") from error
        self._count(root, ())

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise NotAccepted(f"expected a drawing without entities, found {name[:100]!r}")

    def _read_instruction(self, target: str, _: str) -> None:
        if target == "xml-stylesheet":
            raise NotAccepted("expected a drawing without external references, found an xml-stylesheet")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._elements += 1
        if len(self._open) == 1:
            _check_root(local, attributes)
        if len(self._open) > MAX_DEPTH:
            raise NotAccepted(f"expected elements at most {MAX_DEPTH} deep, found more")
        if self._elements > MAX_ELEMENTS:
            raise NotAccepted(f"expected at most {MAX_ELEMENTS:,} elements, found more")
        if local == "script":
            raise NotAccepted("expected a drawing without scripts, found one")
        if local == "include" and name != local:
            raise NotAccepted(f"expected a drawing without external references, found an {name[:100]}")
        part = _Part(local, attributes.get("id"))
        for attribute, value in attributes.items():
            self._read_attribute(part, attribute.rpartition(":")[2], value)
        self._open.append(part)

    def _end(self, _: str) -> None:
        part = self._open.pop()
        if part.name == "style":
            _check_style(self._style)
            self._style = ""
        outer = self._open[-1]
        outer.elements += part.elements
        outer.references.update(part.references)
        if part.id:
            self._parts.setdefault(part.id, part)

    def _read_text(self, text: str) -> None:
        if self._open[-1].name == "style":
            self._style += text

    def _read_attribute(self, part: _Part, name: str, value: str) -> None:
        if name.startswith("on") or value.strip().lower().startswith("javascript:"):
            raise NotAccepted(f"expected a drawing without scripts, found one in {name}")
        if name in ("href", "src") and part.name != "a":
            self._follow(part, value.strip())
        if "(" in value:
            _check_style(value)
            part.references.update(target[1:] for target in _URL.findall(value) if target.startswith("#"))

    def _follow(self, part: _Part, target: str) -> None:
        if target.startswith("#") or not target:
            if part.name == "use":
                part.references[target[1:]] += 1
        elif target[:5].lower() == "data:":
            self._measure_embedded(target[5:])
        else:
            raise NotAccepted(f"expected a drawing without external references, found {target[:100]!r}")

    def _measure_embedded(self, rest: str) -> None:
        """Reject an embedded picture if its format is unknown, or if all together have too many pixels."""
        kind, _, text = rest.partition(",")
        data = unquote_to_bytes(text)
        if kind.lower().endswith(";base64"):
            with translated(Undecodable, "an embedded picture isn't valid Base64"):
                data = base64.b64decode(data)
        source_format = sniff(data)
        if source_format not in _EMBEDDED:
            raise NotAccepted(
                f"expected embedded {', '.join(_EMBEDDED)}, found {source_format or 'an unknown format'}"
            )
        with translated(Undecodable, "an embedded picture is damaged"):
            image = load(source_format, data)
        self._embedded_pixels += image.width * image.height
        if self._embedded_pixels > MAX_EMBEDDED_PIXELS:
            found = f"{self._embedded_pixels:,}"
            raise NotAccepted(f"expected at most {MAX_EMBEDDED_PIXELS:,} embedded pixels, found {found}")

    def _count(self, part: _Part, within: tuple[str, ...]) -> int:
        """Return how many elements are drawn for this part, including those that it refers to."""
        if len(within) > MAX_DEPTH:
            raise NotAccepted(f"expected references at most {MAX_DEPTH} deep, found more")
        total = part.elements
        for target, times in part.references.items():
            if target in within:
                raise NotAccepted(f"expected references without a circle, found one at {target[:100]!r}")
            if target not in self._totals and target in self._parts:
                self._totals[target] = self._count(self._parts[target], (*within, target))
            total += times * self._totals.get(target, 0)
        if total > MAX_ELEMENTS:
            raise NotAccepted(f"expected at most {MAX_ELEMENTS:,} elements with references, found {total:,}")
        return total


def _check_root(name: str, attributes: dict[str, str]) -> None:
    if name != "svg":
        raise Undecodable(f"expected an svg element, found {name[:100]!r}")
    for attribute in ("width", "height", "viewBox"):
        for number in _NUMBER.findall(attributes.get(attribute, "")):
            if abs(float(number)) > _MAX_LENGTH:
                raise NotAccepted(f"expected a {attribute} of at most {_MAX_LENGTH:,}, found {number[:30]}")


def _check_style(text: str) -> None:
    """Reject CSS with external references."""
    if "@import" in text.lower():
        raise NotAccepted("expected a drawing without external references, found @import")
    for target in _URL.findall(text):
        if not target.startswith("#") and not target.lower().startswith("data:"):
            raise NotAccepted(f"expected a drawing without external references, found {target[:100]!r}")
