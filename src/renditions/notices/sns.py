"""Notices through an SNS topic.

Programs receive :meth:`Notice.to_item <renditions.model.notices.Notice.to_item>` as JSON. People who
subscribed by e-mail or SMS receive sentences.
"""

from __future__ import annotations

import json
from typing import Any

from renditions.aws.clients import Clients, reported
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.binding import Held
from renditions.model.digest import Digest
from renditions.model.notices import Notice, Removal
from renditions.model.pipeline import Notify
from renditions.model.registry import Shared

MAX_SUBJECT_LENGTH = 100
"""The longest subject that SNS accepts, in characters. A subject is ASCII only."""
MAX_SMS_BYTES = 1600


class SnsNotifier:
    """A notifier that publishes to a topic: the target ``sns:ARN``.

    It is a :class:`~renditions.core.notify.Notifier`. Each message has the attribute ``event``, for filter
    policies.
    """

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        sentence = notice.describe()
        lead = notice.subject.headline if isinstance(notice.subject, Digest) else sentence
        message = {
            "default": json.dumps(notice.to_item()),
            "email": "\n".join([lead, "", *_detail_lines(notice)]),
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


def _subject(notice: Notice) -> str:
    """Return the e-mail's subject: one line of printable ASCII.

    It starts with a letter, digit or mark.
    """
    if isinstance(notice.subject, Digest):
        return f"Renditions: {notice.subject.headline}"[:MAX_SUBJECT_LENGTH]
    if not notice.name:
        return f"Renditions: {notice.title.lower()}"
    what = f" is {notice.event}"
    name = "".join(sign if " " <= sign <= "~" else "?" for sign in notice.name).strip()
    longest = MAX_SUBJECT_LENGTH - len(what)
    return (name if len(name) <= longest else f"...{name[3 - longest :]}") + what


def _detail_lines(notice: Notice) -> list[str]:
    if isinstance(notice.subject, Digest):
        return [group.describe() for group in notice.subject.groups]
    if isinstance(notice.subject, Removal):
        return list(notice.subject.deleted)
    if isinstance(notice.subject, Held):
        return []
    return [
        f"{output.rendition}: {output.key}, "
        + (f"{output.width}×{output.height}, " if output.width and output.height else "")
        + f"{output.size_bytes:,} bytes"
        for output in notice.subject.outputs
    ]


def open_notifier(notify: Notify, shared: Shared) -> SnsNotifier:
    """Return the notifier of ``sns:ARN``."""
    return SnsNotifier(shared.get(Clients).sns, notify.to.removeprefix("sns:"))
