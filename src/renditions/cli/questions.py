"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

import typer

from renditions.cli.console import messages


def ask(question: str, *, yes: bool, otherwise: str = "Nothing was changed.") -> None:
    """Ask the question; end the program with exit code 1 unless the answer is yes.

    With ``yes``, the person has answered already, so don't ask. ``otherwise`` is printed before the end.
    """
    if not yes and not is_yes(question):
        messages.print(otherwise)
        raise typer.Exit(1)


def is_yes(question: str) -> bool:
    """Ask the question, also with ``--quiet``; return whether the answer is yes."""
    was_quiet, messages.quiet = messages.quiet, False
    messages.print(f"{question} (y/N) ", end="")
    messages.quiet = was_quiet
    return sys.stdin.readline().strip().lower() in ("y", "yes")
