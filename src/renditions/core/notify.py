"""The port for sending notices. Each implementation is one module in ``renditions.notices``."""

from __future__ import annotations

from typing import Protocol

from renditions.model.binding import HeldNotice
from renditions.model.record import Notice


class Notifier(Protocol):
    """A target of notices."""

    def send(self, notice: Notice | HeldNotice) -> None:
        """Deliver the notice; raise ``NotifyFailed`` if it may not have been delivered."""
        ...
