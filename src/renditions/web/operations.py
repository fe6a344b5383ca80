"""The operations of the API: their parameters, bodies and answers.

The API's description and the check of query parameters read these tables.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Any

from renditions.model.record import STATUSES
from renditions.web.pictures import CURSOR_PATTERN
from renditions.web.requests import DEFAULT_LISTED, MOST_LISTED
from renditions.web.schemas import TEXT

FLAG: Mapping[str, Any] = {"type": "boolean", "default": False}
CURSOR: Mapping[str, Any] = {"type": "string", "pattern": CURSOR_PATTERN}

FILE_TYPES = ("application/octet-stream", "*/*")
"""The media types of a file in the API's description. Client generators understand the first one. A real
answer has the file's own type."""

LOG_OUT_PATH = "/logout"
"""The path of the log-out. An API behind a gateway lacks it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query of a URL."""

    name: str
    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request, for the API's description."""

    description: str
    schema: str | None = None
    """The name of the schema in :mod:`renditions.web.schemas`. None if the answer has no body."""
    media_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request."""

    schema: str
    media_type: str = "application/json"
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a client can request."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Answer]
    query: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[int, ...] = ()
    """The statuses of its errors that the description lists, besides those in ``ALWAYS``."""
    is_signable: bool = False
    """Whether a signed URL may be used instead of a token."""


_UNCHANGED = {304: Answer("Not changed since the given ETag")}
_FILE = {
    200: Answer("The file", "File", FILE_TYPES),
    206: Answer("The requested part of the file", "File", FILE_TYPES),
    **_UNCHANGED,
}
_VERSION = Parameter("v", TEXT, "The ETag, as in the API's URLs. Clients can then cache the answer for long.")
SIGNATURE = tuple(
    Parameter(name, TEXT, f"Only in a signed URL: {what}.")
    for name, what in (
        ("expires", "when it expires, in Unix time"),
        ("key", "the id of the key that signed it"),
        ("signature", "the HMAC-SHA256 of the expiry, the key's id and the path. The request needs no token"),
    )
)

_UPLOADS = (
    Operation(
        method="post",
        path="/uploads",
        name="makeUpload",
        summary="Get a form to upload one file",
        body=Body("UploadRequest"),
        answers={
            201: Answer("The form. Post its fields, then the file as `file`, to the form's URL", "UploadForm")
        },
        problems=(409, 413, 415, 422, 507),
    ),
    Operation(
        method="post",
        path="/uploads/file",
        name="sendUpload",
        summary="Upload a file with a form from /uploads",
        body=Body("UploadFile", "multipart/form-data"),
        answers={204: Answer("The picture is stored, and its renditions will be made")},
        problems=(409, 413, 422, 507),
    ),
)
_PICTURES = (
    Operation(
        method="get",
        path="/pictures",
        name="listPictures",
        summary="List pictures, newest first",
        answers={200: Answer("One page of the list", "PicturePage"), **_UNCHANGED},
        query=(
            Parameter("status", {"enum": list(STATUSES)}, "Only pictures of this status."),
            Parameter("prefix", TEXT, "Only pictures whose names begin with this text."),
            Parameter("cursor", CURSOR, "The value of `next` in the previous page."),
            Parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": DEFAULT_LISTED},
                "How many pictures a page has at most.",
            ),
            Parameter("history", FLAG, "`true`: with the history of each picture."),
        ),
    ),
    Operation(
        method="get",
        path="/pictures/{name}",
        name="showPicture",
        summary="Show a picture's record",
        answers={200: Answer("The record", "Picture"), **_UNCHANGED},
        problems=(404,),
    ),
    Operation(
        method="delete",
        path="/pictures/{name}",
        name="deletePicture",
        summary="Move a picture to the bin, and delete its renditions and its record",
        answers={
            200: Answer("The picture is in the bin", "Binned"),
            204: Answer("Nothing went to the bin: there is no bin, or there was only a record"),
        },
        problems=(404, 409, 507),
    ),
    Operation(
        method="get",
        path="/bin",
        name="listBin",
        summary="List the newest deleted pictures that can be restored",
        answers={200: Answer("The newest deleted pictures", "Bin"), **_UNCHANGED},
    ),
    Operation(
        method="post",
        path="/bin/{deletion}/{name}",
        name="restorePicture",
        summary="Restore a deleted picture. Repeating the request does no harm",
        answers={200: Answer("The picture is back, and its renditions will be made", "Restored")},
        problems=(404, 409, 507),
    ),
    Operation(
        method="post",
        path="/pictures/{name}/process",
        name="processPicture",
        summary="Process a picture now",
        answers={200: Answer("The outcome", "Outcome")},
        query=(
            Parameter("again", FLAG, "`true`: also retry a rejected or failed picture, and restore outputs."),
        ),
        problems=(507,),
    ),
    Operation(
        method="put",
        path="/pictures/{name}/focus",
        name="setFocus",
        summary='Set the point that renditions with `gravity = "focus"` keep',
        body=Body("Focus"),
        answers={200: Answer("The record", "Picture")},
        problems=(404, 409, 413, 415, 422, 507),
    ),
    Operation(
        method="delete",
        path="/pictures/{name}/focus",
        name="clearFocus",
        summary='Remove the point, so that renditions with `gravity = "focus"` keep the center again',
        answers={200: Answer("The record", "Picture")},
        problems=(404, 409, 507),
    ),
)
_FILES = (
    Operation(
        method="get",
        path="/originals/{name}",
        name="readOriginal",
        summary="Download a picture's original",
        answers=_FILE,
        problems=(404, 416),
        is_signable=True,
    ),
    Operation(
        method="get",
        path="/renditions/{rendition}/{name}",
        name="readRendition",
        summary="Download an existing rendition",
        answers=_FILE,
        query=(_VERSION,),
        problems=(404, 416),
        is_signable=True,
    ),
    Operation(
        method="get",
        path="/i/{rendition}/{name}",
        name="demandRendition",
        summary="Download a rendition. If it doesn't exist, the server makes it first",
        answers={**_FILE, 307: Answer("On AWS: the file is at the URL in `Location`")},
        query=(_VERSION,),
        problems=(404, 416, 422, 507),
        is_signable=True,
    ),
    Operation(
        method="get",
        path="/previews/{name}",
        name="showPreview",
        summary="Show a small picture of an original that browsers can't show",
        answers={200: Answer("The preview", "File", ("image/webp",)), **_UNCHANGED},
        query=(_VERSION,),
        problems=(404, 422),
    ),
)
_CHANGES = (
    Operation(
        method="get",
        path="/problems",
        name="listProblems",
        summary="Group the next 1,000 pictures of a status by the cause of their problem",
        answers={200: Answer("The causes", "Problems"), **_UNCHANGED},
        query=(
            Parameter(
                "status",
                {"enum": list(STATUSES), "default": "failed"},
                "Only pictures of this status. For `done`, only pictures with warnings.",
            ),
            Parameter("cursor", CURSOR, "The value of `next` in the previous answer."),
        ),
    ),
    Operation(
        method="post",
        path="/retry",
        name="retry",
        summary="Retry failed pictures, or those with the given statuses and code, up to 200 per request",
        body=Body("RetryRequest", is_required=False),
        answers={200: Answer("How many pictures are retried", "Retried")},
        problems=(413, 415, 422, 507),
    ),
    Operation(
        method="post",
        path="/batch",
        name="runBatch",
        summary="Delete or retry many pictures, or request a rendition of each, with an answer per name",
        body=Body("BatchRequest"),
        answers={200: Answer("The result for each picture", "BatchResults")},
        problems=(413, 415, 422),
    ),
    Operation(
        method="post",
        path="/removals/allow",
        name="allowRemovals",
        summary="Allow the removals of missing pictures that are held back",
        body=Body("AllowRequest"),
        answers={200: Answer("How many removals are allowed", "Allowed")},
        problems=(409, 413, 415, 422, 507),
    ),
)
_STATE = (
    Operation(
        method="get",
        path="/status",
        name="showStatus",
        summary="Show counts, what is held back, and why pictures wait, failed or were rejected",
        answers={200: Answer("The status", "Status"), **_UNCHANGED},
    ),
    Operation(
        method="get",
        path="/plan",
        name="showPlan",
        summary="Show what a sync would do",
        answers={200: Answer("The plan", "Plan")},
    ),
    Operation(
        method="get",
        path="/stats",
        name="showStats",
        summary="Count pictures and bytes",
        answers={200: Answer("The totals", "Stats"), **_UNCHANGED},
    ),
    Operation(
        method="get",
        path="/formats",
        name="showFormats",
        summary="List all formats of source files, and the formats that browsers show",
        answers={200: Answer("The formats", "Formats"), **_UNCHANGED},
    ),
    Operation(
        method="get",
        path="/events",
        name="listen",
        summary="Stream picture events until either side disconnects",
        answers={200: Answer("Server-sent events", "Events", ("text/event-stream",))},
    ),
    Operation(
        method="get",
        path="/health",
        name="health",
        summary="Check that the server is running",
        answers={200: Answer("The server is running", "Health")},
    ),
    Operation(
        method="get",
        path="/ready",
        name="ready",
        summary="Check that the disks have space, the catalog and the stores work, and workers start",
        answers={200: Answer("The server can do its work", "Ready")},
        problems=(503,),
    ),
)

SUBJECTS: Mapping[str, tuple[Operation, ...]] = {
    "uploads": _UPLOADS,
    "pictures": _PICTURES,
    "files": _FILES,
    "changes": _CHANGES,
    "state": _STATE,
}
"""The operations, by subject."""

ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""The statuses of errors that the description lists for every operation."""


def known_parameters(operation: Operation, paths: Container[str]) -> tuple[Parameter, ...]:
    """Return the query parameters of an operation on a server with these paths."""
    # The gateway on AWS has no log-out, and takes signed URLs only below /i/.
    is_signable = operation.is_signable and (LOG_OUT_PATH in paths or operation.path.startswith("/i/"))
    return (*operation.query, *(SIGNATURE if is_signable else ()))


def known_queries(path: str, paths: Container[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of the query parameters of a path, by HTTP method.

    Return an empty dictionary if no operation has the path.
    """
    return {
        each.method.upper(): tuple(parameter.name for parameter in known_parameters(each, paths))
        for each in chain(*SUBJECTS.values())
        if each.path == path
    }
