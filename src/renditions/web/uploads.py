"""Uploads in two steps: the client gets a signed form, then sends the file.

``POST /uploads`` answers with a URL and fields, like a presigned POST of S3. So the browser sends both kinds
of form in the same way. The server stores nothing between the steps: the fields contain all its conditions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import posixpath
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from renditions.core.ports import IfAbsent, IfMatch, StoredObject
from renditions.errors import Conflict, ForeignOutput, KeyRefused
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.hidden import HIDDEN
from renditions.model.patterns import UNMATCHED
from renditions.web.problems import ApiError
from renditions.web.service import Service

FORM_SECONDS = 15 * 60
"""How long a form is valid."""

_PART = rf"[^./{HIDDEN}][^/{HIDDEN}]*"
NAME_PATTERN = rf"({_PART}/)*{_PART}"
"""The names that uploads may have: without characters in ``HIDDEN``, and without parts that are empty or
begin with a dot."""

_S3_VARIABLE = "${filename}"
"""S3 replaces this text in a form's key with the name of the file, so such a form allows many keys.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

MOST_NUMBERED = 1_000
"""How many pictures can have names that differ only in their number: ``a.jpg``, ``a-2.jpg``, …"""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The URL and the fields for one upload."""

    name: str
    """The picture's future name."""
    url: str
    fields: dict[str, str]
    expires_at_seconds: int
    """When the form expires, in Unix time."""

    def to_item(self) -> dict[str, Any]:
        """Return the form in the API's JSON format."""
        return {
            "name": self.name,
            "url": self.url,
            "fields": self.fields,
            "expires_at": self.expires_at_seconds,
        }


class Uploads(Protocol):
    """A source of upload forms."""

    def make_form(self, name: str, content_type: str, size_bytes: int, *, replace: bool) -> UploadForm:
        """Return a form for one file.

        With ``replace``, the upload may replace a picture of this name. Otherwise the form has a free name.

        Raises:
            ApiError: The pipeline doesn't accept such a file, and the error has all reasons. Or no name is
                free.

        """
        ...


@dataclass(frozen=True, slots=True)
class LocalUploads:
    """The forms for uploads to this server, which stores the files."""

    service: Service
    secret: bytes
    root_path: str = ""
    """The path below which clients reach the server."""

    def make_form(self, name: str, content_type: str, size_bytes: int, *, replace: bool) -> UploadForm:
        """See :meth:`Uploads.make_form`."""
        name = _accept_name(self.service, name, content_type, size_bytes, replace=replace)
        expires_at = int(time.time()) + FORM_SECONDS
        conditions = {
            "key": name,
            "content_type": content_type,
            "size_bytes": size_bytes,
            "replace": replace,
            "expires_at": expires_at,
        }
        policy = base64.b64encode(json.dumps(conditions).encode()).decode()
        fields = {
            "key": name,
            "Content-Type": content_type,
            "policy": policy,
            "x-signature": self._sign(policy),
        }
        return UploadForm(name, f"{self.root_path}/uploads/file", fields, expires_at)

    def check_form(self, fields: dict[str, str]) -> dict[str, Any]:
        """Check the form's signature and the upload's fields.

        Return the conditions that the form contains.

        Raises:
            ApiError: This server didn't sign the form, the form has expired, or a field breaks a condition.

        """
        policy = fields.get("policy", "")
        if not hmac.compare_digest(self._sign(policy).encode(), fields.get("x-signature", "").encode()):
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                "The form's signature is wrong. Send the fields of POST /uploads unchanged.",
            )
        conditions: dict[str, Any] = json.loads(base64.b64decode(policy))
        if time.time() > conditions["expires_at"]:
            raise ApiError(HTTPStatus.FORBIDDEN, "The form has expired. Get a new one with POST /uploads.")
        for field, condition in (("key", "key"), ("Content-Type", "content_type")):
            if fields.get(field) != conditions[condition]:
                detail = f"expected {field} {conditions[condition]!r}, found {fields.get(field)!r}"
                raise ApiError(HTTPStatus.FORBIDDEN, detail)
        return conditions

    def receive(self, conditions: dict[str, Any], content: bytes) -> StoredObject:
        """Write the file to the source store, and request its processing.

        Raises:
            ApiError: The file's size differs from the declared one, the name is taken by now, something in
                the source is in the way of the file, or the file to replace changed meanwhile.

        """
        name, source = conditions["key"], self.service.parts.source
        if len(content) != conditions["size_bytes"]:
            detail = (
                f"expected {conditions['size_bytes']:,} bytes, as in POST /uploads, found {len(content):,}"
            )
            is_larger = len(content) > conditions["size_bytes"]
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_larger else HTTPStatus.BAD_REQUEST
            raise ApiError(status, detail)
        there = source.head(name) if conditions["replace"] else None
        try:
            stored = source.put(
                name, content, IfMatch(there.etag) if there else IfAbsent(), conditions["content_type"]
            )
        except Conflict:
            why = (
                "this file was written or deleted meanwhile. Upload it again"
                if conditions["replace"]
                else "the source has a file of this name by now. Choose another name, or get a form with a "
                "free name from POST /uploads"
            )
            detail = f"{name!r} was not stored, because {why}"
            raise ApiError(HTTPStatus.CONFLICT, detail) from None
        except ForeignOutput:
            detail = (
                f"A folder, a link or a file in the source is in the way of {name!r}. Choose another name."
            )
            raise ApiError(HTTPStatus.CONFLICT, detail) from None
        self.service.hint(name)
        return stored

    def _sign(self, policy: str) -> str:
        return hmac.new(self.secret, policy.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class BucketUploads:
    """The forms for uploads straight to the source's bucket.

    So no picture passes through this server. S3's forms can't have a condition on the existing object. If two
    clients upload the same name at the same time, the later upload replaces the other.
    """

    service: Service
    sign: Callable[[str, str, int, int], tuple[str, dict[str, str]]]
    """Returns a URL and fields. Its arguments are the key, the media type, the file's bytes, and how many
    seconds the form is valid."""

    def make_form(self, name: str, content_type: str, size_bytes: int, *, replace: bool) -> UploadForm:
        """See :meth:`Uploads.make_form`."""
        name = _accept_name(self.service, name, content_type, size_bytes, replace=replace)
        url, fields = self.sign(name, content_type, size_bytes, FORM_SECONDS)
        return UploadForm(name, url, fields, int(time.time()) + FORM_SECONDS)


def _accept_name(service: Service, name: str, content_type: str, size_bytes: int, *, replace: bool) -> str:
    """Return the picture's future name, or raise ApiError if the file isn't accepted.

    The error has all reasons. Raise ApiError (409) if no name is free.
    """
    problems = find_upload_problems(service, name, content_type, size_bytes)
    if problems:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(why for _, why in problems), problems)
    return name if replace else _free_name(service, name)


def _free_name(service: Service, name: str) -> str:
    """Return a name that no picture has: this name, or one with a number in it.

    The number stands before the suffix. Raise ApiError (409) if all these names are taken.
    """
    stem, suffix = posixpath.splitext(name)
    numbered = (f"{stem}-{number}{suffix}" for number in range(2, MOST_NUMBERED + 1))
    for free in (name, *numbered):
        if service.parts.source.head(free) is None:
            return free
    raise ApiError(
        HTTPStatus.CONFLICT,
        f"{name!r} exists, and so do its numbered variants up to {free!r}. Choose another name.",
    )


def find_upload_problems(
    service: Service, name: str, content_type: str, size_bytes: int
) -> list[tuple[str, str]]:
    """Return the reasons to refuse a file that a client wants to upload.

    Each reason is a pair ``(part, detail)``.
    """
    pipeline, problems = service.parts.pipeline, []
    if why := _find_name_problem(service, name):
        problems.append(("name", f"{why}, found {name!r}"))
    types = [SOURCE_FORMATS[name].media_type for name in pipeline.accept.formats]
    if content_type not in types:
        problems.append(("type", f"expected one of {', '.join(types)}, found {content_type!r}"))
    most = pipeline.accept.max_bytes
    if not 0 < size_bytes <= most:
        detail = f"expected 1 to {most:,} bytes ([accept] max_bytes), found {size_bytes:,}"
        problems.append(("size_bytes", detail))
    return problems


def _find_name_problem(service: Service, name: str) -> str | None:
    source = service.parts.pipeline.source
    if not re.fullmatch(NAME_PATTERN, name):
        return "expected a name without control characters, empty parts or parts that begin with a dot"
    if _S3_VARIABLE in name:
        return f"expected a name without {_S3_VARIABLE}"
    why = source.patterns.why_not(name)
    if why == UNMATCHED:
        return f"expected a name like {', '.join(source.patterns.match)}"
    if why:
        return f"expected the name of a picture ({why})"
    try:
        service.parts.source.head(name)
    except KeyRefused as refusal:
        return f"expected a name that the store accepts ({refusal})"
    return None
