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
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr, unescape

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.font_choice import STAND_IN
from renditions.imaging.formats.svg_count import MAX_DEPTH, SIMPLIFY, TOO_EXPANDED, Budget, References
from renditions.imaging.formats.svg_elements import LANGUAGE, LANGUAGES, SVG, XHTML, Element, open_element
from renditions.imaging.formats.svg_embedded import Embedded
from renditions.imaging.formats.svg_file import unpack
from renditions.imaging.formats.svg_root import Root
from renditions.imaging.formats.svg_scripts import check_attribute, check_element
from renditions.imaging.formats.svg_size import own_size
from renditions.imaging.formats.svg_style import (
    NO_COLOURS,
    backgrounds_in,
    references_in,
    rules_in,
    unsupported_in_attribute,
    unsupported_in_sheet,
    variables_in,
    with_defaults,
    without_outside,
)
from renditions.imaging.formats.svg_unsupported import unsupported_in_element
from renditions.imaging.machine_fonts import without_machine_s
from renditions.imaging.typeface import default_font, find_missing
from renditions.model.warning import WarningCode

_AMPLIFIED = 43
"""The error code of expat's own limit on entities: XML_ERROR_AMPLIFICATION_LIMIT_BREACH."""
_SHOWING = ("image", "feImage")
_COPYING = ("use", "feImage", "pattern")
"""The elements that draw what their ``href`` refers to."""
_FONT_SIZE = {"font-size": "medium"}
"""The initial font size of CSS, 16 px (CSS Fonts 3, 3.5). librsvg's own one is 12 px."""
_BLANKS = dict.fromkeys(map(ord, "\t\n\r"))
_QUOTED_CHARACTERS = 60
_MOST_EMBEDDED = 5
"""How deep drawings may embed drawings."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing that librsvg may draw."""

    content: bytes
    has_text: bool
    has_filter: bool
    size: tuple[float, float]
    """The width and the height in CSS pixels."""
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


class _Reader:
    """A reader of one document."""

    def __init__(self, content: bytes, outer: _Reader | None = None) -> None:
        self._content = content
        self.depth: int = outer.depth + 1 if outer else 0
        """How many drawings embed this one."""
        self.budget: Budget = outer.budget if outer else Budget()
        self.budget.add_file(content)
        self.embedded: Embedded = outer.embedded if outer else Embedded()
        self._open: list[Element] = []
        self._written: list[str] = []
        self._root = Root({})
        self._first: tuple[str, dict[str, str]] = "", {}
        """The first element's name, and the attributes that librsvg gets."""
        self.drawn_elements = 0
        self._style = ""
        self._variables = variables_in(content)
        self._html: list[str] = []
        self._backgrounds: tuple[str, ...] = ()
        self._letters: list[int] = []
        """The indexes in ``_written`` of the texts that are drawn."""
        self._references = References()
        self._has_text = self._has_filter = False
        """Whether an embedded drawing has a text or a filter."""
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
                raise NotAccepted(TOO_EXPANDED, SIMPLIFY) from error
            raise _malformed(str(error)) from error
        except (LookupError, ValueError) as error:
            why = f"the encoding of the XML isn't supported ({error})"
            raise Undecodable(why, "Save the drawing in UTF-8") from error
        self.drawn_elements = self._references.check()
        self._replace_missing()
        size = self._frame_root()
        content = "".join(self._written).encode()
        return Drawing(
            content,
            has_text=self._has_text or bool(self._letters),
            has_filter=self._has_filter or b"filter" in content.lower(),
            size=size,
            backgrounds=self._backgrounds,
            warnings=tuple(self._warnings),
        )

    def _frame_root(self) -> tuple[float, float]:
        """Give the first element its size, which is returned, and its transform.

        Style sheets can declare both, so this comes last.
        """
        name, attributes = self._first
        if not name:
            raise Undecodable(
                "the first element isn't drawn: it isn't in SVG's namespace, or is for another language",
                'Declare xmlns="http://www.w3.org/2000/svg" in it, without systemLanguage',
            )
        for text in self._root.unsupported():
            self._warn("not-drawn", text)
        frame = self._root.frame(attributes)
        self._written[0] = frame.before + _start_tag(name, frame.attributes) + frame.inside
        self._written.append(frame.after)
        return own_size(frame.attributes)

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
        if len(self._open) >= MAX_DEPTH:
            raise NotAccepted(f"the drawing's elements are nested more than {MAX_DEPTH} deep", SIMPLIFY)
        self.budget.take_element(attributes)
        element = open_element(name, attributes, self._open[-1] if self._open else None)
        if element.local == "include" and element.namespace not in SVG:
            self._drop(attributes.get("href", name))
        if not self._open:
            attributes = self._start_root(element, attributes)
        if element.namespace in (*SVG, XHTML):
            check_element(element.local)
            for attribute, value in attributes.items():
                check_attribute(attribute, value)
        self._open.append(element)
        if element.is_drawn:
            self._start_drawn(element, attributes)

    def _start_root(self, element: Element, attributes: dict[str, str]) -> dict[str, str]:
        """Return the first element's attributes that ``_frame_root`` doesn't handle."""
        if element.local != "svg":
            why = f"the first element is {element.local[:100]!r}, not 'svg'"
            raise Undecodable(why, "Upload an SVG drawing")
        self._backgrounds = backgrounds_in(attributes.get("style", ""))
        # Without a language, the machine's would decide which forms letters have.
        own = {} if "lang" in attributes else {"xml:lang": LANGUAGE}
        self._root = Root(_FONT_SIZE | own | attributes)
        return self._root.others

    def _start_drawn(self, element: Element, attributes: dict[str, str]) -> None:
        _check_prefixes(attributes, element.namespaces)
        if element.local == "image" and len(self._open) > 1:
            self._open[-2].html = ""  # the HTML's picture
        for text in unsupported_in_element(element.local, attributes, is_text=element.is_text):
            self._warn("not-drawn", text)
        self._references.start(element.local, attributes)
        self.embedded.size = None
        read = {each: self._read_attribute(element, each, value) for each, value in attributes.items()}
        kept = {each: value for each, value in read.items() if value is not None}
        if element.local == "image":
            kept |= self.embedded.find_missing_side(kept)
        if len(self._open) == 1:
            self._first = element.name, kept
        self._written.append(_start_tag(element.name, kept))

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

    def _end_html(self, outer: Element) -> None:
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
        for text in unsupported_in_sheet(style, self._root.selectors):
            self._warn("not-drawn", text)
        style = without_outside(style, self._drop)
        self._root.add_sheet(style)
        for selector, ids in rules_in(style):
            self._references.add_rule(selector, ids)
        self._written.append(escape(style))
        self._style = ""

    def _read_text(self, text: str) -> None:
        self.budget.take_text(text)
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

    def _read_attribute(self, element: Element, name: str, value: str) -> str | None:
        """Return the value to write; None to leave the attribute out."""
        if name == LANGUAGES:
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

    def _follow(self, element: Element, target: str) -> str | None:
        if target.startswith("#") or not target:
            if element.local in _COPYING:
                self._references.refer((target[1:],))
            return target
        if target[:5].lower() == "data:" and element.local in _SHOWING:
            # librsvg doesn't keep the proportions of a drawing in feImage.
            return self.embedded.read(target, self._read_embedded if element.local == "image" else None)
        self._drop(target)
        return None

    def _read_embedded(self, content: bytes) -> tuple[bytes, tuple[float, float]]:
        """Return the safe version and size of a drawing that the open element shows."""
        if self.depth == _MOST_EMBEDDED:
            raise NotAccepted(f"drawings are embedded more than {_MOST_EMBEDDED} deep", SIMPLIFY)
        reader = _Reader(content, self)
        drawing = reader.read()
        self._references.add_drawn(reader.drawn_elements)
        self._has_text |= drawing.has_text
        self._has_filter |= drawing.has_filter
        for warning in drawing.warnings:
            self._warn(*warning)
        if not set(drawing.backgrounds) <= {*NO_COLOURS}:
            self._warn("not-drawn", "the background of an embedded drawing is left out")
        return drawing.content, drawing.size


def _check_prefixes(attributes: Iterable[str], namespaces: Container[str]) -> None:
    """Raise ``Undecodable`` if the prefix of an attribute isn't declared."""
    for name in attributes:
        prefix = name.rpartition(":")[0]
        if prefix and prefix not in ("xml", "xmlns") and prefix not in namespaces:
            raise _malformed(
                f"the prefix of {name[:100]!r} isn't declared",
                f"Declare it with xmlns:{prefix[:100]} in the first element",
            )


def _start_tag(name: str, attributes: Mapping[str, str]) -> str:
    return f"<{name}{''.join(f' {each}={quoteattr(value)}' for each, value in attributes.items())}>"


def _malformed(why: str, advice: str = "Correct it, or export the drawing again") -> Undecodable:
    return Undecodable(f"the XML isn't well-formed ({why})", advice)


def _plain(text: str) -> str:
    """Return the text without white space, which can differ between copies."""
    return "".join(text.split())
