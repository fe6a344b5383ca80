"""The command that tries recipes on pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption, chosen_file
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.cli.running import TROUBLE
from renditions.cli.syncing import RenditionOption
from renditions.core.ports import Renderer
from renditions.errors import Failed, Rejected, UsageError
from renditions.pipeline_file.reading import load
from renditions.runtime.alone import Recipes
from renditions.runtime.trial import (
    Panel,
    Tried,
    change,
    draw_details,
    open_trial,
    parse_comparison,
    parse_setting,
    try_picture,
)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The recipes of each setting to try, and the folder for the files."""

    render: Renderer
    settings: Mapping[str, Recipes]
    field: str
    """The field that settings compare; empty without ``--compare``."""
    folder: Path | None


def try_recipes(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE…", help="Files of pictures.")],
    file: FileOption = None,
    rendition: RenditionOption = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Use another value for a field; repeat the option for more.",
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD=VALUE,VALUE…",
            help="Try each of these values; with -o, also show details side by side.",
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write the files into this folder.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Render pictures with the pipeline's recipes, and measure the results.

    This changes nothing in the source, the output store or the catalog.
    """
    twice = [name for name, count in Counter(each.name for each in pictures).items() if count > 1]
    if folder and twice:
        raise UsageError(
            f"two pictures are named {twice[0]!r}, so one would replace the other's files in {folder}. Try "
            "them one after the other, with two folders"
        )
    loaded = load(chosen_file(context, file), os.environ)
    for warning in loaded.warnings:
        messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    recipes = Recipes.of(loaded).choose(rendition)
    recipes = change(recipes, dict(parse_setting(each) for each in changes or ()), loaded.directory)
    field, values = parse_comparison(compare) if compare else ("", {})
    settings = {
        f"{field}={each}": change(recipes, {field: values[each]}, loaded.directory) for each in values
    }
    with open_trial(recipes.limits) as render:
        trial = _Trial(render, settings or {"": recipes}, field, folder)
        tried = [each for picture in pictures for each in _try(trial, picture)]
    if as_json:
        display.print_json([each.to_item() for each in tried])
    else:
        _print_table(tried)
    if compare and not folder:
        messages.print("To see details side by side, and to keep the files, add -o DIR")
    if any(each.reason for each in tried):
        raise typer.Exit(TROUBLE)


def _try(trial: _Trial, picture: Path) -> list[Tried]:
    """Try all settings on one picture, write the files, and return the results."""
    try:
        tried, warnings = try_picture(trial.render, picture, trial.settings)
    except (Rejected, Failed) as error:
        return [Tried(picture.name, "", reason=str(error), is_failed=isinstance(error, Failed))]
    for warning in warnings:
        messages.print(f"[yellow]warning:[/] {escape(picture.name)}: {escape(str(warning))}")
    if trial.folder:
        folder = trial.folder / picture.name
        for each in tried:
            if each.made:
                _write(folder / each.file_name(), each.made.content)
        if trial.field:
            _draw_comparisons(trial, picture, tried, folder)
    return tried


def _draw_comparisons(trial: _Trial, picture: Path, tried: Sequence[Tried], folder: Path) -> None:
    recipes = next(iter(trial.settings.values()))
    for name, recipe in recipes.renditions.items():
        own = [each for each in tried if each.rendition == name and each.made]
        panels = [Panel(_describe(each), each.made) for each in own if each.made]
        if not panels:
            continue
        details = draw_details(trial.render, picture.read_bytes(), recipe, panels)
        if details is None:
            messages.print(
                f"{escape(name)}: can't draw the files side by side, because one has a format that browsers "
                f"can't show. Compare the files in {escape(str(folder))}"
            )
            continue
        path = folder / f"{name}.{trial.field}.png"
        _write(path, details)
        messages.print(f"Details side by side: {escape(str(path))}")


def _describe(tried: Tried) -> str:
    """Return the label of a panel: setting, size and score."""
    size = display.format_bytes(len(tried.made.content)) if tried.made else ""
    score = tried.made.measured.score if tried.made and tried.made.measured else None
    return ", ".join(filter(None, (tried.setting, size, "" if score is None else f"score {score:g}")))


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}. Choose another folder with -o") from error


def _print_table(tried: Sequence[Tried]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    has_settings = any(each.setting for each in tried)
    table.add_column("picture", overflow="fold")
    table.add_column("rendition", overflow="fold")
    if has_settings:
        table.add_column("setting", overflow="fold")
    table.add_column("format")
    for heading in ("dimensions", "size", "quality", "score", "time"):
        table.add_column(heading, justify="right")
    for each in tried:
        setting = [escape(each.setting)] if has_settings else []
        table.add_row(escape(each.picture), escape(each.rendition), *setting, *_cells_of(each))
    display.make_data_console().print(table)
    for each in tried:
        if each.reason:
            what = " ".join(filter(None, (each.picture, each.rendition, each.setting)))
            messages.print(f"{_result_of(each)} {escape(what)}: {escape(each.reason)}")


def _result_of(tried: Tried) -> str:
    """Return the word ``failed`` or ``rejected``, in the colour of this status."""
    status = "failed" if tried.is_failed else "rejected"
    return f"[{display.STATUS_STYLES[status]}]{status}[/]"


def _cells_of(tried: Tried) -> tuple[str, ...]:
    made = tried.made
    if made is None:
        return (_result_of(tried),)
    measured = made.measured
    quality = "" if measured is None or measured.quality is None else str(measured.quality)
    score = "" if measured is None or measured.score is None else f"{measured.score:.1f}"
    time = "" if made.seconds is None else f"{1000 * made.seconds:,.0f} ms"
    return (
        made.format,
        display.format_sides(made),
        display.format_bytes(len(made.content)),
        quality,
        score,
        time,
    )
