"""Render one picture: check it, analyze it, and make all of its renditions.

If all outputs (at least one) contain the picture's file itself, and no rule or analysis needs the picture's
header, no function here imports the imaging library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from renditions.errors import Failed, Rejected, Undecodable, Unrenderable
from renditions.imaging import machine_fonts
from renditions.imaging.memory import Memory
from renditions.imaging.probe import (
    advised,
    as_salvageable,
    check_animation,
    check_cost,
    check_end,
    check_file,
    check_header,
    is_lenient,
    sniff,
    warn_of_stills,
)
from renditions.imaging.registry import find_code
from renditions.imaging.warn import collected
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.original import Original
from renditions.model.pipeline import NO_ANALYSIS, Accept, Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering

_LIMITS = Limits()


def render(
    content: bytes,
    accept: Accept,
    recipes: Mapping[str, Rendition],
    analyze: Analyze = NO_ANALYSIS,
    *,
    limits: Limits = _LIMITS,
    memory: Memory | None = None,
) -> Rendering:
    """Check the picture against the rules, analyze it and render each recipe.

    All of this happens in this process. For a picture that breaks a rule or can't be decoded,
    ``Rendering.rejected`` has the reason. If renditions can't be made from a valid picture,
    ``Rendering.errors`` has their reasons. ``Rendering.warnings`` says what was left out or assumed.
    ``memory`` is the memory that the pictures of this process may take; without it, ``limits.memory`` limits
    each picture.

    Raises:
        Failed: Memory ran out, an optional library that the picture or a recipe needs isn't installed, a
            bundled font is damaged, or this process has drawn text with other fonts than ``accept`` names.

    """
    machine_fonts.choose(accept.fonts)
    with collected() as warnings:
        rendering = _render(content, accept, recipes, analyze, limits, memory or Memory(limits.memory))
    return replace(rendering, warnings=tuple(warnings))


def _render(
    content: bytes,
    accept: Accept,
    recipes: Mapping[str, Rendition],
    analyze: Analyze,
    limits: Limits,
    memory: Memory,
) -> Rendering:
    original = Original(size_bytes=len(content), format=sniff(content))
    try:
        source_format = check_file(content, original.format, accept)
        made, withheld = _hold_file(content, source_format, recipes)
        with_pixels = {name: recipe for name, recipe in recipes.items() if recipe.needs_pixels}
        if recipes and not with_pixels and not accept.needs_header and not analyze.is_wanted:
            return Rendering(original, made, withheld)
        # Imported here, so that a pipeline that only encodes Base64 needs no imaging library.
        from renditions.imaging.analysis.analyze import Study  # noqa: PLC0415
        from renditions.imaging.cascade import make  # noqa: PLC0415
        from renditions.imaging.decode import read_header  # noqa: PLC0415
        from renditions.imaging.tasks import estimate_memory  # noqa: PLC0415

        lenient = is_lenient(source_format, accept)
        try:
            header = replace(read_header(content, source_format), is_lenient=lenient)
        except Undecodable:
            check_end(content, source_format)  # its error says more plainly what is missing
            raise
        original = replace(
            original,
            width=header.displayed.width,
            height=header.displayed.height,
            frames=header.frames,
        )
        try:
            check_end(content, source_format, lenient=lenient)
        except Undecodable as damage:
            raise as_salvageable(damage) from damage
        check_header(header, accept, limits, with_pixels)
        check_cost(content, header)
        check_animation(content, header, accept)
        warn_of_stills(content, header, with_pixels)
        study = Study(analyze, accept.min_sharpness)
        with memory.take(estimate_memory(content, header, with_pixels, study.level)):
            pictures, plans, analysis = make(
                content, header, with_pixels, study, accept.max_pixels, limits.pages, memory
            )
    except Rejected as refusal:
        return Rendering(original, rejected=Reason(advised(refusal), refusal.code))
    except MemoryError as error:
        raise Failed(
            f"not enough memory for a picture of {len(content):,} bytes. Free or add memory, or use fewer "
            "workers"
        ) from error
    made |= pictures
    original = replace(original, analysis=analysis)
    in_order = {name: made[name] for name in recipes if name in made}
    return Rendering(original, in_order, plans.errors | withheld, plans.stand_ins)


def _hold_file(
    content: bytes, source_format: str, recipes: Mapping[str, Rendition]
) -> tuple[dict[str, Rendered], dict[str, Reason]]:
    """Return the renditions that contain the picture's file.

    If files of this format may have personal data, return the reasons against such renditions instead.
    """
    holding = {name: recipe for name, recipe in recipes.items() if not recipe.needs_pixels}
    facts = SOURCE_FORMATS[source_format]
    if facts.is_private:
        why = Unrenderable(
            f"a {source_format} file may have personal data, so no output can contain the file itself. "
            "Declare another format for this rendition"
        )
        return {}, dict.fromkeys(holding, Reason.of(why))
    made = {
        name: Rendered(
            find_code(OUTPUT_FORMATS[recipe.format].encoder)(content, facts.media_type, recipe), recipe.format
        )
        for name, recipe in holding.items()
    }
    return made, {}
