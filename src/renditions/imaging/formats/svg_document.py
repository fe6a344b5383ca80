"""Read a drawing's XML, check it, and write a safe version for librsvg.

The safe version has no references to other documents. The sources are XML 1.0, Namespaces in XML 1.0, and SVG
2, chapters 5, 12, 13, 15 and 16. This module rejects a document that isn't well-formed, has too much to draw,
or contains a script or an external entity. This module expands short entities, and converts embedded pictures
that librsvg can't read. It leaves out HTML and references to other documents, and replaces characters without
a glyph, each with a warning. Only HTML that the drawing also has as text or as a picture gets no warning.
This module also warns of content that librsvg doesn't draw.
"""

from __future__ import annotations

import unicodedata
from collections import ChainMap
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr, unescape

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.font_choice import STAND_IN
from renditions.imaging.formats.svg_count import MAX_DEPTH, MAX_ELEMENTS, SIMPLIFY, References
from renditions.imaging.formats.svg_embedded import Embedded
from renditions.imaging.formats.svg_file import unpack
from renditions.imaging.formats.svg_scripts import check_attribute, check_element
from renditions.imaging.formats.svg_size import with_size
from renditions.imaging.formats.svg_style import (
    backgrounds_in,
    references_in,
    rules_in,
    unsupported_in_attribute,
    unsupported_in_sheet,
    variables_in,
    with_defaults,
    without_outside,
)
from renditions.imaging.formats.svg_transform import take_transform
from renditions.imaging.machine_fonts import without_machine_s
from renditions.imaging.typeface import default_font, find_missing
from renditions.model.warning import WarningCode

_MAX_EXPANDED = 1_000_000
"""How many characters entities may add to a drawing."""
_TOO_EXPANDED = f"the drawing's entities add more than {_MAX_EXPANDED:,} characters. {SIMPLIFY}"
_AMPLIFIED = 43
"""The error code of expat's own limit on entities: XML_ERROR_AMPLIFICATION_LIMIT_BREACH."""
_SVG = ("http://www.w3.org/2000/svg", "")
_XHTML = "http://www.w3.org/1999/xhtml"
_NOT_DRAWN = ("foreignObject", "metadata", "script")
_SHOWING = ("image", "feImage")
_COPYING = ("use", "feImage", "pattern")
"""The elements that draw what their ``href`` refers to."""
_LANGUAGE = "en"
"""The language of drawings, on machines of every language."""
_FONT_SIZE = {"font-size": "medium"}
"""The initial font size of CSS, 16 px (CSS Fonts 3, 3.5). librsvg's own one is 12 px."""
_LANGUAGES = "systemLanguage"
"""The attribute with the languages that an element is for (SVG 2)."""
_PLACES = ("x", "y", "dx", "dy", "rotate")
"""The attributes of a text with a number for each letter. librsvg reads one number."""
_BLANKS = dict.fromkeys(map(ord, "\t\n\r"))
_QUOTED_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing that librsvg may draw."""

    content: bytes
    has_text: bool
    backgrounds: tuple[str, ...]
    """The possible colours of the background, the first choice first. librsvg draws no background."""
    warnings: tuple[tuple[WarningCode, str], ...]
    """The warnings about content that this module or librsvg leaves out or replaces."""


@lru_cache(maxsize=1)
def read_drawing(content: bytes) -> Drawing:
    """Return the drawing, checked and written again.

    Raises:
        NotAccepted: The drawing is too large or too complex, or has content that isn't allowed, such as a
            script.
        Undecodable: The drawing is damaged.
        Failed: Memory ran out while an embedded picture was read, or the bundled font is damaged.

    """
    return _Reader(unpack(content)).read()


@dataclass(slots=True)
class _Element:
    """An element that hasn't ended."""

    name: str
    local: str
    namespaces: ChainMap[str, str]
    """The namespaces that apply in the element, by prefix."""
    is_drawn: bool = False
    """Whether the document for librsvg contains the element."""
    is_text: bool = False
    """Whether librsvg draws the element's characters."""
    is_html: bool = False
    """Whether a browser would draw the element's characters, but librsvg doesn't."""
    html: str = ""
    """The words of the first HTML in this ``switch``; empty again after an ``image`` in it."""
    first_letter: int = 0
    """How many items ``_Reader._letters`` had when the HTML ended."""

    @property
    def namespace(self) -> str | None:
        """The element's namespace: ``""`` without one; None if its prefix isn't declared."""
        prefix = self.name.rpartition(":")[0]
        return self.namespaces.get(prefix, None if prefix else "")


class _Reader:
    """A reader of one document."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._open: list[_Element] = []
        self._written: list[str] = []
        self._after = ""
        """What follows the first element in the document for librsvg."""
        self._elements = 0
        self._characters = 0
        self._style = ""
        self._variables = variables_in(content)
        self._html: list[str] = []
        self._backgrounds: tuple[str, ...] = ()
        self._root_selectors: tuple[str, ...] = ()
        self._letters: list[int] = []
        """The indexes in ``_written`` of the texts that are drawn."""
        self._references = References()
        self._embedded = Embedded()
        self._warnings: dict[tuple[WarningCode, str], None] = {}

    def read(self) -> Drawing:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.EntityDeclHandler = self._check_entity
        parser.SkippedEntityHandler = self._skip_entity
        parser.ProcessingInstructionHandler = self._read_instruction
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._read_text
        try:
            parser.Parse(self._content, True)
        except expat.ExpatError as error:
            if error.code == _AMPLIFIED:
                raise NotAccepted(_TOO_EXPANDED) from error
            raise _malformed(str(error)) from error
        except (LookupError, ValueError) as error:
            why = f"the encoding of the XML isn't supported ({error})"
            raise Undecodable(why, "Save the drawing in UTF-8") from error
        self._references.check()
        self._replace_missing()
        content = "".join((*self._written, self._after)).encode()
        return Drawing(content, bool(self._letters), self._backgrounds, tuple(self._warnings))

    def _replace_missing(self) -> None:
        """Replace the characters that no font for drawings has, and warn of them.

        Otherwise librsvg could draw these characters with the fonts of watermarks.
        """
        text = unicodedata.normalize("NFC", "\n".join(self._written[at] for at in self._letters))
        missing = find_missing(default_font(), "".join(sorted(set(text)))).translate(_BLANKS)
        missing = without_machine_s(missing)
        if missing:
            shown = missing[:_QUOTED_CHARACTERS] + ("…" if len(missing) > _QUOTED_CHARACTERS else "")
            self._warn("glyph-missing", f"no font has a glyph for these characters of the drawing: {shown}")
        stand_ins = dict.fromkeys(map(ord, missing), STAND_IN)
        for at in self._letters:
            self._written[at] = self._written[at].translate(stand_ins)

    def _warn(self, code: WarningCode, text: str) -> None:
        self._warnings[code, text] = None

    def _drop(self, target: str) -> None:
        self._warn("reference-dropped", f"{target[:100]!r} is outside of the drawing, and is left out")

    def _check_entity(self, name: str, _: bool, value: str | None, *_others: object) -> None:
        if value is None:
            raise NotAccepted(f"the drawing has the external entity {name[:100]!r}. Remove this entity")

    def _skip_entity(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self._drop(f"&{name};")

    def _read_instruction(self, target: str, data: str) -> None:
        if target == "xml-stylesheet":
            self._drop(f"{target} {data}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count(attributes)
        element = self._open_element(name, attributes)
        if not self._open:
            if element.local != "svg":
                raise Undecodable(
                    f"the first element is {element.local[:100]!r}, not 'svg'", "Upload an SVG drawing"
                )
            self._backgrounds = backgrounds_in(attributes.get("style", ""))
            classes = (f".{each}" for each in attributes.get("class", "").split())
            self._root_selectors = (":root", "*", "svg", *classes, f"#{attributes.get('id')}")
            # Without a language, the machine's would decide which forms letters have.
            own = {} if "lang" in attributes else {"xml:lang": _LANGUAGE}
            attributes, before, self._after = take_transform(_FONT_SIZE | own | with_size(attributes))
            self._written.append(before)
        if element.namespace in (*_SVG, _XHTML):
            check_element(element.local)
            for attribute, value in attributes.items():
                check_attribute(attribute, value)
        self._open.append(element)
        if element.is_drawn:
            _check_prefixes(attributes, element.namespaces)
            if element.local == "image" and len(self._open) > 1:
                self._open[-2].html = ""  # the HTML's picture
            if element.is_text:
                self._warn_of_text(element.local, attributes)
            self._references.start(element.local, attributes)
            kept = {each: self._read_attribute(element, each, value) for each, value in attributes.items()}
            written = (f" {each}={quoteattr(value)}" for each, value in kept.items() if value is not None)
            self._written.append(f"<{name}{''.join(written)}>")

    def _warn_of_text(self, name: str, attributes: dict[str, str]) -> None:
        """Warn of what librsvg ignores in a text (SVG 2, chapter 11)."""
        if name == "textPath":
            self._warn("not-drawn", "text along a path (textPath) is left out")
        if "textLength" in attributes:
            self._warn("not-drawn", "the length of a text (textLength) is ignored")
        if any(len(attributes.get(each, "").replace(",", " ").split()) > 1 for each in _PLACES):
            self._warn(
                "not-drawn",
                "single letters aren't placed: only the first number in x, y, dx, dy or rotate of a text is "
                "used",
            )

    def _count(self, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH:
            raise NotAccepted(f"the drawing's elements are nested more than {MAX_DEPTH} deep. {SIMPLIFY}")
        if self._elements > MAX_ELEMENTS:
            raise NotAccepted(f"the drawing has more than {MAX_ELEMENTS:,} elements. {SIMPLIFY}")
        for value in attributes.values():
            self._count_characters(value)

    def _count_characters(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > len(self._content) + _MAX_EXPANDED:
            raise NotAccepted(_TOO_EXPANDED)

    def _open_element(self, name: str, attributes: dict[str, str]) -> _Element:
        outer = self._open[-1] if self._open else _Element("", "", ChainMap(), is_drawn=True)
        declared = {
            each.partition(":")[2]: value
            for each, value in attributes.items()
            if each == "xmlns" or each.startswith("xmlns:")
        }
        namespaces = outer.namespaces.new_child(declared) if declared else outer.namespaces
        element = _Element(name, name.rpartition(":")[2], namespaces)
        is_svg = element.namespace in _SVG
        if element.local == "include" and not is_svg:
            self._drop(attributes.get("href", name))
        is_spoken = _is_spoken(attributes.get(_LANGUAGES))
        element.is_drawn = outer.is_drawn and is_svg and element.local not in _NOT_DRAWN and is_spoken
        element.is_text = element.is_drawn and (outer.is_text or element.local == "text")
        # Browsers know no other extension.
        is_shown = attributes.get("requiredExtensions", _XHTML) == _XHTML
        is_first = element.local == "foreignObject" and outer.is_drawn and is_shown
        element.is_html = outer.is_html or is_first
        return element

    def _end(self, name: str) -> None:
        element = self._open.pop()
        if element.is_drawn:
            if element.local == "style":
                self._end_style()
            self._references.end()
            self._written.append(f"</{name}>")
        if element.is_html and not self._open[-1].is_html:
            self._end_html(self._open[-1])
        if element.html:
            # Diagram tools write a text or a picture beside the HTML. The text may be shortened.
            letters = self._letters[element.first_letter :]
            if _plain(unescape("".join(self._written[at] for at in letters))) != _plain(element.html):
                self._warn_of_html(element.html)

    def _end_html(self, outer: _Element) -> None:
        words = "".join(self._html)
        self._html.clear()
        if outer.local == "switch" and words.strip() and not outer.html:
            outer.html, outer.first_letter = words, len(self._letters)
        elif not outer.html:  # browsers draw the first child of a switch only
            self._warn_of_html(words)

    def _warn_of_html(self, words: str) -> None:
        quoted = " ".join(words.split())[:_QUOTED_CHARACTERS]
        self._warn("html-dropped", f"HTML within the drawing (foreignObject) is left out: {quoted!r}")

    def _end_style(self) -> None:
        style = with_defaults(self._style, self._variables)
        for text in unsupported_in_sheet(style, self._root_selectors):
            self._warn("not-drawn", text)
        style = without_outside(style, self._drop)
        for selector, ids in rules_in(style):
            self._references.add_rule(selector, ids)
        self._written.append(escape(style))
        self._style = ""

    def _read_text(self, text: str) -> None:
        self._count_characters(text)
        if not self._open:
            return
        element = self._open[-1]
        if element.is_html:
            self._html.append(text)
        elif element.is_drawn and element.local == "style":
            self._style += text
        elif element.is_drawn:
            if element.is_text:
                self._letters.append(len(self._written))
            self._written.append(escape(text, {"\r": "&#13;"}))

    def _read_attribute(self, element: _Element, name: str, value: str) -> str | None:
        """Return the value to write; None to leave the attribute out."""
        if name == _LANGUAGES:
            return None
        if name.rpartition(":")[2] in ("href", "src") and element.local != "a":
            return self._follow(element, value.strip())
        value = with_defaults(value, self._variables)
        for text in unsupported_in_attribute(name, value):
            self._warn("not-drawn", text)
        if "(" in value:
            value = without_outside(value, self._drop)
            self._references.refer(references_in(value).elements())
        return value

    def _follow(self, element: _Element, target: str) -> str | None:
        if target.startswith("#") or not target:
            if element.local in _COPYING:
                self._references.refer((target[1:],))
            return target
        if target[:5].lower() == "data:" and element.local in _SHOWING:
            return self._embedded.read(target)
        self._drop(target)
        return None


def _check_prefixes(attributes: Iterable[str], namespaces: Container[str]) -> None:
    """Raise ``Undecodable`` if the prefix of an attribute isn't declared."""
    for name in attributes:
        prefix = name.rpartition(":")[0]
        if prefix and prefix not in ("xml", "xmlns") and prefix not in namespaces:
            raise _malformed(
                f"the prefix of {name[:100]!r} isn't declared",
                f"Declare it with xmlns:{prefix[:100]} in the first element",
            )


def _malformed(why: str, advice: str = "Correct it, or export the drawing again") -> Undecodable:
    return Undecodable(f"the XML isn't well-formed ({why})", advice)


def _plain(text: str) -> str:
    """Return the text without white space, which can differ between copies."""
    return "".join(text.split())


def _is_spoken(languages: str | None) -> bool:
    """Return whether an element for these languages is drawn; None means for all."""
    tags = [each.strip().lower() for each in (languages or "").split(",")]
    return languages is None or any(f"{tag}-".startswith(f"{_LANGUAGE}-") for tag in tags)
