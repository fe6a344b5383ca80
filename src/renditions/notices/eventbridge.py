"""Notices through an EventBridge bus.

An event's detail is :meth:`Notice.to_item <renditions.model.notices.Notice.to_item>`.
"""

from __future__ import annotations

import json
from typing import Any

from renditions.aws.clients import PASSING, Clients, caused_by, reported
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.registry import Shared

SOURCE = "renditions"
"""The ``source`` of every event. Rules of EventBridge select the events by it."""

TOO_LARGE = "ValidationException"
"""EventBridge's error for an event of 1 MB or more, among other mistakes.

Compatible servers may accept only 256 KB.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""


class EventBridgeNotifier:
    """A notifier that puts events on a bus: the target ``events:BUS``.

    It is a :class:`~renditions.core.notify.Notifier`. An event's ``source`` is ``renditions``, and its
    ``detail-type`` is :attr:`Notice.title <renditions.model.notices.Notice.title>`. If an event is too large,
    the notifier sends the short form of the notice.

    Args:
        client: An EventBridge client.
        bus: The bus's name or ARN.

    """

    def __init__(self, client: Any, bus: str) -> None:
        self._client = client
        self._bus = bus

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        try:
            answer = self._put(notice, notice.to_item())
        except NotifyRefused as error:
            short = notice.to_short_item()
            if not ("left_out" in short and caused_by(error, TOO_LARGE)):
                raise
            answer = self._put(notice, short)
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

    def _put(self, notice: Notice, item: dict[str, Any]) -> dict[str, Any]:
        """Put the notice on the bus, and return the answer."""
        entry = {
            "Source": SOURCE,
            "DetailType": notice.title,
            "Detail": json.dumps(item),
            "Time": notice.timestamp,
            "EventBusName": self._bus,
        }
        with reported(f"events:{self._bus}", passing=NotifyFailed, lasting=NotifyRefused):
            answer: dict[str, Any] = self._client.put_events(Entries=[entry])
        return answer


def open_notifier(notify: Notify, shared: Shared) -> EventBridgeNotifier:
    """Return the notifier of ``events:BUS``."""
    return EventBridgeNotifier(shared.get(Clients).events, notify.to.removeprefix("events:"))
