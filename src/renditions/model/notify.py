"""The ``[[notify]]`` entries of a pipeline file: which target gets which notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from renditions.model.backends import NOTIFIERS, conceal, spell_forms
from renditions.model.fields import (
    MailAddress,
    NamePrefix,
    NotEmpty,
    NoticeSubject,
    NoticeText,
    NotifyUrl,
    OneOf,
    Reference,
    RenditionName,
    Seconds,
    hash_of,
)
from renditions.model.notice_events import NOTICE_EVENTS

_TARGET = f"Where to: {spell_forms(NOTIFIERS)}."

EventName = Annotated[str, OneOf(tuple(name for name, event in NOTICE_EVENTS.items() if event.is_declared))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """One target of notices, and which notices it gets."""

    on: Annotated[
        tuple[EventName, ...],
        NotEmpty(),
        "The events that cause a notice. Every target also gets removals_held and output_held.",
    ]
    to: Annotated[NotifyUrl, _TARGET]
    secret: Annotated[
        Reference | None, 'With webhook: the secret that signs the notices, as "${VARIABLE}" only.'
    ] = None
    sender: Annotated[
        MailAddress | None, "With ses: the address that sends the e-mails. SES must have verified it."
    ] = None
    digest: Annotated[
        Seconds | None,
        'How long to collect notices for one message, such as "1 h". Without it, each notice is sent at '
        "once. Held work is always reported at once.",
    ] = None
    prefix: Annotated[
        NamePrefix | None, "Only pictures whose names begin with this text, such as shop/ for a folder."
    ] = None
    renditions: Annotated[
        tuple[RenditionName, ...],
        "Of the done pictures, only those that have one of these renditions or families; of the rejected "
        "pictures, only those that lack one of them. Empty: all pictures.",
    ] = ()
    subject: Annotated[
        NoticeSubject | None, "The subject of messages for people, with fields such as {summary}."
    ] = None
    text: Annotated[NoticeText | None, "The text of messages for people, with fields such as {message}."] = (
        None
    )

    @property
    def target(self) -> str:
        """The target's name in records: a hash, because the URL may hold a password."""
        return hash_of(self.to)[:12]

    @property
    def spelled(self) -> str:
        """The target for people, without the parts of its URL that may be secret."""
        return conceal(self.to)

    def wants(self, event: str, name: str | None = None) -> bool:
        """Return whether the target gets notices of this event about this picture.

        A ``name`` of None stands for any picture. This method doesn't compare ``renditions``.
        """
        is_named = name is None or name.startswith(self.prefix or "")
        return (event in self.on and is_named) or NOTICE_EVENTS[event].is_for_all

    def collects(self, event: str) -> bool:
        """Return whether a notice of this event waits for a digest."""
        return self.digest is not None and not NOTICE_EVENTS[event].is_for_all
