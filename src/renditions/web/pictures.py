"""The API's actions on pictures, and how it shows their records and files."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, get_args

from renditions.core.ask import Ask
from renditions.core.catalog import Place
from renditions.core.leases import reopen, wish
from renditions.core.ports import IfMatch, Store, StoredObject, Unreadable
from renditions.errors import Conflict, KeyRefused
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Focus
from renditions.model.record import STATUSES, Record, Status
from renditions.model.wishes import Wishes
from renditions.runtime.manifest import make_snippet
from renditions.web.causes import explain_unrecorded, find_codes, group_causes
from renditions.web.links import Links, find_shown_original, find_small
from renditions.web.problems import ApiError
from renditions.web.service import Service

log = logging.getLogger("renditions.web")

CURSOR_PATTERN = r"^([0-9]{1,17})\.([\s\S]+)$"
"""The pattern of a cursor, which is a picture's place in a list.

Group 1 is the picture's time in microseconds of Unix time, and group 2 is its name.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_TRIES = 50


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a client may read, whole or in part."""

    store: Store
    found: StoredObject
    content_type: str

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop`` in pieces.

        Raise ApiError (503) if the file is replaced or deleted meanwhile.
        """
        try:
            yield from self.store.stream(self.found.key, IfMatch(self.found.etag), start, stop)
        except Conflict:
            detail = f"{self.found.key!r} was replaced or deleted while it was read; try again"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, detail) from None


MOST_RETRIED = 200
"""How many records one request handles at most, to reopen their pictures."""

MOST_CHECKED = 1_000
"""How many records one request groups by their problems at most."""


def picture_item(pipeline: Pipeline, links: Links, record: Record) -> dict[str, Any]:
    """Return a record's item in the API's lists.

    It has the URL of a small picture if there is one.
    """
    preview = find_small(links, record)
    address = {"preview": preview} if preview else {}
    return {"name": record.name, **record.to_item(pipeline.catalog.key), **address}


def show_picture(service: Service, record: Record) -> dict[str, Any]:
    """Return a picture's full item: its record, URLs, snippet and unsent notices."""
    links = service.links
    renditions = {
        rendition: links.rendition(record, output)
        for rendition in (*(made.rendition for made in record.outputs), *dict(record.stand_ins))
        if (output := record.serving_output(rendition))
    }
    addresses = {"original": links.original(record), "renditions": renditions}
    if shown_original := find_shown_original(links, record):
        addresses["shown_original"] = shown_original
    pipeline = service.parts.pipeline
    unsent = [each.to_shown(pipeline) for each in service.parts.catalog.unsent_notices(record.name)]
    notices = {"unsent_notices": unsent} if unsent else {}
    snippet = make_snippet(pipeline, record)
    shown = {"snippet": snippet} if snippet else {}
    follows_focus = any(recipe.gravity == "focus" for recipe in pipeline.renditions.values())
    item = picture_item(pipeline, links, record)
    return {**item, "links": addresses, "follows_focus": follows_focus, **shown, **notices}


def list_pictures(
    service: Service, status: str | None, prefix: str, cursor: str | None, limit: int, *, history: bool
) -> dict[str, Any]:
    """Return a page of pictures, newest first, and the cursor of the next page.

    Without ``history``, the pictures lack their history, because it is most of a record. Records that can't
    be read are logged and left out.

    Raises:
        ApiError: The status or the cursor isn't valid.

    """
    wanted = None if status is None else _parse_status(status)
    after = _parse_cursor(cursor)
    records = service.parts.catalog.query(wanted, after, prefix, _log_unreadable)
    page = list(itertools.islice(records, limit + 1))
    more = _make_cursor(page[limit - 1]) if len(page) > limit else None
    shown = [record if history else replace(record, history=()) for record in page[:limit]]
    items = [picture_item(service.parts.pipeline, service.links, record) for record in shown]
    return {"pictures": items, "next": more}


def get_picture(service: Service, name: str) -> Record:
    """Return the record of this name, or raise ApiError (404)."""
    if record := service.parts.catalog.get(name):
        return record
    raise ApiError(HTTPStatus.NOT_FOUND, f"there is no record of {name!r}")


def find_picture(service: Service, name: str) -> Record:
    """Return the record of this name, or raise ApiError (404).

    If there is an original but no record, the error's code is ``not-processed``. If there is no record and
    the source can't be read, raise the store's error instead, because the picture may exist.
    """
    record = service.parts.catalog.get(name)
    if record is None and find_original(service, name):
        detail = f"{name!r} has no record yet, because it waits to be processed"
        raise ApiError(HTTPStatus.NOT_FOUND, detail, code="not-processed")
    return record or get_picture(service, name)


def process_picture(service: Service, name: str, *, again: bool) -> dict[str, Any]:
    """Process a picture now, and return its outcome.

    With ``again``, also process a rejected or failed picture, and make missing and replaced outputs again.
    If the picture is gone from the source, delete its outputs and its record.

    Raises:
        Superseded: The catalog uses another version of the pipeline file.

    """
    service.insist_in_force()
    if again and (record := service.parts.catalog.get(name)) and record.status != "done":
        reopen(service.parts.catalog, record)
    ask = Ask(removal="asked", verify="content" if again else "no", is_retry=again)
    outcome = explain_unrecorded(service.process(name, ask))
    record = service.parts.catalog.get(name)
    return {**outcome.to_item(), "picture": show_picture(service, record) if record else None}


def parse_focus(x: float, y: float) -> Focus:
    """Return the point at these percentages of the picture's width and height.

    Raise an ApiError that lists all mistakes.
    """
    problems = [
        (name, f"expected 0 to 100, found {value}")
        for name, value in (("x", x), ("y", y))
        if not 0 <= value <= 100
    ]
    if problems:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request", problems)
    return Focus(x=x, y=y)


def set_focus(service: Service, name: str, focus: Focus | None) -> Record:
    """Set or remove a picture's focus, request its processing, and return the record.

    Raises:
        ApiError: There is no record of the picture, or the record keeps changing.
        Superseded: The catalog uses another version of the pipeline file.

    """
    change_wishes(service, name, lambda wishes: replace(wishes, focus=focus))
    service.hint(name)
    return get_picture(service, name)


def change_wishes(service: Service, name: str, change: Callable[[Wishes], Wishes]) -> None:
    """Change what clients wish for a picture.

    Raises:
        ApiError: There is no record of the picture, or the record keeps changing.
        Superseded: The catalog uses another version of the pipeline file.

    """
    service.insist_in_force()
    for _ in range(_MOST_TRIES):
        record = get_picture(service, name)
        if wish(service.parts.catalog, record, change(record.wishes)):
            return
    raise ApiError(HTTPStatus.CONFLICT, f"the record of {name!r} keeps changing; try again shortly")


def list_problems(service: Service, status: str | None, cursor: str | None) -> dict[str, Any]:
    """Return the problems of the next pictures of a status, by cause.

    The status is ``failed`` by default. One call reads at most ``MOST_CHECKED`` records.

    Raises:
        ApiError: The status or the cursor isn't valid.

    """
    wanted = _parse_status(status or "failed")
    records = service.parts.catalog.query(wanted, _parse_cursor(cursor), on_unreadable=_log_unreadable)
    page = list(itertools.islice(records, MOST_CHECKED + 1))
    checked = page[:MOST_CHECKED]
    more = _make_cursor(checked[-1]) if len(page) > MOST_CHECKED else None
    return {"groups": group_causes(wanted, checked), "checked": len(checked), "next": more}


def retry_pictures(
    service: Service, statuses: Sequence[object], cursor: str | None, code: str
) -> dict[str, Any]:
    """Let the next pictures of these statuses be processed again soon.

    With a code, only pictures with this error or warning are processed again. Return the number of pictures
    that will be processed, and the cursor for the next call. The cursor is None after the last pictures. One
    call handles at most ``MOST_RETRIED`` records, so its time and memory don't grow with the catalog.

    Raises:
        ApiError: A status or the cursor isn't valid.
        Superseded: The catalog uses another version of the pipeline file.

    """
    service.insist_in_force()
    catalog, after = service.parts.catalog, _parse_cursor(cursor)
    wanted = [_parse_status(status) for status in statuses]
    found = heapq.merge(
        *(catalog.query(status, after, on_unreadable=_log_unreadable) for status in wanted),
        key=lambda record: (record.timestamp, record.name.encode()),
        reverse=True,
    )
    page = list(itertools.islice(found, MOST_RETRIED + 1))
    count = 0
    for record in page[:MOST_RETRIED]:
        if code and code not in dict(find_codes(record)):
            continue
        if reopen(catalog, record):
            service.hint(record.name)
            count += 1
    return {"retried": count, "next": _make_cursor(page[-2]) if len(page) > MOST_RETRIED else None}


def retry_picture(service: Service, name: str) -> None:
    """Let a picture be processed again soon, even if it was rejected or given up.

    Raises:
        ApiError: There is no record of the picture, or another process changed the record meanwhile.
        Superseded: The catalog uses another version of the pipeline file.

    """
    service.insist_in_force()
    if not reopen(service.parts.catalog, get_picture(service, name)):
        raise ApiError(HTTPStatus.CONFLICT, f"the record of {name!r} changed meanwhile; try again shortly")
    service.hint(name)


def read_original(service: Service, name: str) -> Download:
    """Return a picture's original, or raise ApiError (404)."""
    found = find_original(service, name)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no picture {name!r}")
    record = service.parts.catalog.get(name)
    original = record.original if record else None
    facts = OUTPUT_FORMATS.get(original.format) if original and original.format else None
    return Download(service.parts.source, found, facts.content_type if facts else "application/octet-stream")


def read_rendition(service: Service, rendition: str, name: str) -> Download:
    """Return the file of an existing rendition, or raise ApiError (404)."""
    if content := find_output(service, get_picture(service, name), rendition):
        return content
    raise ApiError(HTTPStatus.NOT_FOUND, f"there is no rendition {rendition!r} of {name!r}")


def find_output(service: Service, record: Record, rendition: str) -> Download | None:
    """Return the rendition's file; None if it is missing or another file replaced it.

    If the file has another ETag than the record, this function reads the whole file to compare its hash.
    Raise ApiError (503) if the file changes meanwhile.
    """
    output = record.serving_output(rendition)
    found = service.parts.output.head(output.key) if output else None
    if output is None or found is None:
        return None
    download = Download(service.parts.output, found, OUTPUT_FORMATS[output.format].content_type)
    is_own = found.etag == output.etag or _hash(download) == output.sha256
    return download if is_own else None


def _hash(download: Download) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    for piece in download.read():
        digest.update(piece)
    return digest.hexdigest()


def _log_unreadable(part: Unreadable) -> None:
    log.warning("%s", part.reason)  # it has the record's name


def find_original(service: Service, name: str) -> StoredObject | None:
    """Return the object with this name in the source.

    Return None if it doesn't exist, or if the name can't be that of a picture.
    """
    try:
        return service.parts.source.head(name) if service.parts.pipeline.source.matches(name) else None
    except KeyRefused:
        return None


def _parse_status(status: object) -> Status:
    for each in STATUSES:
        if status == each:
            return each
    detail = f"expected one of {', '.join(get_args(Status))}, found {status!r}"
    raise ApiError(HTTPStatus.BAD_REQUEST, detail, [("status", detail)])


def _make_cursor(record: Record) -> str:
    return f"{(record.timestamp - _EPOCH) // timedelta(microseconds=1)}.{record.name}"


def _parse_cursor(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    found = re.fullmatch(CURSOR_PATTERN, cursor)
    if not found:
        detail = f"expected the cursor of an earlier page, found {cursor!r}"
        raise ApiError(HTTPStatus.BAD_REQUEST, detail, [("cursor", detail)])
    return _EPOCH + timedelta(microseconds=int(found[1])), found[2]
