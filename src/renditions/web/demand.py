"""Renditions that clients request: make them now, or soon."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus

from renditions.core.ask import PLAIN, Ask
from renditions.core.outcome import Outcome
from renditions.errors import Failed, UsageError
from renditions.model.families import find_rendition
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from renditions.model.wishes import Wishes
from renditions.web.causes import explain
from renditions.web.pictures import Download, change_wishes, find_output, get_picture
from renditions.web.problems import ApiError
from renditions.web.service import ENDING, Service

log = logging.getLogger("renditions.web")

_RESTORE = Ask(verify="quick", is_retry=True)
_MOST_TRIES = 50
_PAUSE_SECONDS = 0.1


def demand(service: Service, rendition: str, name: str) -> Download:
    """Return a declared rendition.

    This function makes it first if it is missing or if another file replaced it.

    Raises:
        ApiError: There is no such rendition or picture, the rendition can't be made, the picture waits for
            too long, or its record keeps changing.
        Superseded: The rendition must be made, but the catalog uses another version of the pipeline file.

    """
    declared = _find_declared(service, rendition)
    record = service.parts.catalog.get(name) or _process_new(service, rendition, name)
    if content := find_output(service, record, rendition):
        return content
    if declared.on_demand and rendition not in record.wishes.demanded:
        _demand(service, rendition, name)
    for outcome in _attempt(service, rendition, name, _RESTORE):
        if outcome.record and (content := find_output(service, outcome.record, rendition)):
            return content
    why = _why_missing(outcome.record, rendition) or Reason(outcome.reason or outcome.result, outcome.code)
    detail = f"can't make the rendition {rendition!r} of {name!r}: {why}"
    raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, code=why.code or None)


def _process_new(service: Service, rendition: str, name: str) -> Record:
    """Process a picture that has no record, and return its new record.

    Raise ApiError if the picture gets none.
    """
    for outcome in _attempt(service, rendition, name, PLAIN):
        if outcome.record:
            return outcome.record
    raise ApiError(HTTPStatus.NOT_FOUND, f"there is no picture {name!r}")


def _attempt(service: Service, rendition: str, name: str, ask: Ask) -> Iterator[Outcome]:
    """Process a picture, repeatedly while that can help, and yield each outcome.

    Raise ApiError (503) after a failure, because another attempt would render the picture again. Raise it
    also if the picture waits for too long, or if the server ends.
    """
    for _ in range(_MOST_TRIES):
        outcome = service.process(name, ask)
        yield outcome
        if outcome.result == "failed":
            log.error("can't make the rendition %r of %r: %s", rendition, name, outcome.reason)
            code = outcome.code or Failed.code
            detail = f"can't make the rendition {rendition!r} of {name!r} now: {explain(code)}"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail, code=code)
        # A rejected picture's outcome names a time too, if old outputs can't be deleted.
        if outcome.again_after is None or outcome.result == "rejected":
            return
        if service.is_ending():
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, f"{name!r} isn't processed now. {ENDING}")
        time.sleep(_PAUSE_SECONDS)
    raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, f"{name!r} is being processed; try again shortly")


def _why_missing(record: Record | None, rendition: str) -> Reason | None:
    """Return why the picture lacks this rendition; None if its record doesn't say."""
    if record is None or record.reason is None:
        return None
    if record.status == "failed":  # the reason may have paths of the server
        return Reason(explain(record.code or Failed.code), record.code)
    return dict(record.errors).get(rendition) or Reason(record.reason, record.code)


def request_rendition(service: Service, rendition: str, name: str) -> None:
    """Let a picture's declared rendition be made soon, even one with ``on_demand``.

    Raises:
        ApiError: There is no such rendition, there is no record of the picture, or the record keeps changing.
        Superseded: The record must be changed, but the catalog uses another version of the pipeline file.

    """
    declared, record = _find_declared(service, rendition), get_picture(service, name)
    if declared.on_demand and rendition not in record.wishes.demanded:
        _demand(service, rendition, name)
    service.hint(name)


def _find_declared(service: Service, rendition: str) -> Rendition:
    """Return the recipe of a rendition, or raise ApiError (404)."""
    try:
        return find_rendition(service.parts.pipeline.renditions, rendition)
    except UsageError as error:
        raise ApiError(HTTPStatus.NOT_FOUND, str(error)) from None


def _demand(service: Service, rendition: str, name: str) -> None:
    def add(wishes: Wishes) -> Wishes:
        return replace(wishes, demanded=tuple(dict.fromkeys((*wishes.demanded, rendition))))

    change_wishes(service, name, add)
