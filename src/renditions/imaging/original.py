"""Replace a rendition with a copy of the source's file, if the copy is smaller.

The copy must fulfil the recipe. The copy has the same pixel data as the file, byte for byte. Of the file's
metadata, it has only what the recipe keeps.
"""

from __future__ import annotations

from dataclasses import replace

from renditions.imaging.probe import Header
from renditions.imaging.registry import find_code
from renditions.imaging.tasks import Task
from renditions.imaging.warn import has_warned
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.recipe import Rendition
from renditions.model.rendering import Measured, Rendered

_HELD_BY_A_COPY = (
    "key", "on_demand", "format", "formats", "width", "widths", "height", "fit", "gravity", "background",
    "enlarge", "pixel_ratio", "quality", "target", "effort", "animation", "metadata", "profile", "max_bytes",
    "skip_if_larger",
)  # fmt: skip
"""The fields that a copy of the same dimensions fulfils. If any other field is declared, there is no copy."""


def smaller(made: Rendered, content: bytes, header: Header, task: Task) -> Rendered:
    """Return the rendition, or a smaller copy of the source's file.

    The result is a copy only if the recipe has ``skip_if_larger``, the rendition is larger than the source's
    file, and the copy fulfils the recipe.
    """
    if not task.recipe.skip_if_larger or len(made.content) <= len(content) or not _can_stand(header, task):
        return made
    copy = find_code(OUTPUT_FORMATS[task.format].copier or "")(
        content,
        keeps_metadata=task.recipe.metadata == "all",
        keeps_profile=task.recipe.profile == "keep" and not has_warned("profile-ignored"),
    )
    return (
        replace(made, content=copy, measured=_of_copy(made))
        if copy and len(copy) < len(made.content)
        else made
    )


def _can_stand(header: Header, task: Task) -> bool:
    default, plan = Rendition(), task.plan
    return (
        task.format == header.format
        and OUTPUT_FORMATS[task.format].copier is not None
        and task.recipe.metadata != "copyright"
        and header.orientation == 1
        # A copy would be as damaged as the file.
        and not has_warned("damaged")
        and (header.frames == 1 or not SOURCE_FORMATS[header.format].has_animation)
        and plan.output == plan.resized == header.displayed
        and all(
            getattr(task.recipe, field) == getattr(default, field)
            for field in Rendition.__dataclass_fields__
            if field not in _HELD_BY_A_COPY
        )
    )


def _of_copy(made: Rendered) -> Measured | None:
    """Return the measurements without quality and score, which the copy doesn't have."""
    return replace(made.measured, quality=None, score=None) if made.measured else None
