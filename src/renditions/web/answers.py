"""Answers with JSON, and with files that clients can read in parts."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from renditions.web.pictures import Download
from renditions.web.problems import ApiError, answer_error
from renditions.web.requests import parse_range


def answer_json(request: Request, data: Any) -> Response:
    """Return JSON with its ETag, or 304 if the client already has this version."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def answer_file(request: Request, file: Download, headers: Mapping[str, str]) -> Response:
    """Return a file, or the part of it that the request wants (RFC 9110, 14).

    Return 304 if the client already has this version, and 416 if the part begins after the file's end.

    Raises:
        ApiError: The file changed before its first piece was read.

    """
    tag = f'"{file.found.etag}"'
    size_bytes = file.found.size_bytes
    shown = {**headers, "ETag": tag, "Accept-Ranges": "bytes"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=shown)
    asked = request.headers.get("range")
    is_asked = asked is not None and request.headers.get("if-range", tag) == tag
    part = parse_range(asked, size_bytes) if asked and is_asked else None
    if part is None:
        return _pieces(request, HTTPStatus.OK, file, 0, size_bytes, shown)
    first, last = part
    if first >= size_bytes:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        detail = f"expected a range within the file's {size_bytes:,} bytes, found {asked!r}"
        response = answer_error(request, ApiError(status, detail))
        response.headers["Content-Range"] = f"bytes */{size_bytes}"
        return response
    shown["Content-Range"] = f"bytes {first}-{last}/{size_bytes}"
    return _pieces(request, HTTPStatus.PARTIAL_CONTENT, file, first, last + 1, shown)


def _pieces(
    request: Request,
    status: HTTPStatus,
    file: Download,
    start: int,
    stop: int,
    headers: Mapping[str, str],
) -> Response:
    """Return an answer that reads the file piece by piece."""
    shown = {**headers, "Content-Length": str(stop - start)}
    if request.method == "HEAD":
        return Response(None, status, shown, file.content_type)
    pieces = file.read(start, stop)
    # The first piece is read now, so that an error becomes an answer of its own.
    first = next(pieces, b"")
    return StreamingResponse(itertools.chain((first,), pieces), status, shown, file.content_type)
