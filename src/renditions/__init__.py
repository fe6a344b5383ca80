"""Make the declared sizes, formats and watermarks of each picture on arrival.

The names in ``__all__`` are the public API, see ``docs/python.md``. They are imported when they are first
used, so that ``import renditions`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from renditions import errors
    from renditions.api import OpenPipeline, load, render
    from renditions.api import open_pipeline as open
    from renditions.core.difference import Difference
    from renditions.core.outcome import Outcome
    from renditions.core.summary import Summary
    from renditions.model.record import Record
    from renditions.model.rendering import Rendered
    from renditions.pipeline_file.reading import LoadedPipeline
    from renditions.runtime.alone import RenderedPicture

    __version__: str

__all__ = [
    "Difference",
    "LoadedPipeline",
    "OpenPipeline",
    "Outcome",
    "Record",
    "Rendered",
    "RenderedPicture",
    "Summary",
    "__version__",
    "errors",
    "load",
    "open",
    "render",
]

_PLACES = {
    "Difference": "renditions.core.difference:Difference",
    "LoadedPipeline": "renditions.pipeline_file.reading:LoadedPipeline",
    "OpenPipeline": "renditions.api:OpenPipeline",
    "Outcome": "renditions.core.outcome:Outcome",
    "Record": "renditions.model.record:Record",
    "Rendered": "renditions.model.rendering:Rendered",
    "RenderedPicture": "renditions.runtime.alone:RenderedPicture",
    "Summary": "renditions.core.summary:Summary",
    "load": "renditions.api:load",
    "open": "renditions.api:open_pipeline",
    "render": "renditions.api:render",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name == "errors":
        return import_module("renditions.errors")
    if name == "__version__":
        return import_module("importlib.metadata").version("renditions")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
