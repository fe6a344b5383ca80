"""The subject and the text of a notice for people.

A pipeline file may have templates for both. A template has plain fields only, from a closed list.
"""

from __future__ import annotations

from collections.abc import Iterable

from renditions.model.binding import Held
from renditions.model.digest import Digest
from renditions.model.items import format_time
from renditions.model.notices import Notice, Removal
from renditions.model.notify import Notify


def make_subject(notice: Notice, notify: Notify) -> str:
    """Return the subject: one line without control characters."""
    text = (notify.subject or "{summary}").format_map(_values(notice))
    return "".join(sign if sign.isprintable() else "?" for sign in text).strip()


def make_text(notice: Notice, notify: Notify) -> str:
    """Return the text, which may have several lines."""
    return (notify.text or "{message}\n\n{details}").format_map(_values(notice)).strip()


def _values(notice: Notice) -> dict[str, str]:
    """Return the value of each field.

    The fields are :data:`WORDING_FIELDS <renditions.model.fields.WORDING_FIELDS>`.
    """
    digest = notice.subject if isinstance(notice.subject, Digest) else None
    message = f"{digest.headline}." if digest else notice.describe()
    about_all = digest.headline if digest else notice.title.lower()
    reported = notice.to_reported()
    return {
        "event": notice.event,
        "title": notice.title,
        "name": notice.name,
        "reason": reported.reason,
        "code": reported.code,
        "time": format_time(notice.timestamp),
        "count": str(digest.count if digest else 1),
        "summary": f"{notice.name} is {notice.event}" if notice.name else f"Renditions: {about_all}",
        "message": message,
        "details": "\n".join(_detail_lines(notice)),
    }


def _detail_lines(notice: Notice) -> Iterable[str]:
    match notice.subject:
        case Digest(groups=groups):
            return [group.describe() for group in groups]
        case Removal(deleted=deleted):
            return deleted
        case Held():
            return []
        case record:
            return [
                f"{output.rendition}: {output.key}, "
                + (f"{output.width}×{output.height}, " if output.width and output.height else "")
                + f"{output.size_bytes:,} bytes"
                for output in record.outputs
            ]
