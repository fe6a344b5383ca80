"""The API's list of formats, which the page requests, too."""

from __future__ import annotations

from typing import Any

from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS


def describe_formats() -> dict[str, Any]:
    """Return the formats of source files, and the formats that browsers show.

    The formats for browsers come in the order of their ``browser_rank``.
    """
    ranked = [(each.browser_rank, each) for each in OUTPUT_FORMATS.values() if each.browser_rank is not None]
    shown = [each for _, each in sorted(ranked, key=lambda pair: pair[0])]
    return {
        "sources": [
            {"format": each.name, "suffixes": list(each.suffixes), "type": each.media_type}
            for each in SOURCE_FORMATS.values()
        ],
        "shown": [{"format": each.name, "type": each.content_type} for each in shown],
    }


def is_shown(name: str) -> bool:
    """Return whether browsers show this format."""
    return name in OUTPUT_FORMATS and OUTPUT_FORMATS[name].browser_rank is not None
