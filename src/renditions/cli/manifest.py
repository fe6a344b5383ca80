"""The command that prints what a web page needs to show pictures."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import typer

from renditions.cli import display
from renditions.cli.app import FileOption
from renditions.cli.completion import NamesArgument
from renditions.cli.console import messages
from renditions.cli.opening import opened
from renditions.cli.signing import MOST_HOURS, expire_after, find_keys
from renditions.core.selection import Selection
from renditions.errors import UsageError
from renditions.model.families import find_members
from renditions.model.hidden import reveal, reveal_in_json
from renditions.runtime.manifest import VERSION, Sign, list_entries, make_html
from renditions.runtime.parts import Parts
from renditions.runtime.selecting import check_prefixes


def manifest(
    context: typer.Context,
    names: NamesArgument = None,
    file: FileOption = None,
    form: Annotated[
        Literal["json", "html"],
        typer.Option("--format", help="JSON, or a <picture> for each look."),
    ] = "json",
    look: Annotated[
        str | None, typer.Option("--look", metavar="NAME", help="Only this look: a family or a rendition.")
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZES",
            help='How wide pages show the pictures, such as "(max-width: 600px) 100vw, 50vw".',
        ),
    ] = None,
    hours: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_HOURS,
            help="Sign the URLs of renditions on demand; they stay valid for this many hours.",
        ),
    ] = None,
) -> None:
    """Print what a site needs to show pictures: URLs, srcset, dimensions and texts."""
    with opened(context, file, read_only=True) as parts:
        pipeline = parts.pipeline
        selection = Selection.of(names or ())
        check_prefixes(parts, selection)
        if look:
            find_members(pipeline.renditions, [look])
        if pipeline.output.base_url is None:
            messages.print(
                "[yellow]warning:[/] The URLs are relative to the output store, because the pipeline file "
                "has no base_url in \\[output]"
            )
        entries = list_entries(parts, selection, display.print_unreadable, sizes, _make_sign(parts, hours))
        chosen = (_choose(entry, look) for entry in entries)
        if form == "json":
            _print_json(chosen)
        else:
            _print_html(chosen)


def _make_sign(parts: Parts, hours: int | None) -> Sign | None:
    """Return a function that signs URLs of renditions; None without ``--hours``.

    Raise UsageError if no URL needs a signature, or if there is no key.
    """
    if hours is None:
        return None
    server = parts.pipeline.output.on_demand_url
    if server is None:
        raise UsageError(
            "can't sign: the pipeline file has no on_demand_url in [output], so no URL needs a signature. "
            "Leave out --hours, or set on_demand_url"
        )
    keys = find_keys(parts.pipeline, parts.directory)
    root_path, expires_at_seconds = urlsplit(server).path, expire_after(hours)
    return lambda url: keys.sign(url, expires_at_seconds=expires_at_seconds, root_path=root_path)


def _choose(entry: dict[str, Any], look: str | None) -> dict[str, Any]:
    if look is None:
        return entry
    looks = {name: each for name, each in entry.get("looks", {}).items() if name == look}
    return {**entry, "looks": looks}


def _print_json(entries: Iterable[dict[str, Any]]) -> None:
    """Print the document with one line for each picture, without holding all of them."""
    lines = (reveal_in_json(json.dumps(entry, ensure_ascii=False)) for entry in entries)
    first = next(lines, None)  # an unknown name raises here, before half a document is printed
    sys.stdout.write(f'{{"version": {VERSION}, "pictures": [' + (f"\n{first}" if first else ""))
    sys.stdout.writelines(f",\n{line}" for line in lines)
    sys.stdout.write("\n]}\n")


def _print_html(entries: Iterable[dict[str, Any]]) -> None:
    for entry in entries:
        for look in entry.get("looks", {}):
            comment = html.escape(reveal(f"{entry['name']}: {look}")).replace("--", "&#45;&#45;")
            sys.stdout.write(f"<!-- {comment} -->\n{make_html(entry, look)}\n")
