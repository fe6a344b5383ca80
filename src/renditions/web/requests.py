"""Read and check the bodies and queries of requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from renditions.web.problems import ApiError

MOST_BODY_BYTES = 100_000
"""The largest JSON body or login form that the server reads."""

DEFAULT_LISTED = 50
MOST_LISTED = 200
"""How many pictures one page of a list can have."""

_MOST_WHOLE = 2**53
"""Floating-point numbers represent all whole numbers up to this one exactly."""

_NUMBER = re.compile("[0-9]{1,18}")


def limit_body(request: Request, limit_bytes: int) -> Callable[[], Any]:
    """Return a function that receives the request's body with this limit.

    Raise ApiError if the declared length exceeds the limit. The returned function raises ApiError if the
    received bytes exceed it.
    """
    declared = parse_number(request.headers.get("content-length", ""))
    if declared is not None and declared > limit_bytes:
        raise _too_long(limit_bytes)
    received = 0

    async def receive() -> Any:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit_bytes:
            raise _too_long(limit_bytes)
        return message

    return receive


def _too_long(limit_bytes: int) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"expected a request body of at most {limit_bytes:,} bytes, found more",
    )


async def read_json(request: Request, *, is_optional: bool = False) -> Mapping[str, Any]:
    """Return the object in a request's JSON body.

    Return an empty object if the body is optional and missing.

    Raises:
        ApiError: The body has another media type, is too long, isn't a JSON object, or has a text that isn't
            Unicode.

    """
    body = await Request(request.scope, limit_body(request, MOST_BODY_BYTES)).body()
    if is_optional and not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        detail = f"expected the Content-Type application/json, found {kind or 'none'}"
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(
            HTTPStatus.BAD_REQUEST, f"the body of the request isn't valid JSON ({error})"
        ) from error
    if not isinstance(data, dict):
        detail = f"expected a JSON object, found {json.dumps(data)[:60]}"
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # JSON allows half a surrogate pair, and no answer could repeat it
        detail = f"expected Unicode text, found half a surrogate pair, {error.object[error.start]!r}"
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from error
    return data


def check_body(
    body: Mapping[str, Any], required: Mapping[str, type], optional: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Return the values of a JSON body; raise an ApiError that lists all mistakes.

    The values come in the order of ``required``, then of ``optional``. ``required`` has the type of each
    value. ``optional`` has the default of each value, whose type the value must have. A name in neither of
    them is a mistake.
    """
    types = {**required, **{name: type(default) for name, default in optional.items()}}
    values = {name: _read_number(value, types.get(name)) for name, value in body.items()}
    problems = [
        (name, f"expected one of {', '.join(types)}, found {name!r}") for name in body if name not in types
    ]
    for name, kind in types.items():
        if name in values and type(values[name]) is not kind:
            problems.append((name, f"expected {_KINDS[kind]}, found {json.dumps(body[name])[:60]}"))
        elif name not in values and name in required:
            problems.append((name, f"expected {_KINDS[kind]}, found nothing"))
    if problems:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request", problems)
    return tuple(values.get(name, optional.get(name)) for name in types)


def _read_number(value: Any, kind: type | None) -> Any:
    """Return a number of the declared type: 1.0 as 1 if a whole number is declared.

    JSON doesn't distinguish 1 from 1.0. Other values stay unchanged.
    """
    match value, kind:
        case float(), type() if kind is int and value.is_integer():
            return int(value)
        case int(), type() if kind is float and not isinstance(value, bool):
            return float(value) if abs(value) < _MOST_WHOLE else value
    return value


_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "an array"}


def read_query(request: Request, name: str) -> str | None:
    """Return a query parameter, or None if it is missing.

    Raise ApiError if the parameter appears twice.
    """
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise _wrong_query(name, "one value", ", ".join(map(repr, values)))
    return values[0] if values else None


@dataclass(frozen=True, slots=True)
class StrictQuery:
    """An endpoint that refuses requests with unknown query parameters.

    Otherwise a misspelled parameter would change nothing, and the client wouldn't notice.

    Args:
        app: The endpoint that gets the other requests.
        known: The names of the query parameters, by HTTP method.

    """

    app: ASGIApp
    known: Mapping[str, Sequence[str]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise ApiError with each unknown parameter."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        known = self.known.get(method)
        if known is not None:
            given = dict.fromkeys(QueryParams(scope["query_string"]))
            expected = f"expected one of {', '.join(known)}" if known else "expected no query parameters"
            problems = [(name, f"{expected}, found {name!r}") for name in given if name not in known]
            if problems:
                detail = f"Unknown query parameter: {problems[0][1]}"
                raise ApiError(HTTPStatus.BAD_REQUEST, detail, problems)
        await self.app(scope, receive, send)


def read_limit(request: Request) -> int:
    """Return the query parameter ``limit``; ``DEFAULT_LISTED`` if it is missing.

    Raise ApiError if it isn't an allowed number.
    """
    text = read_query(request, "limit")
    if text is None:
        return DEFAULT_LISTED
    number = parse_number(text)
    if number is None or not 1 <= number <= MOST_LISTED:
        raise _wrong_query("limit", f"a whole number from 1 to {MOST_LISTED}", repr(text))
    return number


def read_flag(request: Request, name: str) -> bool:
    """Return a query parameter that is true or false; False if it is missing.

    Raise ApiError if it has another value.
    """
    text = read_query(request, name)
    if text not in (None, "true", "false"):
        raise _wrong_query(name, "true or false", repr(text))
    return text == "true"


def parse_number(text: str) -> int | None:
    """Return a plain whole number of at most 18 digits; None for anything else."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _wrong_query(name: str, expected: str, found: str) -> ApiError:
    detail = f"expected {expected}, found {found}"
    return ApiError(HTTPStatus.BAD_REQUEST, detail, [(name, detail)])


def parse_range(text: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the first and last byte of a ``Range`` header.

    The first byte is ``size_bytes`` or more if the file has no byte of the range.
    Return None if the header isn't one valid range of bytes; the server then ignores the header.
    """
    unit, _, part = text.partition("=")
    first, dash, last = part.strip().partition("-")
    start, end = parse_number(first), parse_number(last)
    is_plain = (start is not None or not first) and (end is not None or not last)
    if unit.strip().lower() != "bytes" or not dash or not is_plain:
        return None
    match start, end:
        case None, None:
            return None
        case None, int(count):
            return (max(0, size_bytes - count), size_bytes - 1) if count else (size_bytes, size_bytes)
        case int(start), None:
            return start, size_bytes - 1
        case int(start), int(end) if start <= end:
            return start, min(end, size_bytes - 1)
    return None
