"""Which elements of a drawing librsvg draws, and which have letters or HTML."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass

SVG = ("http://www.w3.org/2000/svg", "")
XHTML = "http://www.w3.org/1999/xhtml"
LANGUAGE = "en"
"""The language of drawings, on machines of every language."""
LANGUAGES = "systemLanguage"
"""The attribute with the languages that an element is for (SVG 2)."""
_NOT_DRAWN = ("foreignObject", "metadata", "script")


@dataclass(slots=True)
class Element:
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
    """How many texts of the document had been read when the HTML ended."""

    @property
    def namespace(self) -> str | None:
        """The element's namespace: ``""`` without one; None if its prefix isn't declared."""
        prefix = self.name.rpartition(":")[0]
        return self.namespaces.get(prefix, None if prefix else "")


def open_element(name: str, attributes: Mapping[str, str], outer: Element | None) -> Element:
    """Return an element in ``outer``; None for the first element."""
    outer = outer or Element("", "", ChainMap(), is_drawn=True)
    declared = {
        each.partition(":")[2]: value
        for each, value in attributes.items()
        if each == "xmlns" or each.startswith("xmlns:")
    }
    namespaces = outer.namespaces.new_child(declared) if declared else outer.namespaces
    element = Element(name, name.rpartition(":")[2], namespaces)
    is_named = element.namespace in SVG and element.local not in _NOT_DRAWN
    element.is_drawn = outer.is_drawn and is_named and _is_spoken(attributes.get(LANGUAGES))
    element.is_text = element.is_drawn and (outer.is_text or element.local == "text")
    # Browsers know no other extension.
    is_shown = attributes.get("requiredExtensions", XHTML) == XHTML
    is_first = element.local == "foreignObject" and outer.is_drawn and is_shown
    element.is_html = outer.is_html or is_first
    return element


def _is_spoken(languages: str | None) -> bool:
    """Return whether an element for these languages is drawn; None means for all."""
    tags = [each.strip().lower() for each in (languages or "").split(",")]
    return languages is None or any(f"{tag}-".startswith(f"{LANGUAGE}-") for tag in tags)
