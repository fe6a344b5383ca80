"""Mistakes in the ``[[notify]]`` entries of a pipeline file."""

from __future__ import annotations

from collections.abc import Iterator

from renditions.errors import Problem
from renditions.model.backends import find_notifier
from renditions.model.pipeline import Notify, Pipeline


def find_notify_problems(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield fields that don't fit their target, and entries that contradict."""
    secrets: dict[str, str | None] = {}
    for number, notify in enumerate(pipeline.notify):
        place = f"notify[{number}]"
        yield from _check_secret(notify, place)
        if secrets.setdefault(notify.to, notify.secret) != notify.secret:
            yield Problem(f"{place}.secret", "one secret for each target", repr(notify.secret))


def _check_secret(notify: Notify, place: str) -> Iterator[Problem]:
    backend = find_notifier(notify.to)
    if backend is None:
        return
    if backend.is_signed and notify.secret is None:
        expected = f'a variable that has the secret for {backend.form}, such as "${{WEBHOOK_SECRET}}"'
        yield Problem(f"{place}.secret", expected, "none")
    if notify.secret and not backend.is_signed:
        yield Problem(f"{place}.secret", f"no secret with {backend.form}", repr(notify.secret))
