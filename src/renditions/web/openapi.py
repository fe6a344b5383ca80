"""The API's own description (OpenAPI 3.1), as ``/openapi.json`` gives it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, get_args

from renditions.difference import Action
from renditions.pipeline import Pipeline
from renditions.record import STATUSES

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_STATUS = {"enum": list(STATUSES)}
_COUNT = {"type": "integer", "minimum": 0}
_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The picture's name: its key in the source, slashes and all.",
    "schema": _TEXT,
}
_RENDITION = {
    "name": "rendition",
    "in": "path",
    "required": True,
    "description": "The rendition's name in the pipeline file.",
    "schema": _TEXT,
}


def describe_api(pipeline: Pipeline) -> dict[str, Any]:
    """Return the OpenAPI document of the API over this pipeline."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Renditions",
            "version": version("renditions"),
            "description": "Pictures, and the renditions that the pipeline file declares of them.",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(pipeline),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "renditions_token"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def _paths() -> dict[str, Any]:
    return {
        "/uploads": {
            "post": _operation(
                "makeUpload",
                "Ask for a form to upload one file with",
                {
                    "201": _json(
                        "The form: send its fields and then the file as `file` to its URL", "UploadForm"
                    )
                },
                body=_ref("UploadRequest"),
                problems=(400, 403, 409, 413, 415, 422),
            )
        },
        "/pictures": {
            "get": _operation(
                "listPictures",
                "List pictures, newest first",
                {"200": _json("One page", "PicturePage"), "304": {"description": "As the ETag said"}},
                parameters=[
                    _query("status", {"enum": list(STATUSES)}, "Only those of this status."),
                    _query("prefix", _TEXT, "Only those whose names begin with it."),
                    _query("cursor", _TEXT, "`next` of the page before."),
                    _query(
                        "limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "How many."
                    ),
                ],
                problems=(400,),
            )
        },
        "/pictures/{name}": {
            "get": _operation(
                "showPicture",
                "Show a picture's record",
                {"200": _json("The record", "Picture"), "304": {"description": "As the ETag said"}},
                parameters=[_NAME],
                problems=(404,),
            ),
            "delete": _operation(
                "deletePicture",
                "Delete a picture with its renditions and its record",
                {"204": {"description": "It is gone"}},
                parameters=[_NAME],
                problems=(403, 404, 409),
            ),
        },
        "/pictures/{name}/process": {
            "post": _operation(
                "processPicture",
                "Process a picture now",
                {"200": _json("What became of it", "Outcome")},
                parameters=[
                    _NAME,
                    _query("again", {"enum": ["true", "false"]}, "Also if it was rejected or given up."),
                ],
                problems=(403, 503),
            )
        },
        "/pictures/{name}/focus": {
            "put": _operation(
                "setFocus",
                'Have the picture cut around a point, where a rendition says `gravity = "focus"`',
                {"200": _json("The record", "Picture")},
                parameters=[_NAME],
                body=_ref("Focus"),
                problems=(400, 403, 404, 409, 413, 415, 422),
            ),
            "delete": _operation(
                "clearFocus",
                "Have the picture cut around its middle again",
                {"200": _json("The record", "Picture")},
                parameters=[_NAME],
                problems=(403, 404, 409),
            ),
        },
        "/i/{rendition}/{name}": {
            "get": _operation(
                "demandRendition",
                "Read a rendition; one with `on_demand` is made first if it isn't there yet",
                {
                    "200": {"description": "Its bytes", "content": {"image/*": {}}},
                    "206": {"description": "A part of them", "content": {"image/*": {}}},
                    "304": {"description": "As the ETag said"},
                },
                parameters=[_RENDITION, _NAME],
                problems=(404, 416, 422, 503),
            )
        },
        "/retry": {
            "post": _operation(
                "retry",
                "Have failed (or rejected) pictures tried again",
                {"200": _json("How many", "Retried")},
                body=_ref("RetryRequest"),
                problems=(400, 403, 413, 415, 422),
            )
        },
        "/plan": {
            "get": _operation("showPlan", "Show what is to be done", {"200": _json("The plan", "Plan")})
        },
        "/stats": {
            "get": _operation(
                "showStats",
                "Count pictures and bytes",
                {"200": _json("The totals", "Stats"), "304": {"description": "As the ETag said"}},
            )
        },
        "/health": {
            "get": _operation(
                "health",
                "Tell that the server lives",
                {"200": {"description": "It does", "content": _any_json()}},
            )
        },
    }


def _schemas(pipeline: Pipeline) -> dict[str, Any]:
    key = pipeline.catalog.key
    rendition = _object(
        {
            "key": _TEXT,
            "etag": _TEXT,
            "source_etag": _TEXT,
            "fingerprint": _TEXT,
            "format": _TEXT,
            "size_bytes": _COUNT,
            "width": _COUNT,
            "height": _COUNT,
        },
        ("key", "etag", "format", "size_bytes"),
    )
    number = {"type": "number"}
    percent = number | {"minimum": 0, "maximum": 100}
    focus = {"x": percent, "y": percent}
    event = {"timestamp": _TIME, "status": _STATUS, "reason": _TEXT}
    exif = dict.fromkeys(("make", "model", "lens", "taken"), _TEXT)
    exif |= dict.fromkeys(("exposure_seconds", "f_number", "iso", "focal_length_mm"), number)
    place = dict.fromkeys(("latitude", "longitude", "altitude_m"), number)
    analysis = {
        "exif": _object(exif, ()),
        "position": _object(place, ("latitude", "longitude")),
        "colours": _array(_object({"colour": _TEXT, "share": number}, ("colour", "share"))),
        "thumbhash": _TEXT,
        "blurhash": _TEXT,
        "perceptual_hash": _TEXT,
        "sharpness": number,
        "transparency": {"type": "boolean"},
    }
    picture = _object(
        {
            "name": _TEXT,
            key: _TEXT,
            "status": _STATUS,
            "timestamp": _TIME,
            "reason": _TEXT,
            "original_size_bytes": _COUNT,
            "original_width": _COUNT,
            "original_height": _COUNT,
            "analysis": _object(analysis, ()),
            "history": _array(_object(event, ("timestamp", "status", "reason"))),
            "focus": _object(focus, ("x", "y")),
            "renditions": {"type": "object", "additionalProperties": rendition},
        },
        ("name", key, "status", "timestamp"),
    )
    return {
        "Problem": _object(
            {
                "title": _TEXT,
                "status": {"type": "integer"},
                "detail": _TEXT,
                "errors": _array(_object({"part": _TEXT, "detail": _TEXT}, ("part", "detail"))),
            },
            ("title", "status", "detail"),
        ),
        "UploadRequest": _object(
            {
                "name": _TEXT,
                "type": {"type": "string", "description": "The file's media type"},
                "size_bytes": {"type": "integer"},
                "replace": {"type": "boolean", "default": False},
            },
            ("name", "type", "size_bytes"),
            is_closed=True,
        ),
        "UploadForm": _object(
            {
                "name": _TEXT,
                "url": _TEXT,
                "fields": {"type": "object", "additionalProperties": _TEXT},
                "expires_at": {"type": "integer", "description": "Unix time in seconds"},
            },
            ("name", "url", "fields", "expires_at"),
        ),
        "Picture": picture,
        "PicturePage": _object(
            {"pictures": _array(_ref("Picture")), "next": {"type": ["string", "null"]}}, ("pictures", "next")
        ),
        "Outcome": _object(
            {
                "name": _TEXT,
                "result": {"enum": ["done", "rejected", "failed", "removed", "unchanged", "waiting"]},
                "reason": {"type": ["string", "null"]},
                "picture": {"anyOf": [_ref("Picture"), {"type": "null"}]},
            },
            ("name", "result"),
        ),
        "Focus": _object(focus, ("x", "y"), is_closed=True),
        "RetryRequest": _object({"statuses": _array({"enum": list(STATUSES)})}, (), is_closed=True),
        "Retried": _object({"retried": _COUNT}, ("retried",)),
        "Plan": _object(
            {
                "counts": {"type": "object", "additionalProperties": _COUNT},
                "differences": _array(
                    _object(
                        {
                            "name": _TEXT,
                            "action": {"enum": list(get_args(Action))},
                            "why": _TEXT,
                            "make": _array(_TEXT),
                            "delete": _array(_TEXT),
                        },
                        ("name", "action", "why", "make", "delete"),
                    )
                ),
            },
            ("counts", "differences"),
        ),
        "Stats": _object(
            {
                "pictures": _COUNT,
                "by_status": {"type": "object", "additionalProperties": _COUNT},
                "original_bytes": _COUNT,
                "renditions": _COUNT,
                "rendition_bytes": _COUNT,
            },
            ("pictures", "by_status", "original_bytes", "renditions", "rendition_bytes"),
        ),
    }


def _operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    *,
    parameters: list[Any] | None = None,
    body: Any = None,
    problems: tuple[int, ...] = (),
) -> dict[str, Any]:
    refused = {
        str(status): {
            "description": "Why not",
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
        for status in (*problems, 401, 421)
    }
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses | refused}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _query(name: str, schema: Any, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _any_json() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}


def _ref(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(
    properties: dict[str, Any], required: tuple[str, ...], *, is_closed: bool = False
) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(required)}
    return schema | ({"additionalProperties": False} if is_closed else {})
