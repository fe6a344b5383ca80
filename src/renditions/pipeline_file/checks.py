"""Find mistakes in a pipeline file whose single values are all valid."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path

from renditions.errors import Problem
from renditions.imaging.extras import is_installed
from renditions.model.backends import CATALOGS
from renditions.model.families import family_of
from renditions.model.fields import SEVERAL_PAGES, TEMPLATE_FIELDS, Template, parse_template
from renditions.model.formats import AUTO, OUTPUT_FORMATS, SOURCE_FORMATS, WITH_TEXT
from renditions.model.keys import OF_CONTENT, fields_of, find_sharing_names
from renditions.model.pipeline import Accept, Pipeline
from renditions.model.places import FolderPlace, parse_catalog, parse_store
from renditions.model.recipe import Rendition
from renditions.model.record import ATTRIBUTES
from renditions.pipeline_file.key_checks import check_keys_apart, check_loop
from renditions.pipeline_file.paths import find_path_warnings, find_unusable_paths
from renditions.pipeline_file.warnings import PipelineWarning
from renditions.pipeline_file.watermark_checks import find_watermark_problems, find_watermark_warnings


def _formats_with(field: str) -> tuple[str, ...]:
    """Return the output formats that a field applies to.

    The result includes ``auto`` if ``auto`` can become one of these formats.
    """
    names = [each.name for each in OUTPUT_FORMATS.values() if field in each.choices]
    is_automatic = any(each.auto in names for each in SOURCE_FORMATS.values())
    return (*names, AUTO) if is_automatic else tuple(names)


ENCODER_CHOICES = {
    field: _formats_with(field)
    for field in (
        "profile",
        "skip_if_larger",
        "progressive",
        "chroma",
        "palette",
        "data_uri",
        "max_bytes",
        "dpi",
        "page_size",
    )
}
"""The formats that each of these fields applies to."""

PRIVATE_SOURCES = tuple(each.name for each in SOURCE_FORMATS.values() if each.is_private)
PAGED_OUTPUTS = tuple(sorted(each.name for each in OUTPUT_FORMATS.values() if each.has_pages))
_ANIMATED = tuple(each.name for each in OUTPUT_FORMATS.values() if each.has_animation)
_EFFORT_CHOICE = " or ".join(each.name for each in OUTPUT_FORMATS.values() if each.effort)
_LOSSLESS_CHOICE = " or ".join(each.name for each in OUTPUT_FORMATS.values() if each.has_lossless_choice)

RESERVED_ATTRIBUTES = ATTRIBUTES.union(*(backend.own_attributes for backend in CATALOGS))
"""The names that ``[catalog] key`` can't have, because other attributes of a record have them."""

FILE_CHOICES = tuple(
    field.name
    for field in fields(Rendition)
    if field.name
    not in ("key", "on_demand", "format", "quality", "target", "effort", "lossless", *ENCODER_CHOICES)
)
"""The fields that must have their default if the format contains the picture's file unchanged."""


def find_rendition_problems(name: str, rendition: Rendition) -> Iterator[Problem]:
    """Yield the mistakes in one rendition that don't depend on pictures.

    Raises:
        Failed: The bundled font can't be read, or is damaged.

    """
    place = _table_of(name, rendition)
    yield from _check_template(rendition, place)
    yield from _check_box(rendition, place)
    yield from _check_points(rendition, place)
    yield from _check_format(rendition, place)
    yield from _check_encoder_choices(rendition, place)
    yield from _check_pages(rendition, place)
    if rendition.watermark:
        yield from find_watermark_problems(rendition.watermark, f"{place}.watermark")


def _table_of(name: str, rendition: Rendition) -> str:
    """Return the place of the table that declares a rendition."""
    return f"renditions.{family_of(name, rendition)}"


def find_accept_problems(accept: Accept) -> Iterator[Problem]:
    """Yield problems of the rules for accepting pictures.

    They are duplicates, contradictions, fields without effect, and missing libraries.
    """
    if twice := [name for name in SOURCE_FORMATS if accept.formats.count(name) > 1]:
        yield Problem("accept.formats", "each format once", f"{twice[0]!r} twice")
    missing = [name for name in accept.formats if not is_installed(name)]
    if missing and accept.formats != Accept().formats:
        extra = SOURCE_FORMATS[missing[0]].extra
        yield Problem(
            "accept.formats",
            f"the extra {extra} for {missing[0]!r} (pip install 'renditions[{extra}]')",
            "none",
        )
    if accept.burned_in_annotation and set(accept.formats).isdisjoint(PRIVATE_SOURCES):
        expected = f"{' or '.join(PRIVATE_SOURCES)} in accept.formats if this field is set"
        yield Problem("accept.burned_in_annotation", expected, "none")
    if accept.fonts == "system" and WITH_TEXT.isdisjoint(accept.formats):
        expected = f"{' or '.join(sorted(WITH_TEXT))} in accept.formats if this field is set"
        yield Problem("accept.fonts", expected, "none")
    least = (accept.min_width or 1) * (accept.min_height or 1)
    if least > accept.max_pixels:
        expected = f"at least the {least:,} pixels of min_width and min_height"
        yield Problem("accept.max_pixels", expected, f"{accept.max_pixels:,}")
    for measure in ("width", "height", "aspect_ratio"):
        low, high = getattr(accept, f"min_{measure}"), getattr(accept, f"max_{measure}")
        if low is not None and high is not None and low > high:
            yield Problem(f"accept.max_{measure}", f"at least min_{measure} ({low:,g})", f"{high:,g}")


def find_catalog_problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each value that the catalog can't hold."""
    if pipeline.catalog.key in RESERVED_ATTRIBUTES:
        expected = "a name that no other attribute of a record has"
        yield Problem("catalog.key", expected, repr(pipeline.catalog.key))
    count = len(pipeline.renditions)
    for backend in CATALOGS:
        most = backend.most_renditions
        if most is not None and count > most and pipeline.catalog.store.startswith(backend.prefix):
            yield Problem(
                "renditions", f"at most {most} renditions with {backend.form} as the catalog", f"{count:,}"
            )


def find_copy_problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each rendition that copies private files such as DICOM.

    A private file may identify a person. Without a private format in ``accept.formats``, there is no problem.
    """
    private = [name for name in PRIVATE_SOURCES if name in pipeline.accept.formats]
    for name, rendition in pipeline.renditions.items() if private else ():
        if not rendition.needs_pixels:
            expected = f"a format that doesn't copy the file unchanged, since {private[0]} is accepted"
            yield Problem(f"{_table_of(name, rendition)}.format", expected, repr(rendition.format))


def _valid_templates(pipeline: Pipeline) -> dict[str, str]:
    return {
        name: rendition.key_template(name)
        for name, rendition in pipeline.renditions.items()
        if not any(_check_template(rendition, ""))
    }


def can_land_in(part: str, pipeline: Pipeline) -> bool:
    """Return whether the key of an output can begin with ``part``."""
    templates = _valid_templates(pipeline)
    return any(check_loop(pipeline, templates, dict(zip(templates, templates, strict=True)), part, ""))


def find_pipeline_problems(pipeline: Pipeline, directory: Path) -> Iterator[Problem]:
    """Yield the mistakes in origins, paths, stores and keys.

    Relative paths start at ``directory``.
    """
    origins = pipeline.output.cors_origins
    if "*" in origins and len(origins) > 1:
        yield Problem(
            "output.cors_origins", '"*" alone, because it means all origins', f"{len(origins)} origins"
        )
    templates = _valid_templates(pipeline)
    if unusable := list(find_unusable_paths(pipeline, directory)):
        yield from unusable
        return
    source = parse_store(pipeline.source.store, directory)
    output = parse_store(pipeline.output.store, directory)
    catalog = parse_catalog(pipeline.catalog.store, directory)
    catalog = catalog and catalog.resolve()
    spelled = source.spell(), output.spell()
    tables = {name: _table_of(name, rendition) for name, rendition in pipeline.renditions.items()}
    yield from check_keys_apart(templates, tables, pipeline.source, is_folder=isinstance(output, FolderPlace))
    if isinstance(source, FolderPlace) == isinstance(output, FolderPlace):
        yield from check_loop(pipeline, templates, tables, *spelled)
    if catalog and isinstance(source, FolderPlace) and catalog.is_relative_to(source.path.resolve()):
        name = catalog.relative_to(source.path.resolve()).as_posix()
        if pipeline.source.matches(name):
            expected = "a file outside the source, or one that source.match and source.exclude leave out"
            yield Problem("catalog.store", expected, repr(pipeline.catalog.store))


def find_warnings(pipeline: Pipeline) -> Iterator[PipelineWarning]:
    """Yield warnings about allowed but surprising values.

    Raises:
        Failed: The bundled font can't be read, or is damaged.

    """
    yield from find_path_warnings(pipeline)
    for name in pipeline.accept.formats:
        facts = SOURCE_FORMATS[name]
        suffix = facts.suffixes[0]
        if not facts.is_default and not pipeline.source.matches(f"picture.{suffix}"):
            yield PipelineWarning(
                "accept.formats",
                f"{name} is accepted, but source.match has no pattern such as '*.{suffix}'. Add this "
                f"pattern, or remove {name}",
            )
    for name, rendition in pipeline.renditions.items():
        if rendition.watermark:
            yield from find_watermark_warnings(rendition.watermark, f"{_table_of(name, rendition)}.watermark")
        pair = find_sharing_names(rendition.key_template(name))
        if pair is None:
            continue
        used = fields_of(rendition.key)
        condition = " with the same content" if used.intersection(OF_CONTENT) else ""
        if "etag" in used and not condition:
            condition = " with the same ETag"
        yield PipelineWarning(
            f"{_table_of(name, rendition)}.key",
            f"{rendition.key!r} can give two pictures the same key, such as {' and '.join(pair)}{condition}. "
            "The later picture is then rejected. To keep such pictures apart, put {key} into the template",
        )


def explain_template(template: str, place: str) -> Problem:
    """Return the mistake in an invalid key template."""
    for token in re.findall(r"\{\{|\}\}|\{[^{}]*\}|[{}]", template):
        field = token[1:-1]
        if token in ("{", "}"):
            return Problem(place, "braces in pairs ({{ and }} stand for braces themselves)", repr(template))
        if token not in ("{{", "}}") and field not in TEMPLATE_FIELDS:
            close = difflib.get_close_matches(field, TEMPLATE_FIELDS, n=1)
            hint = f" (did you mean {{{close[0]}}}?)" if close else ""
            known = " ".join(f"{{{name}}}" for name in TEMPLATE_FIELDS)
            return Problem(place, f"one of {known}{hint}", token)
    return Problem(place, Template(TEMPLATE_FIELDS).expected, repr(template))


def _check_template(rendition: Rendition, place: str) -> Iterator[Problem]:
    """Yield a problem for each template field that this rendition can't fill in."""
    for _, field in parse_template(rendition.key):
        if field in ("ext", "format") and rendition.format == AUTO:
            expected = "{name}, because the format of 'auto' depends on the picture"
            yield Problem(f"{place}.key", expected, f"{{{field}}}")
        if field in ("width", "height") and getattr(rendition, field) is None:
            yield Problem(f"{place}.key", f"a declared {field} for {{{field}}}", "none")


def _check_box(rendition: Rendition, place: str) -> Iterator[Problem]:
    has_box = rendition.width is not None and rendition.height is not None
    if rendition.fit != "inside" and not has_box:
        found = "only a width" if rendition.width else "only a height" if rendition.height else "neither"
        yield Problem(f"{place}.fit", f"a width and a height with {rendition.fit!r}", found)
    fit = f'fit = "{rendition.fit}"'
    if rendition.gravity in ("attention", "entropy", "focus") and rendition.fit != "cover":
        yield Problem(f"{place}.gravity", f'fit = "cover" with {rendition.gravity!r}', fit)
    elif rendition.gravity != "center" and rendition.fit not in ("cover", "contain"):
        yield Problem(f"{place}.gravity", f'fit = "cover" or "contain" with {rendition.gravity!r}', fit)
    if rendition.enlarge and rendition.width is None and rendition.height is None:
        yield Problem(f"{place}.enlarge", "a width or a height to enlarge to", "neither")
    if rendition.pixel_ratio != 1 and rendition.width is None and rendition.height is None:
        yield Problem(f"{place}.pixel_ratio", "a width or a height to multiply", "neither")


def _check_points(rendition: Rendition, place: str) -> Iterator[Problem]:
    """Yield problems of the crop and of the focus."""
    for start, extent in (("left", "width"), ("top", "height")) if rendition.crop else ():
        begin, length = (Fraction(str(getattr(rendition.crop, name))) for name in (start, extent))
        if begin + length > 100:
            found = f"{float(begin):g} and {float(length):g}"
            yield Problem(f"{place}.crop", f"{start} and {extent} that add up to at most 100", found)
    if rendition.focus and rendition.fit != "cover":
        yield Problem(f"{place}.focus", 'fit = "cover" with a focus', f'fit = "{rendition.fit}"')
    if rendition.focus and rendition.gravity != "center":
        yield Problem(f"{place}.gravity", "no gravity with a focus", repr(rendition.gravity))
    if rendition.gravity == "focus" and rendition.trim is not None:
        yield Problem(
            f"{place}.trim",
            'no trim with gravity = "focus", because trim moves the point',
            f"{rendition.trim}",
        )


def _check_format(rendition: Rendition, place: str) -> Iterator[Problem]:
    """Yield a problem for each value that the format can't hold or doesn't use."""
    if rendition.format == AUTO:
        yield from _check_auto(rendition, place)
        return
    yield from _check_encoding(rendition, place)
    name, facts = rendition.format, OUTPUT_FORMATS[rendition.format]
    if rendition.animation == "keep" and not facts.has_animation:
        expected = f"the format {', '.join(_ANIMATED)} or {AUTO} to keep an animation"
        yield Problem(f"{place}.animation", expected, f"'keep' with {name}")
    if rendition.background == "transparent" and not facts.has_transparency and not facts.holds_file:
        yield Problem(
            f"{place}.background", f"a colour with {name}, which has no transparency", "'transparent'"
        )
    yield from _check_sides(rendition, place)
    default = Rendition()
    for field in FILE_CHOICES if facts.holds_file else ():
        if field == "width" and rendition.widths:
            continue  # reported as widths
        if getattr(rendition, field) != getattr(default, field):
            value = getattr(rendition, field)
            found = "a table" if is_dataclass(value) else repr(value)
            yield Problem(
                f"{place}.{field}", f"no {field} with {name}, which contains the file unchanged", found
            )


def _check_pages(rendition: Rendition, place: str) -> Iterator[Problem]:
    if re.search(SEVERAL_PAGES, rendition.pages) and rendition.format not in PAGED_OUTPUTS:
        needed = " or ".join(PAGED_OUTPUTS)
        expected = f"one page with format = {rendition.format!r} (several pages need {needed})"
        yield Problem(f"{place}.pages", expected, repr(rendition.pages))


def _check_sides(rendition: Rendition, place: str) -> Iterator[Problem]:
    """Yield a problem for each side that is too long for the format.

    A side may be declared, or result from multiplication and padding.
    """
    limit = OUTPUT_FORMATS[rendition.format].max_side
    expected = f"at most {limit:,} pixels with {rendition.format}"
    padding = 2 * rendition.multiplied(rendition.padding)
    for side in ("width", "height"):
        length = getattr(rendition, side)
        if length is None:
            continue
        multiplied = rendition.multiplied(length)
        if length > limit:
            field = "widths" if side == "width" and rendition.widths else side
            yield Problem(f"{place}.{field}", expected, f"{length:,}")
        elif multiplied > limit:
            yield Problem(
                f"{place}.pixel_ratio", f"{expected} for {side} times pixel_ratio", f"{multiplied:,}"
            )
        elif multiplied + padding > limit:
            found = f"{multiplied + padding:,}"
            yield Problem(f"{place}.padding", f"{expected} for {side} and padding together", found)


def _check_encoding(rendition: Rendition, place: str) -> Iterator[Problem]:
    name, facts = rendition.format, OUTPUT_FORMATS[rendition.format]
    if rendition.quality is not None and facts.quality is None:
        yield Problem(
            f"{place}.quality", f"no quality with {name}, which has no such setting", str(rendition.quality)
        )
    if rendition.lossless and not facts.has_lossless_choice:
        yield Problem(
            f"{place}.lossless", f"false with format = {name!r} (true needs {_LOSSLESS_CHOICE})", "true"
        )
    if rendition.lossless and rendition.quality is not None:
        yield Problem(f"{place}.quality", "no quality with lossless = true", str(rendition.quality))
    if rendition.effort is not None and (facts.effort is None or rendition.effort > facts.effort.high):
        expected = (
            f"an effort from {facts.effort.low} to {facts.effort.high}" if facts.effort else "no effort"
        )
        yield Problem(f"{place}.effort", f"{expected} with {name}", str(rendition.effort))


def _check_encoder_choices(rendition: Rendition, place: str) -> Iterator[Problem]:
    """Yield a problem for each field that doesn't fit the format or another field."""
    default = Rendition()
    for field, formats in ENCODER_CHOICES.items():
        value = getattr(rendition, field)
        if value != getattr(default, field) and rendition.format not in formats:
            found = f"{str(value).lower()} with {rendition.format}"
            yield Problem(f"{place}.{field}", f"the format {' or '.join(formats)} for this field", found)
    if rendition.target != default.target and rendition.quality != "auto":
        found = "no quality" if rendition.quality is None else f"quality = {rendition.quality}"
        yield Problem(f"{place}.target", 'quality = "auto" with a target', found)
    if rendition.max_bytes is not None and rendition.lossless:
        yield Problem(f"{place}.max_bytes", "no max_bytes with lossless = true", f"{rendition.max_bytes:,}")
    if rendition.chroma != default.chroma and rendition.lossless:
        yield Problem(f"{place}.chroma", "no chroma with lossless = true", repr(rendition.chroma))


def _check_auto(rendition: Rendition, place: str) -> Iterator[Problem]:
    if rendition.lossless:
        yield Problem(
            f"{place}.lossless", f"false with format = {AUTO!r} (true needs {_LOSSLESS_CHOICE})", "true"
        )
    if rendition.effort is not None:
        expected = f"no effort with format = {AUTO!r} (an effort needs {_EFFORT_CHOICE})"
        yield Problem(f"{place}.effort", expected, str(rendition.effort))
