"""Errors as problem documents (RFC 9457): what was expected and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from renditions.errors import RenditionsError


class ApiError(Exception):
    """A request that can't be done as it is.

    Args:
        status: The HTTP status.
        detail: What was expected and what was found.
        errors: The same for each part of the request that is wrong: ``(part, detail)``.

    """

    def __init__(self, status: HTTPStatus, detail: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors


def problem(status: int, detail: str, **members: Any) -> Response:
    """Return a problem document; its ``type`` is left out, so its title is the status's own phrase."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return JSONResponse(body, status, media_type="application/problem+json")


def answer_error(_: Request, error: Exception) -> Response:
    """Return the problem document of whatever an endpoint raised."""
    match error:
        case ApiError(status=status, detail=detail, errors=errors):
            parts = [{"part": part, "detail": why} for part, why in errors]
            response = problem(status, detail, **({"errors": parts} if parts else {}))
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                response.headers["Retry-After"] = "1"
            return response
        case HTTPException(status_code=status, detail=detail, headers=headers):
            response = problem(status, detail)
            response.headers.update(headers or {})
            return response
        case RenditionsError(http_status=status):
            response = problem(status, str(error))
            if error.retryable:
                response.headers["Retry-After"] = "1"
            return response
    raise error
