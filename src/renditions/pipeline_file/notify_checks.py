"""Find mistakes in the ``[[notify]]`` entries of a pipeline file."""

from __future__ import annotations

from collections.abc import Iterator

from renditions.errors import Problem, UsageError
from renditions.model.backends import find_notifier
from renditions.model.families import find_members
from renditions.model.notify import Notify
from renditions.model.pipeline import Pipeline

ONE_EACH = ("secret", "sender", "digest", "subject", "text")
"""The fields that all entries of one target must have in common."""


def find_notify_problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each field that doesn't fit the target or another entry."""
    first: dict[str, Notify] = {}
    for number, notify in enumerate(pipeline.notify):
        place = f"notify[{number}]"
        yield from _check_target(notify, place)
        try:
            find_members(pipeline.renditions, notify.renditions)
        except UsageError as error:
            yield Problem(f"{place}.renditions", "declared renditions or families", f"another one ({error})")
        for name in ONE_EACH:
            found = getattr(notify, name)
            if getattr(first.setdefault(notify.to, notify), name) != found:
                shown = "none" if found is None else repr(found)
                yield Problem(f"{place}.{name}", f"one {name} for each target", shown)


def _check_target(notify: Notify, place: str) -> Iterator[Problem]:
    """Yield a problem for each field that this kind of target lacks or can't use."""
    backend = find_notifier(notify.to)
    if backend is None:
        return
    if backend.is_signed and notify.secret is None:
        expected = f'a variable that has the secret for {backend.form}, such as "${{WEBHOOK_SECRET}}"'
        yield Problem(f"{place}.secret", expected, "none")
    if notify.secret and not backend.is_signed:
        yield Problem(f"{place}.secret", f"no secret with {backend.form}", repr(notify.secret))
    if backend.has_sender and notify.sender is None:
        yield Problem(f"{place}.sender", f"the address that sends e-mails with {backend.form}", "none")
    if notify.sender and not backend.has_sender:
        yield Problem(f"{place}.sender", f"no sender with {backend.form}", repr(notify.sender))
    for name in ("subject", "text"):
        if (found := getattr(notify, name)) and name not in backend.wording:
            yield Problem(f"{place}.{name}", f"no {name} with {backend.form}", repr(found))
