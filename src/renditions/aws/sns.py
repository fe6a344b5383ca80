"""Notices through an SNS topic or an EventBridge bus.

Programs get :meth:`Notice.to_item <renditions.model.record.Notice.to_item>` as JSON, people who subscribed by
e-mail or SMS get sentences.
"""

from __future__ import annotations

import json
from typing import Any

from renditions.aws.clients import PASSING, reported
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.record import Notice

MAX_SUBJECT_LENGTH = 100
"""SNS takes so many characters, ASCII only."""
MAX_SMS_BYTES = 1600
SOURCE = "renditions"
"""The ``source`` of our events, by which rules of EventBridge choose them."""


class SnsNotifier:
    """A :class:`~renditions.core.ports.Notifier` that publishes to a topic: the target ``sns:ARN``.

    The message attribute ``event`` is ``done``, ``rejected`` or ``failed``, for filter policies.
    """

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.ports.Notifier.send>`."""
        sentence = _sentence(notice)
        message = {
            "default": json.dumps(notice.to_item()),
            "email": "\n".join([sentence, "", *_output_lines(notice)]),
            "sms": sentence.encode()[:MAX_SMS_BYTES].decode(errors="ignore"),
        }
        with reported(f"sns:{self._topic}", passing=NotifyFailed, lasting=NotifyRefused):
            self._client.publish(
                TopicArn=self._topic,
                Subject=_subject(notice),
                MessageStructure="json",
                Message=json.dumps(message),
                MessageAttributes={"event": {"DataType": "String", "StringValue": notice.event}},
            )


class EventBridgeNotifier:
    """A :class:`~renditions.core.ports.Notifier` that puts events on a bus: the target ``events:BUS``.

    An event's ``source`` is ``renditions``, its ``detail-type`` ``Picture done``, ``Picture rejected`` or
    ``Picture failed``.

    Args:
        client: An EventBridge client.
        bus: The bus's name or ARN.

    """

    def __init__(self, client: Any, bus: str) -> None:
        self._client = client
        self._bus = bus

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.ports.Notifier.send>`."""
        entry = {
            "Source": SOURCE,
            "DetailType": f"Picture {notice.event}",
            "Detail": json.dumps(notice.to_item()),
            "Time": notice.record.timestamp,
            "EventBusName": self._bus,
        }
        with reported(f"events:{self._bus}", passing=NotifyFailed, lasting=NotifyRefused):
            (result,) = self._client.put_events(Entries=[entry])["Entries"]
        # The call as a whole succeeds though its one entry is refused.
        if code := result.get("ErrorCode"):
            can_pass = code in PASSING or code in ("InternalFailure", "InternalException")
            message = f"events:{self._bus}: {code}: {result.get('ErrorMessage', '')}"
            raise (NotifyFailed if can_pass else NotifyRefused)(message)


def _sentence(notice: Notice) -> str:
    reason = notice.record.reason
    return f"{notice.record.name} is {notice.event}{f': {reason}' if reason else '.'}"


def _subject(notice: Notice) -> str:
    """Return the e-mail's subject: printable ASCII, begun by a letter, digit or mark, on one line."""
    what = f" is {notice.event}"
    name = "".join(sign if " " <= sign <= "~" else "?" for sign in notice.record.name).strip()
    longest = MAX_SUBJECT_LENGTH - len(what)
    return (name if len(name) <= longest else f"...{name[3 - longest :]}") + what


def _output_lines(notice: Notice) -> list[str]:
    return [
        f"{output.rendition}: {output.key}, "
        + (f"{output.width}×{output.height}, " if output.width and output.height else "")
        + f"{output.size_bytes:,} bytes"
        for output in notice.record.outputs
    ]
