"""Notices through an SNS topic.

Programs receive :meth:`Notice.to_item <renditions.model.notices.Notice.to_item>` as JSON. People who
subscribed by e-mail or SMS receive sentences.
"""

from __future__ import annotations

import json
from typing import Any

from renditions.aws.clients import Clients, caused_by, reported
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.registry import Shared
from renditions.model.wording import make_subject, make_text

MAX_SUBJECT_LENGTH = 100
"""The longest subject that SNS accepts, in characters. A subject is ASCII only."""
MAX_SMS_BYTES = 1600
SHORT_TEXT_BYTES = 8_000
"""How long the text of an e-mail is at most, if SNS refused the whole message."""
TOO_LONG = "InvalidParameter"
"""SNS's error for a message that is too long, among other mistakes.

The limit is 262,144 bytes for all forms of a message together, or the topic's own ``MaximumMessageSize``.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""


class SnsNotifier:
    """A notifier that publishes to a topic: the target ``sns:ARN``.

    It is a :class:`~renditions.core.notify.Notifier`. Each message has the attribute ``event``, for filter
    policies. If a message is too long for the topic, the notifier sends a short form, see
    :meth:`Notice.to_short_item <renditions.model.notices.Notice.to_short_item>`.
    """

    def __init__(self, client: Any, notify: Notify) -> None:
        self._client = client
        self._notify = notify
        self._topic = notify.to.removeprefix("sns:")

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        text = make_text(notice, self._notify)
        try:
            self._publish(notice, notice.to_item(), text)
        except NotifyRefused as error:
            short, cut = notice.to_short_item(), _cut(text, SHORT_TEXT_BYTES)
            is_shorter = "left_out" in short or cut != text
            if not (is_shorter and caused_by(error, TOO_LONG)):
                raise
            self._publish(notice, short, cut if cut == text else f"{cut}…")

    def _publish(self, notice: Notice, item: dict[str, Any], text: str) -> None:
        brief = text if self._notify.text else notice.describe()
        message = {"default": json.dumps(item), "email": text, "sms": _cut(brief, MAX_SMS_BYTES)}
        with reported(f"sns:{self._topic}", passing=NotifyFailed, lasting=NotifyRefused):
            self._client.publish(
                TopicArn=self._topic,
                Subject=_make_subject(notice, self._notify),
                MessageStructure="json",
                Message=json.dumps(message),
                MessageAttributes={"event": {"DataType": "String", "StringValue": notice.event}},
            )


def _cut(text: str, most_bytes: int) -> str:
    """Return the beginning of a text that has at most this many bytes in UTF-8."""
    return text.encode()[:most_bytes].decode(errors="ignore")


def _make_subject(notice: Notice, notify: Notify) -> str:
    """Return the e-mail's subject: one line of printable ASCII.

    A long default subject about a picture loses its beginning, and any other long subject its end.
    """
    text = make_subject(notice, notify)
    subject = "".join(sign if " " <= sign <= "~" else "?" for sign in text).strip()
    if len(subject) <= MAX_SUBJECT_LENGTH:
        return subject
    is_about_picture = notice.name and not notify.subject
    return f"...{subject[3 - MAX_SUBJECT_LENGTH :]}" if is_about_picture else subject[:MAX_SUBJECT_LENGTH]


def open_notifier(notify: Notify, shared: Shared) -> SnsNotifier:
    """Return the notifier of ``sns:ARN``."""
    return SnsNotifier(shared.get(Clients).sns, notify)
