"""Notices that the tests send, and a helper that reads them from a queue."""

from __future__ import annotations

import json
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
HELD = Notice("removals_held", Held("removals", 60, "60 of 100 pictures are gone", FULL.timestamp))


def read_one(url: str) -> Any:
    """Wait for a message and return its JSON."""
    (message,) = Queue(CLIENTS.sqs, url).receive(wait_seconds=5)
    return json.loads(message.body)
