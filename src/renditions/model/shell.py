"""Spell arguments for a shell."""

from __future__ import annotations

import shlex


def as_argument(name: str) -> str:
    """Return a name as an argument of a command in a shell.

    A name with a dash at its start follows ``--``, because the command would take it for an option.
    """
    return f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)
