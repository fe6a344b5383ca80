"""Notices by e-mail through Amazon SES."""

from __future__ import annotations

from typing import Any

from renditions.aws.clients import Clients, reported
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.registry import Shared
from renditions.model.wording import make_subject, make_text


class SesNotifier:
    """A notifier that sends e-mails: the target ``ses:ADDRESS,…``.

    It is a :class:`~renditions.core.notify.Notifier`. The entry's ``sender`` or its domain must be a
    verified identity.

    Args:
        client: A client of SES version 2.
        notify: The ``[[notify]]`` entry.

    """

    def __init__(self, client: Any, notify: Notify) -> None:
        self._client = client
        self._notify = notify
        self._recipients = notify.to.removeprefix("ses:").split(",")

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        content = {
            "Subject": {"Data": make_subject(notice, self._notify), "Charset": "UTF-8"},
            "Body": {"Text": {"Data": make_text(notice, self._notify), "Charset": "UTF-8"}},
        }
        with reported(self._notify.to, passing=NotifyFailed, lasting=NotifyRefused):
            self._client.send_email(
                FromEmailAddress=self._notify.sender,
                Destination={"ToAddresses": self._recipients},
                Content={"Simple": content},
            )


def open_notifier(notify: Notify, shared: Shared) -> SesNotifier:
    """Return the notifier of ``ses:ADDRESS,…``."""
    return SesNotifier(shared.get(Clients).ses, notify)
