"""Notices that the tests send, and a helper that reads them from a queue."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from contract.catalogs import make_record
from contract.cloud import CLIENTS
from contract.test_catalog import FULL
from renditions.aws.sqs import Queue
from renditions.model.binding import Held
from renditions.model.digest import Digest
from renditions.model.notices import Notice

DONE = Notice("done", make_record())
REJECTED = Notice("rejected", FULL)
DIGEST = Notice("digest", Digest.of([DONE.to_reported()]))
LARGE = Notice(
    "done",
    replace(
        make_record("é.jpg", outputs=tuple(f"{number:02}".ljust(300, "山") for number in range(99))),
        etag="e",
        reason="why " * 100,
    ),
)
"""A notice about a picture with 99 long output keys. In JSON, its letters have six bytes each."""
HELD = Notice("removals_held", Held("removals", 60, "60 of 100 pictures are gone", FULL.timestamp))


def read_one(url: str) -> Any:
    """Wait for a message and return its JSON."""
    (message,) = Queue(CLIENTS.sqs, url).receive(wait_seconds=5)
    return json.loads(message.body)
