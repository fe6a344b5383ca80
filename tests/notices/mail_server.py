"""A real SMTP server on loopback that keeps the e-mails that it accepts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from web.browser import find_port


@dataclass
class Mailbox:
    """The e-mails that the server accepted, and its answer to each e-mail."""

    port: int = 0
    answer: str = "250 OK"
    got: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL for apprise."""
        return f"mailto://127.0.0.1:{self.port}?from=renditions@example.org&to=team@example.org&mode=insecure"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name
        """Keep the e-mail if the server accepts it; return the answer."""
        if self.answer.startswith("250"):
            self.got.append(message_from_bytes(envelope.content, EmailMessage, policy=default))
        return self.answer


@contextmanager
def receiving_mail() -> Iterator[Mailbox]:
    """Yield the mailbox of a server that runs until the block ends."""
    mailbox = Mailbox(find_port())
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
