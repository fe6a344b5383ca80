"""Notices through an EventBridge bus.

An event's detail is :meth:`Notice.to_item <renditions.model.notices.Notice.to_item>`.
"""

from __future__ import annotations

import json
from typing import Any

from renditions.aws.clients import PASSING, Clients, reported
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.registry import Shared

SOURCE = "renditions"
"""The ``source`` of every event. Rules of EventBridge select the events by it."""


class EventBridgeNotifier:
    """A notifier that puts events on a bus: the target ``events:BUS``.

    It is a :class:`~renditions.core.notify.Notifier`. An event's ``source`` is ``renditions``, and its
    ``detail-type`` is :attr:`Notice.title <renditions.model.notices.Notice.title>`.

    Args:
        client: An EventBridge client.
        bus: The bus's name or ARN.

    """

    def __init__(self, client: Any, bus: str) -> None:
        self._client = client
        self._bus = bus

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        entry = {
            "Source": SOURCE,
            "DetailType": notice.title,
            "Detail": json.dumps(notice.to_item()),
            "Time": notice.timestamp,
            "EventBusName": self._bus,
        }
        with reported(f"events:{self._bus}", passing=NotifyFailed, lasting=NotifyRefused):
            answer = self._client.put_events(Entries=[entry])
        if len(results := answer.get("Entries", ())) != 1:
            raise NotifyFailed(
                f"events:{self._bus}: the answer doesn't confirm the event. Check AWS_ENDPOINT_URL and any "
                "proxy"
            )
        (result,) = results
        # The call as a whole succeeds even if EventBridge refuses its only entry.
        if code := result.get("ErrorCode"):
            can_pass = code in PASSING or code in ("InternalFailure", "InternalException")
            why = f"{result.get('ErrorMessage', '')} ({code})".strip()
            message = f"events:{self._bus}: EventBridge refused the event: {why}"
            raise NotifyFailed(message) if can_pass else NotifyRefused(f"{message}. Check the bus's policies")


def open_notifier(notify: Notify, shared: Shared) -> EventBridgeNotifier:
    """Return the notifier of ``events:BUS``."""
    return EventBridgeNotifier(shared.get(Clients).events, notify.to.removeprefix("events:"))
