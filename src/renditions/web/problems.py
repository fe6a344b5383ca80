"""Errors as problem documents (RFC 9457), with a stable code for programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from renditions.errors import CatalogFailed, QueueFailed, RenditionsError, StoreFailed
from renditions.web.causes import explain

log = logging.getLogger("renditions.web")

REQUEST_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid-request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request-too-large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported-media-type",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "range-not-satisfiable",
    HTTPStatus.MISDIRECTED_REQUEST: "unknown-host",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid-request",
    HTTPStatus.TOO_MANY_REQUESTS: "too-many-requests",
    HTTPStatus.NOT_IMPLEMENTED: "answer-too-large",
    HTTPStatus.SERVICE_UNAVAILABLE: "busy",
    HTTPStatus.INSUFFICIENT_STORAGE: "disk-full",
}
"""The codes of problems with a request, by HTTP status. The package's own errors have their own codes.

The codes aren't derived from Python's names of the statuses, because those change between versions.
"""


class ApiError(Exception):
    """A request that the server refuses, or can't answer now.

    Args:
        status: The HTTP status.
        detail: The description of the error.
        errors: The invalid parts of the request: ``(part, description of the error)``.
        code: The error's code; None if it follows from the status.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, errors: Sequence[tuple[str, str]] = (), code: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.code = code


def problem_item(status: int, detail: str, code: str | None = None) -> dict[str, Any]:
    """Return the members of a problem document.

    The document has no ``type``, so its title is the standard phrase of the status. If no ``code`` is
    given, the code follows from the status.
    """
    known = HTTPStatus(status)
    code = code or REQUEST_CODES.get(known, RenditionsError.code)
    return {"title": known.phrase, "status": int(status), "code": code, "detail": detail}


def problem(status: int, detail: str, code: str | None = None, **members: Any) -> Response:
    """Return a problem document as a response."""
    return _answer(problem_item(status, detail, code) | members)


def _answer(item: Mapping[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(item, item["status"], headers, media_type="application/problem+json")


def error_item(error: ApiError | RenditionsError) -> dict[str, Any]:
    """Return the members of the problem document for an error.

    If a store, a catalog or a queue failed, this function logs the error's text, which is for the operator.
    The document then has an explanation instead.
    """
    if isinstance(error, ApiError):
        parts = [{"part": part, "detail": why} for part, why in error.errors]
        item = problem_item(error.status, error.detail, error.code)
        return item | ({"errors": parts} if parts else {})
    detail = str(error)
    if isinstance(error, StoreFailed | CatalogFailed | QueueFailed):
        log.error("%s", detail)
        detail = explain(error.code)
    return problem_item(error.http_status, detail, error.code)


def answer_error(request: Request, error: Exception) -> Response:
    """Return the problem document for an error of an endpoint or of the router.

    If the error isn't an ApiError, a RenditionsError or an HTTPException, raise it again.
    """
    match error:
        case ApiError(status=status):
            is_passing = status == HTTPStatus.SERVICE_UNAVAILABLE
        case RenditionsError(retryable=is_passing):
            pass
        case HTTPException(status_code=status, detail=detail, headers=headers):
            if status == HTTPStatus.NOT_FOUND:  # no route has this path
                path = request.scope["path"]
                detail = f"There is nothing at {path!r}. The page /docs lists the paths of this server."
            response = problem(status, detail)
            response.headers.update(headers or {})
            return response
        case _:
            raise error
    response = _answer(error_item(error))
    if is_passing:
        response.headers["Retry-After"] = "1"
    return response
