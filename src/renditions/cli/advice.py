"""Complete the commands that messages advise.

So they name the pipeline file and the pictures that the user's own command named.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import rich.console

from renditions.cli.markup import escape
from renditions.core.selection import Selection

HOW_TO_ALLOW = {
    "removals": "If the pictures are gone on purpose: renditions sync --allow-removals",
    "renditions": "To delete these outputs: renditions sync",
    "output": "To make these outputs again: renditions sync",
    "catalog": "To take over the outputs that this catalog wrote: renditions sync --adopt",
}
"""How a person allows each kind of held work. The text ends with the command."""

_COMMAND = re.compile(
    r"\brenditions (?=(?:sync|plan|retry|list|status|strays|forget|notices|dlq|deploy|destroy"
    r"|watch|worker|serve)\b)"
)
_chosen: list[Path] = []
"""The pipeline file that the command line names; empty if it names none."""


def remember_file(file: Path | None) -> None:
    """Make printed commands name this pipeline file; None for the default file."""
    _chosen[:] = [file] if file else []


def spell_selection(selection: Selection) -> str:
    """Return a selection as arguments of a command, with a space in front."""
    prefixes = (prefix or "/" for prefix in selection.prefixes)
    status = ("--status", selection.status) if selection.status else ()
    named = (*selection.names, *prefixes)
    dashes = ("--",) if any(each.startswith("-") for each in named) else ()
    arguments = shlex.join((*status, *dashes, *named))
    return f" {arguments}" if arguments else ""


def complete(text: str) -> str:
    """Return the text with the chosen pipeline file added to the commands in it."""
    if not _chosen:
        return text
    option = escape(f"-p {shlex.quote(str(_chosen[0]))}")
    return _COMMAND.sub(lambda _: f"renditions {option} ", text)


class Console(rich.console.Console):
    """A console that adds the chosen pipeline file to the commands in texts."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects; in texts, commands name the chosen pipeline file."""
        super().print(*(complete(each) if isinstance(each, str) else each for each in objects), **options)
