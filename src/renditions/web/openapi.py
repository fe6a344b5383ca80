"""The API's description (OpenAPI 3.1), served at ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Container
from importlib.metadata import version
from typing import Any

from renditions.core.bin import DELETION_PATTERN
from renditions.model.pipeline import Pipeline
from renditions.web.operations import ALWAYS, SUBJECTS, Answer, Body, Operation, known_parameters
from renditions.web.schemas import TEXT, describe_shapes, ref


def describe_api(pipeline: Pipeline, paths: Container[str], root_path: str = "") -> dict[str, Any]:
    """Return the OpenAPI document of this pipeline's API.

    It describes the paths that this server serves, below ``root_path``.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Renditions",
            "version": version("renditions"),
            "description": "Read and manage pictures and the renditions that the pipeline file declares.",
        },
        "servers": [{"url": root_path or "/"}],
        "tags": [{"name": subject} for subject in SUBJECTS],
        "paths": _describe_paths(pipeline, paths),
        "components": {
            "schemas": describe_shapes(pipeline),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "renditions_token"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def _describe_paths(pipeline: Pipeline, paths: Container[str]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for subject, operations in SUBJECTS.items():
        for each in operations:
            if each.path in paths:
                item = _describe(each, subject, pipeline, paths)
                described.setdefault(each.path, {})[each.method] = item
    return described


def _describe(
    operation: Operation, subject: str, pipeline: Pipeline, paths: Container[str]
) -> dict[str, Any]:
    problem = {
        "description": "The error",
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }
    answers = {str(status): _describe_answer(answer) for status, answer in operation.answers.items()}
    item: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [subject],
        "summary": operation.summary,
        "responses": answers | dict.fromkeys(map(str, (*operation.problems, *ALWAYS)), problem),
    }
    parameters = [
        *(each for part, each in _path_parameters(pipeline).items() if part in operation.path),
        *(
            {"name": each.name, "in": "query", "schema": each.schema, "description": each.description}
            for each in known_parameters(operation, paths)
        ),
    ]
    if parameters:
        item["parameters"] = parameters
    if operation.body:
        item["requestBody"] = _describe_body(operation.body)
    return item


def _path_parameters(pipeline: Pipeline) -> dict[str, Any]:
    """Return the parameters in paths, by how a path spells them."""
    rendition = {"type": "string", "enum": list(pipeline.renditions)}
    described = {
        "rendition": (rendition, "The rendition's name in the pipeline file."),
        "name": (TEXT, "The picture's name: its key in the source, including slashes."),
        "deletion": (TEXT | {"pattern": f"^{DELETION_PATTERN}$"}, "The id of the deletion."),
    }
    return {
        f"{{{name}}}": {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
        }
        for name, (schema, description) in described.items()
    }


def _describe_answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.schema:
        described["content"] = {answer.media_type: {"schema": ref(answer.schema)}}
    return described


def _describe_body(body: Body) -> dict[str, Any]:
    return {"required": body.is_required, "content": {body.media_type: {"schema": ref(body.schema)}}}
