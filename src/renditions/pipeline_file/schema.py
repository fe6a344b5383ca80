"""The pipeline file's JSON Schema, from the annotations that the reader uses."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from renditions.model.backends import CATALOGS, NOTIFIERS
from renditions.model.fields import (
    NAME,
    SEVERAL_PAGES,
    TEMPLATE_FIELDS,
    Attachment,
    Default,
    Template,
    unwrap,
)
from renditions.model.format_entries import OutputFormat
from renditions.model.formats import AUTO, OUTPUT_FORMATS, WITH_TEXT
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition, Watermark
from renditions.pipeline_file.checks import (
    ENCODER_CHOICES,
    FILE_CHOICES,
    PAGED_OUTPUTS,
    PRIVATE_SOURCES,
    RESERVED_ATTRIBUTES,
)
from renditions.pipeline_file.field_types import is_needed, is_required, leaf_type

SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the pipeline file's JSON Schema (draft 2020-12).

    The loader also refuses every file that this schema refuses. Only the loader checks further rules, such as
    those about two renditions with the same name or key, an output in the source, or the content of a file.
    """
    schema = _table_schema(Pipeline)
    rendition = schema["properties"]["renditions"]["additionalProperties"]
    rendition["allOf"] = list(_rendition_rules())
    rendition["properties"]["watermark"]["allOf"] = list(_watermark_rules())
    lists = (schema["properties"]["accept"]["properties"]["formats"],)
    for several in (*lists, rendition["properties"]["widths"], rendition["properties"]["formats"]):
        several["uniqueItems"] = True
    in_dicom = {"formats": {"contains": _one_of(*PRIVATE_SOURCES)}}
    schema["properties"]["accept"]["allOf"] = [
        _when({"burned_in_annotation": _one_of(True)}, _must(in_dicom)),
        _when({"fonts": _one_of("system")}, _must({"formats": {"contains": _one_of(*sorted(WITH_TEXT))}})),
    ]
    schema["properties"]["notify"]["items"]["allOf"] = list(_notify_rules())
    origins = schema["properties"]["output"]["properties"]["cors_origins"]
    origins |= {"if": {"contains": _one_of("*")}, "then": {"maxItems": 1}}
    schema["properties"]["catalog"]["properties"]["key"]["not"] = _one_of(*sorted(RESERVED_ATTRIBUTES))
    copy = _must({"format": _one_of(*(each.name for each in OUTPUT_FORMATS.values() if each.holds_file))})
    schema["allOf"] = [
        *(
            _when(
                {"catalog": _must({"store": {"pattern": f"^{backend.prefix}"}})},
                {"properties": {"renditions": {"maxProperties": backend.most_renditions}}},
            )
            for backend in CATALOGS
            if backend.most_renditions is not None
        ),
        _when(
            {"accept": _must(in_dicom)},
            {"properties": {"renditions": {"additionalProperties": {"not": copy}}}},
        ),
    ]
    return {"$schema": SCHEMA_URL, "title": "Renditions pipeline"} | schema


def _rendition_rules() -> Iterator[dict[str, Any]]:
    """Yield the rules between a rendition's fields.

    ``checks`` and ``families`` have the same rules with messages.
    """
    for one, several in (("width", "widths"), ("format", "formats")):
        yield _when({several: {}}, {"properties": {one: False}})
    a_width = {"anyOf": [{"required": ["width"]}, {"required": ["widths"]}]}
    box = {"required": ["height"]} | a_width
    yield _when({"fit": _one_of("cover", "contain", "fill", "outside")}, box)
    yield _when({"gravity": _one_of("attention", "entropy", "focus")}, _must({"fit": _one_of("cover")}))
    compass = {"not": _one_of("center")}
    yield _when({"gravity": compass}, _must({"fit": _one_of("cover", "contain")}))
    other_target = {"not": _one_of(Rendition().target)}
    yield _when({"target": other_target}, _must({"quality": _one_of("auto")}))
    yield _when({"focus": {}}, _must({"fit": _one_of("cover")}))
    yield _when({"focus": {}}, {"properties": {"gravity": _one_of("center")}})
    yield _when({"gravity": _one_of("focus")}, {"properties": {"trim": False}})
    either = {"anyOf": [*a_width["anyOf"], {"required": ["height"]}]}
    yield _when({"enlarge": _one_of(True)}, either)
    yield _when({"pixel_ratio": {"exclusiveMinimum": 1}}, either)
    yield _when(
        {"lossless": _one_of(True)}, {"properties": dict.fromkeys(("quality", "chroma", "max_bytes"), False)}
    )
    yield _when({"pages": {"pattern": SEVERAL_PAGES}}, _must({"format": _one_of(*PAGED_OUTPUTS)}))
    for fields_of_side in (("width", "widths"), ("height",)):
        key = _key_without(fields_of_side[0])
        yield {
            "if": {"properties": dict.fromkeys(fields_of_side, False)},
            "then": {"properties": {"key": key}},
        }
    automatic = {"lossless": _one_of(False), "effort": False, "key": _key_without("ext", "format")}
    # The default key contains {ext}.
    yield _when({"format": _one_of(AUTO)}, {"properties": automatic, "required": ["key"]})
    for name, facts in OUTPUT_FORMATS.items():
        condition: dict[str, Any] = {"properties": {"format": _one_of(name)}}
        if name != Rendition().format:
            condition["required"] = ["format"]
        else:
            condition["properties"]["formats"] = False
        rules = {"properties": _format_rules(facts)}
        yield {"if": condition, "then": rules}
        yield _when({"formats": {"contains": _one_of(name)}}, rules)


def _watermark_rules() -> Iterator[dict[str, Any]]:
    """Yield the rules between a watermark's fields.

    ``watermark_checks`` has the same rules with messages.
    """
    yield {"oneOf": [{"required": ["image"]}, {"required": ["text"]}]}
    yield {"dependentRequired": {"font": ["text"], "face": ["font"]}}
    default = Watermark()
    yield _when({"colour": {"not": _one_of(default.colour)}}, {"required": ["text"]})
    yield _when({"gap": {"not": _one_of(default.gap)}}, _must({"tile": _one_of(True)}))


def _notify_rules() -> Iterator[dict[str, Any]]:
    """Yield the rules between the fields of a notice target.

    ``notify_checks`` has the same rules with messages.
    """
    for backend in NOTIFIERS:
        needed = ["secret"] * backend.is_signed + ["sender"] * backend.has_sender
        unused = {"secret", "sender", "subject", "text"}.difference(needed, backend.wording)
        rules = {"required": needed, "properties": dict.fromkeys(sorted(unused), False)}
        yield _when({"to": {"pattern": f"^{backend.prefix}"}}, rules)


def _format_rules(facts: OutputFormat) -> dict[str, Any]:
    """Return the schemas of the fields that this format limits, by the field's name."""
    rules: dict[str, Any] = {
        "width": {"maximum": facts.max_side},
        "widths": {"items": {"maximum": facts.max_side}},
        "height": {"maximum": facts.max_side},
        "effort": {"maximum": facts.effort.high} if facts.effort else False,
    }
    if facts.quality is None:
        rules["quality"] = False
    if not facts.has_lossless_choice:
        rules["lossless"] = _one_of(False)
    if not facts.has_animation:
        rules["animation"] = _one_of("first")
    if not facts.has_transparency:
        rules["background"] = {"not": _one_of("transparent")}
    for field, formats in ENCODER_CHOICES.items():
        if facts.name not in formats:
            rules[field] = _only_default(field)
    if facts.holds_file:
        rules |= {field: _only_default(field) for field in FILE_CHOICES}
    return rules


def _only_default(field: str) -> Any:
    default = getattr(Rendition(), field)
    return False if default in (None, ()) else _one_of(default)


def _key_without(*names: str) -> dict[str, Any]:
    return {"pattern": Template(tuple(name for name in TEMPLATE_FIELDS if name not in names)).regex}


def _when(properties: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    return {"if": _must(properties), "then": then}


def _must(properties: dict[str, Any]) -> dict[str, Any]:
    return {"properties": properties, "required": list(properties)}


def _one_of(*values: Any) -> dict[str, Any]:
    return {"enum": list(values)}


def _table_schema(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    properties = {}
    for spec in fields(cls):
        schema = _value_schema(hints[spec.name])
        if spec.default not in (MISSING, None, ()) and not is_dataclass(spec.default):
            schema.setdefault("default", _plain(spec.default))
        properties[spec.name] = schema
    required = [spec.name for spec in fields(cls) if is_required(spec)]
    rules = {"required": required} if required else {}
    described = {"description": inspect.getdoc(cls)}
    return {"type": "object", "additionalProperties": False, "properties": properties} | rules | described


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def _value_schema(hint: Any) -> dict[str, Any]:
    base, marks = unwrap(hint)
    text = next((mark for mark in marks if isinstance(mark, str)), None)
    described: dict[str, Any] = {"description": text} if text else {}
    described |= next(({"default": _plain(mark.value)} for mark in marks if isinstance(mark, Default)), {})
    if is_dataclass(base) and base is not Attachment:
        return _table_schema(base) | described
    if get_origin(base) is tuple:
        element = get_args(base)[0]
        least = {"minItems": 1} if is_needed(marks) else {}
        return {"type": "array", "items": _value_schema(element)} | least | described
    if get_origin(base) is Mapping:
        tables = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": NAME.regex}}
        return tables | {"additionalProperties": _value_schema(get_args(base)[1])} | described
    return msgspec.json.schema(leaf_type(base, marks)) | described
