"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

import typer

from renditions.cli.console import messages


def ask(question: str, *, yes: bool) -> None:
    """Ask the question; end the program with exit code 1 unless the answer is yes."""
    if yes:
        return
    messages.print(f"{question} (y/N) ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        messages.print("Nothing was changed.")
        raise typer.Exit(1)
