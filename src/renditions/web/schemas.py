"""The schemas of the API's requests and answers, as JSON Schema of OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from renditions.core.difference import Action
from renditions.core.outcome import Result
from renditions.core.reasons import STATES
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Pipeline
from renditions.model.record import STATUSES
from renditions.model.shapes import describe_record
from renditions.web.batch import ACTIONS, MOST_NAMES
from renditions.web.uploads import NAME_PATTERN

TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_STATUS = {"enum": list(STATUSES)}
_CODE = TEXT | {"description": "A stable short name of the error or warning; docs/errors.md lists them"}
_COUNT = {"type": "integer", "minimum": 0}
_RENAMED_FROM = TEXT | {"description": "The former name, if the picture was renamed"}


def describe_shapes(pipeline: Pipeline) -> dict[str, Any]:
    """Return the schemas of this pipeline's API, by name."""
    return {
        "UploadRequest": _describe_upload(pipeline),
        "Picture": _describe_picture(pipeline.catalog.key),
        **_ANY,
        **_UPLOADS,
        **_PICTURES,
        **_CHANGES,
        **_STATE,
    }


def _describe_upload(pipeline: Pipeline) -> dict[str, Any]:
    accept = pipeline.accept
    return _object(
        {
            "name": {"type": "string", "pattern": _describe_names(pipeline.source.patterns.match)},
            "type": {"enum": [SOURCE_FORMATS[each].media_type for each in accept.formats]},
            "size_bytes": {"type": "integer", "minimum": 1, "maximum": accept.max_bytes},
            "replace": {"type": "boolean", "default": False},
        },
        ("name", "type", "size_bytes"),
        is_closed=True,
    )


def _describe_picture(key: str) -> dict[str, Any]:
    return _object(
        {
            "name": TEXT,
            **describe_record(key)["properties"],
            "snippet": TEXT | {"description": "A <picture> for a web page; missing in lists of pictures"},
            "follows_focus": {
                "type": "boolean",
                "description": 'Whether a rendition has `gravity = "focus"`; missing in lists of pictures',
            },
            "unsent_notices": _array(_object(_UNSENT, ("event", "target", "given_up", "attempts"))),
            "preview": TEXT
            | {"description": "The URL of the smallest rendition that browsers show, or of a preview"},
            "links": _object(
                {
                    "original": TEXT,
                    "shown_original": TEXT
                    | {"description": "The URL at which browsers can show the original or its preview"},
                    "renditions": {"type": "object", "additionalProperties": TEXT},
                },
                ("original", "renditions"),
            )
            | {"description": "The URLs of the original and the renditions; missing in lists of pictures"},
        },
        ("name", key, "status", "timestamp"),
    )


def ref(schema: str) -> dict[str, Any]:
    """Return a reference to one of the schemas."""
    return {"$ref": f"#/components/schemas/{schema}"}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(
    properties: dict[str, Any], required: tuple[str, ...], *, is_closed: bool = False
) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(required)}
    return schema | ({"additionalProperties": False} if is_closed else {})


def _describe_names(match: Sequence[str]) -> str:
    """Return a regular expression for the names that uploads may have.

    It allows every suffix if a pattern in ``match`` is more than a suffix.
    """
    suffixes = [re.fullmatch(r"\*\.([a-z0-9]+)", each.lower()) for each in match]
    if None in suffixes:
        return f"^{NAME_PATTERN}$"
    in_both_cases = [
        "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in found[1])
        for found in suffixes
        if found
    ]
    return rf"^{NAME_PATTERN}\.({'|'.join(in_both_cases)})$"


_KEYS_BY_RENDITION = {
    "type": "object",
    "additionalProperties": _object({"key": TEXT}, ("key",)),
    "description": "The key of each rendition's output, by the rendition's name",
}
_COLLECTED = {"type": "boolean", "description": "Whether the notice waits for a digest"}
_UNSENT: dict[str, Any] = {
    **dict.fromkeys(("event", "target", "name", "reason"), TEXT),
    "timestamp": _TIME,
    "again_at": _TIME,
    "attempts": _COUNT,
    "given_up": {"type": "boolean"},
    "collected": _COLLECTED,
}
_PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
_TROUBLE = _object({"part": TEXT, "code": _CODE, "detail": TEXT}, ("part", "code", "detail"))
_ANY = {
    "File": {"type": "string", "format": "binary"},
    "Problem": _object(
        {
            "title": TEXT,
            "status": {"type": "integer"},
            "code": _CODE,
            "detail": TEXT,
            "errors": _array(_object({"part": TEXT, "detail": TEXT}, ("part", "detail"))),
        },
        ("title", "status", "code", "detail"),
    ),
}
_UPLOADS = {
    "UploadForm": _object(
        {
            "name": TEXT,
            "url": TEXT,
            "fields": {"type": "object", "additionalProperties": TEXT},
            "expires_at": {"type": "integer", "description": "Unix time in seconds"},
        },
        ("name", "url", "fields", "expires_at"),
    ),
    "UploadFile": _object(
        dict.fromkeys(("key", "Content-Type", "policy", "x-signature"), TEXT)
        | {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
        ("key", "Content-Type", "policy", "x-signature", "file"),
        is_closed=True,
    ),
}
_PICTURES = {
    "Binned": _object(
        {"deletion": TEXT, "name": TEXT, "size_bytes": _COUNT, "deleted_at": _TIME, "kept_until": _TIME},
        ("deletion", "name", "size_bytes", "deleted_at", "kept_until"),
    ),
    "Bin": _object(
        {
            "pictures": _array(ref("Binned")),
            "count": _COUNT | {"description": "How many deleted pictures can be restored"},
        },
        ("pictures", "count"),
    ),
    "Restored": _object({"name": TEXT}, ("name",)),
    "PicturePage": _object(
        {"pictures": _array(ref("Picture")), "next": {"type": ["string", "null"]}}, ("pictures", "next")
    ),
    "Outcome": _object(
        {
            "name": TEXT,
            "result": {"enum": list(get_args(Result))},
            "reason": {"type": ["string", "null"]},
            "code": _CODE | {"type": ["string", "null"]},
            "renditions": _KEYS_BY_RENDITION,
            "picture": {"anyOf": [ref("Picture"), {"type": "null"}]},
            "renamed_from": _RENAMED_FROM,
        },
        ("name", "result", "reason", "code", "renditions", "picture"),
    ),
    "Focus": _object({"x": _PERCENT, "y": _PERCENT}, ("x", "y"), is_closed=True),
}
_CHANGES = {
    "BatchRequest": _object(
        {
            "action": {
                "enum": list(ACTIONS),
                "description": "`demand` asks the server to make a rendition soon, even one with `on_demand`",
            },
            "names": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": MOST_NAMES},
            "rendition": TEXT | {"description": "The rendition that `demand` requests"},
        },
        ("action", "names"),
        is_closed=True,
    ),
    "BatchResults": _object(
        {
            "results": _array(
                _object(
                    {"name": TEXT, "problem": {"anyOf": [ref("Problem"), {"type": "null"}]}},
                    ("name", "problem"),
                )
            )
        },
        ("results",),
    ),
    "AllowRequest": _object(
        {"count": _COUNT | {"description": "The number of missing pictures, as /status shows it"}},
        ("count",),
        is_closed=True,
    ),
    "Allowed": _object({"allowed": _COUNT}, ("allowed",)),
    "RetryRequest": _object(
        {"statuses": _array({"enum": list(STATUSES)}), "cursor": TEXT, "code": TEXT}, (), is_closed=True
    ),
    "Problems": _object(
        {
            "groups": _array(
                _object(
                    {
                        "status": _STATUS,
                        "code": _CODE,
                        "count": _COUNT,
                        "meaning": TEXT | {"description": "The cause, as a sentence"},
                        "advice": TEXT | {"description": "What a person can do"},
                        "pictures": _array(_object({"name": TEXT, "reason": TEXT}, ("name", "reason"))),
                    },
                    ("status", "code", "count", "meaning", "advice", "pictures"),
                )
            ),
            "checked": _COUNT | {"description": "How many pictures the answer covers"},
            "next": {"type": ["string", "null"]},
        },
        ("groups", "checked", "next"),
    ),
    "Retried": _object({"retried": _COUNT, "next": {"type": ["string", "null"]}}, ("retried", "next")),
}
_STATE = {
    "Health": _object({"status": {"enum": ["ok"]}}, ("status",)),
    "Ready": _object({"status": {"enum": ["ready"]}}, ("status",)),
    "Events": TEXT
    | {
        "description": "Server-sent events (WHATWG HTML, 9.2): `reset` if the client must read everything "
        "again, `hello` when the stream begins, `picture` with an Outcome as data, and `here` from time to "
        "time if nothing else is sent"
    },
    "Status": _object(
        {
            "by_status": {"type": "object", "additionalProperties": _COUNT},
            "held": _array(
                _object(
                    {
                        "what": {"enum": ["removals", "renditions", "output", "catalog"]},
                        "count": _COUNT,
                        "why": TEXT,
                        "since": _TIME,
                        "summary": TEXT,
                    },
                    ("what", "count", "why", "since"),
                )
            ),
            "reasons": _array(
                _object(
                    {
                        "state": {"enum": list(STATES)},
                        "reason": TEXT,
                        "code": {"type": ["string", "null"]},
                        "example": TEXT | {"description": "The name of one of the pictures"},
                        "count": _COUNT,
                    },
                    ("state", "reason", "code", "example", "count"),
                )
            ),
            "unsent_notices": _array(
                _object(
                    {
                        "target": TEXT,
                        "reason": TEXT,
                        "given_up": {"type": "boolean"},
                        "collected": _COLLECTED,
                        "count": _COUNT,
                    },
                    ("target", "reason", "given_up", "collected", "count"),
                )
            ),
            "troubles": _array(_TROUBLE) | {"description": "What the server lacked at the newest check"},
            "polling": {
                "type": ["string", "null"],
                "description": "A sentence about the folder that the server polls; null if it polls none",
            },
            "former_patterns": {
                "type": "boolean",
                "description": "Whether the default patterns of version 0.1 apply",
            },
            "superseded": {"type": ["string", "null"]},
            "generation": {
                "type": ["integer", "null"],
                "description": "The number of the pipeline file's version that the catalog uses; null "
                "before the first version is applied",
            },
            "file_problem": {
                "type": ["string", "null"],
                "description": "Why the newest version of the pipeline file isn't applied; null if it is",
            },
            "read_only": {"type": "boolean", "description": "Whether uploads and deletions are refused"},
            "keep_deleted_seconds": {
                "type": "number",
                "description": "How long a deleted picture can be restored; 0 if a deletion is final",
            },
        },
        (
            "by_status",
            "reasons",
            "unsent_notices",
            "held",
            "troubles",
            "polling",
            "former_patterns",
            "read_only",
            "keep_deleted_seconds",
            "superseded",
            "generation",
            "file_problem",
        ),
    ),
    "Plan": _object(
        {
            "counts": {"type": "object", "additionalProperties": _COUNT},
            "differences": _array(
                _object(
                    {
                        "name": TEXT,
                        "action": {"enum": list(get_args(Action))},
                        "why": TEXT,
                        "make": _KEYS_BY_RENDITION,
                        "delete": _array(TEXT),
                        "retire": _array(
                            _object(
                                {"key": TEXT, "etag": TEXT, "delete_after": TEXT, "place": TEXT}, ("key",)
                            )
                        ),
                        "renamed_from": _RENAMED_FROM,
                        "warning": TEXT,
                    },
                    ("name", "action", "why", "make", "delete"),
                )
            ),
        },
        ("counts", "differences"),
    ),
    "Formats": _object(
        {
            "sources": _array(
                _object(
                    {"format": TEXT, "suffixes": _array(TEXT), "type": TEXT},
                    ("format", "suffixes", "type"),
                )
            ),
            "shown": _array(_object({"format": TEXT, "type": TEXT}, ("format", "type"))),
        },
        ("sources", "shown"),
    ),
    "Stats": _object(
        {
            "counted_at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the pictures were counted; null if they were counted for this answer",
            },
            "pictures": _COUNT,
            "by_status": {"type": "object", "additionalProperties": _COUNT},
            "original_bytes": _COUNT,
            "renditions": _COUNT,
            "rendition_bytes": _COUNT,
            "replaced_bytes": {
                **_COUNT,
                "description": "The bytes of the originals, counted once for each of their renditions",
            },
            "processing_seconds": {"type": "number", "minimum": 0},
        },
        ("pictures", "by_status", "original_bytes", "renditions", "rendition_bytes", "replaced_bytes"),
    ),
}
