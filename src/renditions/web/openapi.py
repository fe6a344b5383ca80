"""The API's description (OpenAPI 3.1), served at ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Container
from importlib.metadata import version
from typing import Any

from renditions.core.bin import DELETION_PATTERN
from renditions.model.pipeline import Pipeline
from renditions.web.examples import EXAMPLES, describe_examples
from renditions.web.operations import ALWAYS, SUBJECTS, Answer, Operation, known_parameters
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
        "paths": _Description(pipeline, paths).describe_paths(),
        "components": {
            "schemas": describe_shapes(pipeline),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "renditions_token"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


class _Description:
    """The operations of one pipeline's API on a server with these paths."""

    def __init__(self, pipeline: Pipeline, paths: Container[str]) -> None:
        self._paths = paths
        self._examples = describe_examples(pipeline)
        self._parameters = _path_parameters(pipeline, self._examples["Picture"]["name"])
        problem = Answer("The error", "Problem", ("application/problem+json",))
        self._problem = self._describe_answer(problem)

    def describe_paths(self) -> dict[str, Any]:
        """Return the document's ``paths``."""
        described: dict[str, Any] = {}
        for subject, operations in SUBJECTS.items():
            for each in operations:
                if each.path in self._paths:
                    described.setdefault(each.path, {})[each.method] = self._describe(each, subject)
        return described

    def _describe(self, operation: Operation, subject: str) -> dict[str, Any]:
        answers = {str(status): self._describe_answer(each) for status, each in operation.answers.items()}
        refused = dict.fromkeys(map(str, (*operation.problems, *ALWAYS)), self._problem)
        item: dict[str, Any] = {
            "operationId": operation.name,
            "tags": [subject],
            "summary": operation.summary,
            "responses": answers | refused,
        }
        parameters = [
            *(each for part, each in self._parameters.items() if part in operation.path),
            *(
                {"name": each.name, "in": "query", "schema": each.schema, "description": each.description}
                for each in known_parameters(operation, self._paths)
            ),
        ]
        if parameters:
            item["parameters"] = parameters
        if body := operation.body:
            content = self._describe_content(body.schema, body.media_type)
            item["requestBody"] = {"required": body.is_required, "content": content}
        return item

    def _describe_answer(self, answer: Answer) -> dict[str, Any]:
        described: dict[str, Any] = {"description": answer.description}
        if answer.schema:
            described["content"] = self._describe_content(answer.schema, *answer.media_types)
        return described

    def _describe_content(self, schema: str, *media_types: str) -> dict[str, Any]:
        content: dict[str, Any] = {"schema": ref(schema)}
        if schema in self._examples:
            content["example"] = self._examples[schema]
        return dict.fromkeys(media_types, content)


def _path_parameters(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """Return the parameters in paths, by their text in a path, such as ``{name}``."""
    renditions = list(pipeline.renditions)
    described = {
        "rendition": (
            {"type": "string", "enum": renditions},
            "The rendition's name in the pipeline file.",
            renditions[0],
        ),
        "name": (TEXT, "The picture's name: its key in the source, including slashes.", name),
        "deletion": (
            TEXT | {"pattern": f"^{DELETION_PATTERN}$"},
            "The id of the deletion.",
            EXAMPLES["Binned"]["deletion"],
        ),
    }
    return {
        f"{{{part}}}": {
            "name": part,
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
            "example": example,
        }
        for part, (schema, description, example) in described.items()
    }
