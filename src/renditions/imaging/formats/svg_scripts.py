"""Reject scripts in a drawing (SVG 2, chapter 15).

Scripts are the element ``script``, event handlers, and URLs that run code.

librsvg runs no script. This module rejects scripts because a rendition may contain the SVG file itself, and a
browser that shows the file would run its scripts.
"""

from __future__ import annotations

import re

from renditions.errors import NotAccepted

_EVENT_NAMES = (
    "abort activate afterprint animationcancel animationend animationiteration animationstart auxclick "
    "beforecopy beforecut beforeinput beforematch beforepaste beforeprint beforetoggle beforeunload "
    "begin blur cancel canplay canplaythrough change click close command "
    "contentvisibilityautostatechange contextlost contextmenu contextrestored copy cuechange cut "
    "dblclick drag dragend dragenter dragleave dragover dragstart drop durationchange emptied end ended "
    "error focus focusin focusout formdata fullscreenchange fullscreenerror gotpointercapture "
    "hashchange input invalid keydown keypress keyup languagechange load loadeddata loadedmetadata "
    "loadend loadstart lostpointercapture message messageerror mousedown mouseenter mouseleave "
    "mousemove mouseout mouseover mouseup mousewheel offline online pagehide pagereveal pageshow "
    "pageswap paste pause play playing pointercancel pointerdown pointerenter pointerleave pointermove "
    "pointerout pointerover pointerrawupdate pointerup popstate progress ratechange rejectionhandled "
    "repeat reset resize scroll scrollend scrollsnapchange scrollsnapchanging search "
    "securitypolicyviolation seeked seeking select selectionchange selectstart show slotchange stalled "
    "storage submit suspend timeupdate toggle touchcancel touchend touchmove touchstart "
    "transitioncancel transitionend transitionrun transitionstart unhandledrejection unload "
    "visibilitychange volumechange waiting webkitanimationend webkitanimationiteration "
    "webkitanimationstart webkitfullscreenchange webkitfullscreenerror webkittransitionend wheel zoom "
)
"""The events of SVG 1.1, SVG 2 and HTML, and those that only browsers know."""
_EVENTS = frozenset(_EVENT_NAMES.split())
_LINKS = ("href", "src", "action", "formaction", "data", "from", "to", "by", "values")
"""The attributes that hold a URL, or that animate an attribute with a URL."""
_IGNORED = re.compile(r"[\x00-\x20]+")
"""The characters that browsers ignore before a URL. Within its scheme, they ignore only some of them."""


def check_element(local: str) -> None:
    """Raise ``NotAccepted`` if an element of SVG or HTML is a script."""
    if local.lower() == "script":
        raise NotAccepted("the drawing contains a script. Remove the <script> element")


def check_attribute(name: str, value: str) -> None:
    """Raise ``NotAccepted`` if an attribute of an SVG or HTML element runs code."""
    local = name.rpartition(":")[2].lower()
    is_handler = name.lower().startswith("on") and name[2:].lower() in _EVENTS
    is_code = local in _LINKS and any(
        _IGNORED.sub("", url).lower().startswith("javascript:") for url in value.split(";")
    )
    if is_handler or is_code:
        raise NotAccepted(f"the drawing contains a script in {name[:100]}. Remove this attribute")
