"""The command line itself: the table of commands, common options, and errors.

A command's module is imported when the command runs, because all modules together take most of the time of a
short command.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from renditions.cli import advice
from renditions.cli.console import JsonHandler, JsonLines, MessageHandler, errors, messages
from renditions.cli.markup import escape_lines
from renditions.errors import RenditionsError
from renditions.model.hidden import reveal_in_json
from renditions.model.registry import resolve
from renditions.model.shell import as_argument

COMMANDS: Mapping[str, str] = {
    "init": "renditions.cli.files:init",
    "check": "renditions.cli.files:check",
    "show": "renditions.cli.listing:show",
    "list": "renditions.cli.listing:list_records",
    "schema": "renditions.cli.files:schema",
    "demo": "renditions.cli.demonstration:demo",
    "package": "renditions.cli.packaging:package",
    "deploy": "renditions.cli.deployment:deploy",
    "destroy": "renditions.cli.deployment:destroy",
    "doctor": "renditions.cli.doctor:doctor",
    "notices": "renditions.cli.notices:notices",
    "strays": "renditions.cli.ownership:strays",
    "forget": "renditions.cli.ownership:forget",
    "plan": "renditions.cli.syncing:plan",
    "sync": "renditions.cli.syncing:sync",
    "retry": "renditions.cli.syncing:retry",
    "focus": "renditions.cli.syncing:focus",
    "watch": "renditions.cli.services:watch",
    "serve": "renditions.cli.services:serve",
    "worker": "renditions.cli.services:worker",
    "dlq": "renditions.cli.dead_letter_queue:commands",
    "sign": "renditions.cli.signing:sign",
    "status": "renditions.cli.status:status",
    "try": "renditions.cli.trying:try_recipes",
    "manifest": "renditions.cli.manifest:manifest",
}
"""Each command's function, or its group of commands, in the order of the help."""

DEFAULT_FILE = Path("renditions.toml")

FileOption = Annotated[
    Path | None,
    typer.Option("-p", "--pipeline", metavar="FILE", help="The pipeline file (default: renditions.toml)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=1, max=256, help="How many worker processes render pictures.")
]
WORKERS = os.cpu_count() or 1


class Command(TyperCommand):
    """A command that prints its own error, with ``--json`` as a line of JSON."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. If an option is unknown, advise ``--`` before names."""
        has_names = any(parameter.param_type_name == "argument" for parameter in self.params)
        given = [*args]
        try:
            return super().parse_args(ctx, args)
        except _WrongUsage as error:
            if has_names and hasattr(error, "possibilities"):  # an unknown option
                named = next((arg for arg in given if arg.startswith(error.option_name)), error.option_name)
                error.message += (
                    f". If it is a name, put -- before it: {ctx.command_path} {as_argument(named)}"
                )
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command's function; print its error, and exit with the error's code."""
        try:
            return super().invoke(ctx)
        except RenditionsError as error:
            if ctx.params.get("as_json"):
                item = {"error": {"code": error.code, "detail": str(error)}}
                sys.stdout.write(reveal_in_json(json.dumps(item, ensure_ascii=False)) + "\n")
            else:
                errors.print(f"[red]error:[/] {escape_lines(str(error))}")
            raise typer.Exit(error.exit_code) from None


class _Commands(TyperGroup):
    """The group of all commands. It imports a command when the user runs it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, without importing them."""
        del ctx
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command, or return None if there is none of this name."""
        if cmd_name not in COMMANDS:
            # Typer suggests similar names from these.
            self.commands.update({name: self.get_command(ctx, name) for name in COMMANDS})
            return None
        found = resolve(COMMANDS[cmd_name])
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        one = typer.Typer(add_completion=False, context_settings=_CONTEXT)
        one.command(cmd_name, cls=Command)(found)
        return typer.main.get_command(one)


_WrongUsage: Any = typer.BadParameter.__base__
"""The class of typer's errors about the words of a command line."""
_CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=_Commands,
    help="Make the sizes, formats and watermarks that you declare, for each picture as soon as it arrives.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


def main() -> None:
    """Run the command line and exit with its code."""
    _open_missing_streams()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names may not be UTF-8
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here an error has a message; while Python ends, it has none
    except BrokenPipeError:
        # The reader of our output has ended, like `head`. An error message would have no reader either.
        _discard_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _NO_SPACE or error.filename is not None:
            raise
        _discard_output()
        errors.print(
            f"[red]error:[/] can't write the output: {error.strerror}. Free some space, or raise this user's "
            "limit, and try again"
        )
        sys.exit(1)


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The ``errno`` of a write that found no space. Stores and catalogs raise errors of their own instead."""


def _discard_output() -> None:
    """Discard all further output to stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_missing_streams() -> None:
    """Replace streams that the parent process closed, as with ``>&-``.

    Otherwise the first file that a command opens gets the number of stdout or stderr.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


def _show_version(*, wanted: bool) -> None:
    if wanted:
        version = resolve("importlib.metadata:version")
        typer.echo(f"renditions {version('renditions')}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    file: FileOption = None,
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="Print only data, errors, questions, and notices to log:."),
    ] = False,
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option(help="The form of messages and log lines on stderr: text, or a JSON object per line."),
    ] = "text",
) -> None:
    """Set up logging, and remember a pipeline file that is named before the command."""
    del show_version
    messages.quiet = quiet
    handler = JsonHandler() if log_format == "json" else MessageHandler()
    if log_format == "json":
        messages.file, errors.file = JsonLines("info"), JsonLines("error")
    level = logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("renditions.notices").setLevel(logging.INFO)
    context.obj = file


def chosen_file(context: typer.Context, file: Path | None) -> Path:
    """Return the pipeline file that the command line names, or the default.

    The option can stand before or after the command. If both are given, the one after the command counts.
    Messages that advise commands then name this file too.
    """
    named: Path | None = context.obj
    advice.remember_file(file or named)
    return file or named or DEFAULT_FILE
