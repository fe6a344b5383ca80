"""The API's actions on the bin: delete, list and restore pictures."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from renditions.core.ask import Ask
from renditions.core.bin import Bin, Binned, make_deletion, parse_deletion
from renditions.core.outcome import Outcome
from renditions.core.ports import IfMatch
from renditions.errors import Conflict, Failed
from renditions.model.items import format_time
from renditions.runtime.bin import empty_bin, keeps_deleted
from renditions.web.answers import answer_json
from renditions.web.causes import explain
from renditions.web.pictures import find_original
from renditions.web.problems import ApiError
from renditions.web.service import Service

log = logging.getLogger("renditions.web")

MOST_BINNED = 50
"""How many deleted pictures a list of the bin has at most. In a bucket, each picture costs a request."""

MOST_EMPTIED = 10
"""How many expired originals one deletion removes from the bin at most."""

_MOST_TRIES = 50
_PAUSE_SECONDS = 0.1


class BinApi:
    """The endpoints of the bin. They run in a thread, because stores can be slow."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def delete_picture(self, request: Request) -> Response:
        """Delete a picture; answer 204 if nothing went to the bin."""
        binned = delete_picture(self._service, request.path_params["name"])
        if binned is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return JSONResponse(self._describe(binned))

    def list_bin(self, request: Request) -> Response:
        """List the newest deleted pictures that can be restored, and count all of them."""
        bin_ = self._service.parts.bin
        due = [each for each in bin_.deletions() if not self._is_over(each)] if bin_ else []
        found = [bin_.read(each) for each in due[: -MOST_BINNED - 1 : -1]] if bin_ else []
        pictures = [self._describe(binned) for binned in found if binned]
        return answer_json(request, {"pictures": pictures, "count": len(due)})

    def restore(self, request: Request) -> Response:
        """Restore a deleted picture.

        Answer 200 also if only the source has a picture of this name, such as after an earlier restoration.

        Raises:
            ApiError: Neither the bin nor the source has the picture, something else has the name now, the
                restored picture was deleted again meanwhile, the source is read-only, or the id isn't that of
                a deletion.
            Superseded: The catalog uses another version of the pipeline file.

        """
        service, name, deletion = self._service, request.path_params["name"], request.path_params["deletion"]
        service.insist_writable()
        try:
            is_known = service.parts.bin is not None and not self._is_over(deletion)
            restored = service.parts.bin.restore(deletion, name) if service.parts.bin and is_known else None
        except ValueError as error:
            raise ApiError(HTTPStatus.NOT_FOUND, str(error)) from error
        except Conflict as error:
            raise ApiError(HTTPStatus.CONFLICT, str(error)) from error
        if restored is None and find_original(service, name) is None:
            detail = f"{name!r} isn't in the bin, so it can't be restored"
            raise ApiError(HTTPStatus.NOT_FOUND, detail)
        service.hint(name)
        return JSONResponse({"name": name})

    def _is_over(self, deletion: str) -> bool:
        return parse_deletion(deletion) + self._kept < datetime.now(UTC)

    @property
    def _kept(self) -> timedelta:
        return timedelta(seconds=self._service.parts.pipeline.source.keep_deleted)

    def _describe(self, binned: Binned) -> dict[str, Any]:
        return {
            "deletion": binned.deletion,
            "name": binned.key,
            "size_bytes": binned.size_bytes,
            "deleted_at": format_time(binned.deleted_at),
            "kept_until": format_time(binned.deleted_at + self._kept),
        }


def delete_picture(service: Service, name: str) -> Binned | None:
    """Move a picture to the bin, and delete its renditions and its record.

    Return the entry in the bin. Return None if nothing went to the bin, because deleted originals aren't
    kept, or because there was only a record. Also remove up to ``MOST_EMPTIED`` expired originals from the
    bin, if the picture went there.

    Raises:
        ApiError: There is no such picture, the source is read-only, or the picture was replaced meanwhile. Or
            the original was deleted, but not all of its renditions.
        Superseded: The catalog uses another version of the pipeline file.

    """
    service.insist_in_force()
    there = find_original(service, name)
    if there:
        service.insist_writable()
    elif service.parts.catalog.get(name) is None:
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no picture {name!r}")
    binned, done = None, ""
    if there:
        try:
            binned = _delete_original(service, name, IfMatch(there.etag))
        except Conflict:
            detail = (
                f"{name!r} was not deleted, because it was replaced meanwhile. To delete the new picture, "
                "try again"
            )
            raise ApiError(HTTPStatus.CONFLICT, detail) from None
        done = f"{name!r} is in the bin, but " if binned else f"the original of {name!r} was deleted, but "
    _delete_renditions(service, name, done)
    if binned:
        empty_bin(service.parts, MOST_EMPTIED)
    return binned


def _delete_renditions(service: Service, name: str, done: str) -> None:
    """Delete the renditions and the record of a picture that is gone from the source.

    Wait for a worker that has the picture in progress. If anything stays, raise ApiError (503) with the
    reason, after the words about what is ``done``.
    """
    for attempt in range(_MOST_TRIES):
        time.sleep(_PAUSE_SECONDS if attempt else 0)
        try:
            outcome = service.process(name, Ask(removal="asked"))
        except Failed as error:
            outcome = Outcome.failed(name, error)
        if outcome.result != "waiting":
            break
    if outcome.result not in ("failed", "waiting") or find_original(service, name):
        return  # nothing is left, or the source has a picture of this name again
    log.error("can't delete the renditions of %r: %s", name, outcome.reason)
    why = explain(outcome.code) if outcome.result == "failed" else "The picture is being processed."
    detail = f"{done}its renditions weren't all deleted. {why} To try again now, delete it again"
    raise ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        detail if done else f"{name!r}: {detail}",
        code=(outcome.code or Failed.code) if outcome.result == "failed" else None,
    )


def _delete_original(service: Service, name: str, condition: IfMatch) -> Binned | None:
    """Move the original to the bin, and return its entry there.

    If deleted originals aren't kept, delete it and return None.
    """
    bin_: Bin | None = service.parts.bin
    if bin_ and keeps_deleted(service.parts):
        return bin_.put(name, condition, make_deletion(datetime.now(UTC)))
    service.parts.source.delete(name, condition)
    return None
