"""The API's description (OpenAPI 3.1), served at ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Container
from importlib.metadata import version
from typing import Any

from renditions.model.pipeline import Pipeline
from renditions.model.record import STATUSES
from renditions.web.pictures import CURSOR_PATTERN
from renditions.web.requests import DEFAULT_LISTED, MOST_LISTED
from renditions.web.schemas import TEXT, describe_shapes, ref

_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The picture's name: its key in the source, including slashes.",
    "schema": TEXT,
}
_BYTES = {
    "200": {"description": "The file", "content": {"*/*": {}}},
    "206": {"description": "The requested part of the file", "content": {"*/*": {}}},
    "304": {"description": "Not changed since the given ETag"},
}
_SIGNATURE = [
    {"name": name, "in": "query", "description": f"Only in a signed URL: {what}.", "schema": TEXT}
    for name, what in (
        ("expires", "when it expires, in Unix time"),
        ("key", "the id of the key that signed it"),
        ("signature", "the HMAC-SHA256 of expiry, key and path. The request needs no token"),
    )
]


def describe_api(pipeline: Pipeline, paths: Container[str], root_path: str = "") -> dict[str, Any]:
    """Return the OpenAPI document of this pipeline's API.

    It describes the paths that this server serves, below ``root_path``.
    """
    # Without a log-out, a gateway decides which requests it lets through, and it knows no signatures.
    signature = _SIGNATURE if "/logout" in paths else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Renditions",
            "version": version("renditions"),
            "description": "Read and manage pictures and the renditions that the pipeline file declares.",
        },
        "servers": [{"url": root_path or "/"}],
        "paths": {path: item for path, item in _paths(pipeline, signature).items() if path in paths},
        "components": {
            "schemas": describe_shapes(pipeline),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "renditions_token"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def _paths(pipeline: Pipeline, signature: list[Any]) -> dict[str, Any]:
    rendition = {
        "name": "rendition",
        "in": "path",
        "required": True,
        "description": "The rendition's name in the pipeline file.",
        "schema": {"enum": list(pipeline.renditions)},
    }
    return {
        "/uploads": {
            "post": _operation(
                "makeUpload",
                "Get a form to upload one file",
                {
                    "201": _json(
                        "The form. Post its fields, then the file as `file`, to the form's URL", "UploadForm"
                    )
                },
                body=_body("UploadRequest"),
                problems=(400, 409, 413, 415, 422),
            )
        },
        "/uploads/file": {
            "post": _operation(
                "sendUpload",
                "Upload a file with a form from /uploads",
                {"204": {"description": "The picture is stored, and its renditions will be made"}},
                body=_body("UploadFile", "multipart/form-data"),
                problems=(400, 409, 413, 422, 503),
            )
        },
        "/pictures": {
            "get": _operation(
                "listPictures",
                "List pictures, newest first",
                {
                    "200": _json("One page of the list", "PicturePage"),
                    "304": {"description": "Not changed since the given ETag"},
                },
                parameters=[
                    _query("status", {"enum": list(STATUSES)}, "Only pictures of this status."),
                    _query("prefix", TEXT, "Only pictures whose names begin with this text."),
                    _query(
                        "cursor",
                        {"type": "string", "pattern": CURSOR_PATTERN},
                        "The value of `next` in the previous page.",
                    ),
                    _query(
                        "limit",
                        {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": DEFAULT_LISTED},
                        "How many pictures a page has at most.",
                    ),
                ],
                problems=(400,),
            )
        },
        "/problems": {
            "get": _operation(
                "listProblems",
                "Group the next 1,000 pictures of a status by the cause of their problem",
                {
                    "200": _json("The causes", "Problems"),
                    "304": {"description": "Not changed since the given ETag"},
                },
                parameters=[
                    _query(
                        "status",
                        {"enum": list(STATUSES), "default": "failed"},
                        "Pictures of this status. Of those that are `done`, the ones with warnings.",
                    ),
                    _query(
                        "cursor",
                        {"type": "string", "pattern": CURSOR_PATTERN},
                        "The value of `next` in the previous answer.",
                    ),
                ],
                problems=(400,),
            )
        },
        "/pictures/{name}": {
            "get": _operation(
                "showPicture",
                "Show a picture's record",
                {
                    "200": _json("The record", "Picture"),
                    "304": {"description": "Not changed since the given ETag"},
                },
                parameters=[_NAME],
                problems=(404,),
            ),
            "delete": _operation(
                "deletePicture",
                "Delete a picture with its renditions and its record",
                {"204": {"description": "The picture is deleted"}},
                parameters=[_NAME],
                problems=(404, 409),
            ),
        },
        "/pictures/{name}/process": {
            "post": _operation(
                "processPicture",
                "Process a picture now",
                {"200": _json("The outcome", "Outcome")},
                parameters=[
                    _NAME,
                    _query(
                        "again",
                        {"enum": ["true", "false"]},
                        "`true`: also retry a rejected or failed picture, and restore outputs.",
                    ),
                ],
                problems=(400, 503),
            )
        },
        "/pictures/{name}/focus": {
            "put": _operation(
                "setFocus",
                'Set the point that renditions with `gravity = "focus"` keep',
                {"200": _json("The record", "Picture")},
                parameters=[_NAME],
                body=_body("Focus"),
                problems=(400, 404, 409, 413, 415, 422),
            ),
            "delete": _operation(
                "clearFocus",
                "Remove the point, so that these renditions keep the center again",
                {"200": _json("The record", "Picture")},
                parameters=[_NAME],
                problems=(404, 409),
            ),
        },
        "/originals/{name}": {
            "get": _operation(
                "readOriginal",
                "Download a picture's original",
                _BYTES,
                parameters=[_NAME, *signature],
                problems=(404, 416),
            )
        },
        "/renditions/{rendition}/{name}": {
            "get": _operation(
                "readRendition",
                "Download an existing rendition",
                _BYTES,
                parameters=[
                    rendition,
                    _NAME,
                    _query("v", TEXT, "The rendition's ETag. Clients may then cache the answer for ever."),
                    *signature,
                ],
                problems=(404, 416),
            )
        },
        "/i/{rendition}/{name}": {
            "get": _operation(
                "demandRendition",
                "Download a rendition. If it doesn't exist, the server makes it first",
                _BYTES,
                parameters=[rendition, _NAME, *signature],
                problems=(404, 416, 422, 503),
            )
        },
        "/retry": {
            "post": _operation(
                "retry",
                "Retry failed pictures, or those with the given statuses and code, 200 with each request",
                {"200": _json("How many pictures are retried", "Retried")},
                body=_body("RetryRequest", is_required=False),
                problems=(400, 413, 415, 422),
            )
        },
        "/removals/allow": {
            "post": _operation(
                "allowRemovals",
                "Allow the removals of missing pictures that are held back",
                {"200": _json("How many removals are allowed", "Allowed")},
                body=_body("AllowRequest"),
                problems=(400, 409, 413, 415, 422),
            )
        },
        "/status": {
            "get": _operation(
                "showStatus",
                "Show counts, what is held back, and why pictures wait, failed or were rejected",
                {
                    "200": _json("The status", "Status"),
                    "304": {"description": "Not changed since the given ETag"},
                },
            )
        },
        "/plan": {
            "get": _operation("showPlan", "Show what a sync would do", {"200": _json("The plan", "Plan")})
        },
        "/stats": {
            "get": _operation(
                "showStats",
                "Count pictures and bytes",
                {
                    "200": _json("The totals", "Stats"),
                    "304": {"description": "Not changed since the given ETag"},
                },
            )
        },
        "/formats": {
            "get": _operation(
                "showFormats",
                "List the formats that pictures may have, and the formats that browsers show",
                {
                    "200": _json("The formats", "Formats"),
                    "304": {"description": "Not changed since the given ETag"},
                },
            )
        },
        "/events": {
            "get": _operation(
                "listen",
                "Stream picture events until either side disconnects",
                {"200": {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
            )
        },
        "/health": {
            "get": _operation(
                "health",
                "Check that the server is running",
                {"200": {"description": "The server is running", "content": _any_json()}},
            )
        },
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
            "description": "The error",
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
        for status in (*problems, 401, 403, 421, 429)
    }
    operation: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses | refused}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = body
    return operation


def _body(schema: str, media_type: str = "application/json", *, is_required: bool = True) -> dict[str, Any]:
    return {"required": is_required, "content": {media_type: {"schema": ref(schema)}}}


def _query(name: str, schema: Any, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}}


def _any_json() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}
