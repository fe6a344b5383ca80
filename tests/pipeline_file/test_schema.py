"""The schema and the loader agree on every pair of fields in each table."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jsonschema
import pytest

from renditions.errors import PipelineError
from renditions.model.catalog_place import CatalogPlace
from renditions.model.fields import Attachment, Duration, OneOf, Proportion, Quantity, Range, RangeOr, unwrap
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Rendition, Watermark
from renditions.model.source import Source
from renditions.pipeline_file.field_types import is_required
from renditions.pipeline_file.reading import check
from renditions.pipeline_file.schema import json_schema

HERE = Path("/pipelines")
SCHEMA = jsonschema.Draft202012Validator(json_schema())
ONLY_THE_LOADER = re.compile(
    "a file that can be read|a key of its own|at least (min_|the [0-9])|(left|top) and |a pattern that "
    "|at most [0-9,]+ pixels with [a-z]+ for |declared renditions|outputs outside the source"
)
"""What problems expect if the schema has no rule for them."""
TEXTS = {
    "key": ("{key}", "{key}.{ext}", "{dir}{name}-{width}x{height}", "image_id"),
    "background": ("white", "#fff", "transparent"), "tint": ("white", "#fff"), "colour": ("white", "black"),
    "pages": ("first", "2", "1-3", "all"),
    "image": ("source:logo.png", "logo.png"), "font": ("source:a.ttf", "a.ttf"),
    "store": ("./out", "s3://photos-in/", "sqlite:a.db", "dynamodb:Records"),
    "to": ("log:", "ses:ann@example.org", "sns:arn:aws:sns:eu-west-1:1:topic", "events:a", "webhook:https://a.example",
           "apprise:${A}"),
    "sender": ("ann@example.org",), "secret": ("${A}",), "base_url": ("/images/",), "on_demand_url": ("/i/",),
    "match": ("*.jpg",), "exclude": (".*/",), "cors_origins": ("*", "https://a.example"),
}  # fmt: skip
"""Texts for fields whose pattern isn't a choice. A test uses those that match the pattern."""


def hints_of(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def samples(name: str, hint: Any) -> list[Any]:
    """Return values for a field.

    Among them are its smallest and its largest one, and each of its words.
    """
    base, marks = unwrap(hint)
    if get_origin(base) is tuple:
        several = samples(name, get_args(base)[0])
        return [*([value] for value in several), several[:2]]
    if is_dataclass(base) and base is not Attachment:
        inner = {spec.name: samples(spec.name, hints_of(base)[spec.name]) for spec in fields(base)}
        needed = {spec.name: inner[spec.name][0] for spec in fields(base) if is_required(spec)}
        return [needed | {field: value} for field, values in inner.items() for value in values]
    if get_origin(base) is Literal:
        return list(get_args(base))
    if base is bool:
        return [False, True]
    return next(filter(None, map(samples_of, marks)), None) or [
        text
        for text in TEXTS.get(name, ("a",))
        if all(re.search(mark.regex, text) for mark in marks if hasattr(mark, "regex"))
    ]


def samples_of(mark: Any) -> list[Any]:
    """Return values that this annotation allows; none if it is about texts."""
    match mark:
        case Range(low, high):
            return [low, high]
        case RangeOr(low, high, word):
            return [low, high, word]
        case OneOf(words):
            return list(words)
        case Quantity(unit):
            return [f"1 M{unit}"]
        case Duration():
            return ["1 s"]
        case Proportion():
            return [0.5, "16:9"]
    return []


def disagreement(document: dict[str, Any]) -> str:
    """Return how the loader and the schema differ about a document.

    Return an empty text if they agree.
    """
    does_schema_accept = SCHEMA.is_valid(document)
    try:
        check(document, "renditions.toml", HERE, {})
    except PipelineError as error:
        others = [str(each) for each in error.problems if not ONLY_THE_LOADER.match(each.expected)]
        is_strange = does_schema_accept and len(others) == len(error.problems)
        return f"only the loader refuses {document}: {others}" if is_strange else ""
    return "" if does_schema_accept else f"only the schema refuses {document}"


TABLES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "source": (Source, [{"store": "./in"}]),
    "output": (OutputPlace, [{"store": "./out"}]),
    "accept": (Accept, [{}, {"formats": ["png", "svg", "dicom"]}]),
    "analyze": (Analyze, [{}]),
    "limits": (Limits, [{}]),
    "catalog": (CatalogPlace, [{}]),
    "notify": (Notify, [{"on": ["done"], "to": "log:"}]),
    "rendition": (Rendition, [{}, {"width": 9, "height": 9, "fit": "cover"}]),
    "watermark": (Watermark, [{"text": "a"}, {"image": "source:logo.png"}]),
}
"""The class of each table, and valid tables to which a test adds two fields."""


@pytest.mark.parametrize("table", TABLES)
def test_loader_and_schema_agree_on_each_pair_of_fields_of_a_table(table: str) -> None:
    """The loader may refuse more, but only by rules that the schema doesn't have."""
    cls, bases = TABLES[table]
    values = {name: samples(name, hint) for name, hint in hints_of(cls).items()}
    found = []
    for base, (one, other) in product(bases, combinations(values, 2)):
        for first, second in product(values[one], values[other]):
            content: Any = base | {one: first, other: second}
            document: dict[str, Any] = {
                "source": {"store": "./in"}, "output": {"store": "./out"}, "renditions": {"a": {}}
            }  # fmt: skip
            if table == "notify":
                document["notify"] = [content]
            elif table in ("rendition", "watermark"):
                document["renditions"]["a"] = content if table == "rendition" else {"watermark": content}
            else:
                document[table] = content
            found.append(disagreement(document))
    assert [each for each in found if each] == []
