"""The commands for the dead-letter queue: list, redrive and drop its messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from renditions.cli import display
from renditions.cli.app import Command, FileOption, JsonOption
from renditions.cli.console import messages
from renditions.cli.from_terraform import FromTerraformOption, read_deployed
from renditions.cli.markup import escape
from renditions.cli.opening import opened
from renditions.cli.questions import ask
from renditions.core.binding import FOLLOWS
from renditions.core.leases import reopen
from renditions.core.readable import get_readable
from renditions.errors import UsageError
from renditions.messages.dead_letter_queue import DeadLetter, look
from renditions.model.batches import in_batches
from renditions.model.counting import count_of
from renditions.model.places import S3Place, parse_store
from renditions.runtime.parts import Parts, open_queue

if TYPE_CHECKING:
    from renditions.aws.sqs import Queue, Received

commands = typer.Typer(
    name="dlq",
    help="List, redrive or drop the messages of the dead-letter queue.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

QueueOption = Annotated[
    str | None,
    typer.Option("--queue", envvar="QUEUE_URL", help="The URL of the queue with messages about pictures."),
]
DeadQueueOption = Annotated[
    str | None, typer.Option("--dead", help="The URL of the dead-letter queue, if the queue doesn't name it.")
]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=10_000, help="How many messages to read at most.")
]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]…", help="The IDs of messages, from renditions dlq list.")
]
MOST_LOOKED = 1000
AllOption = Annotated[
    bool, typer.Option("--all", help=f"All messages that this pipeline understands, up to {MOST_LOOKED:,}.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Delete without asking.")]


@dataclass
class DeadLetters:
    """An open dead-letter queue, its pipeline, and the queue that it belongs to."""

    parts: Parts
    queue: Queue | None
    """The queue that messages go back to; None without one."""
    dead: Queue
    looked: list[Received] = field(default_factory=list)
    """The messages that this command read and didn't delete. Other readers can't see them meanwhile."""

    def look(self, limit: int) -> Iterator[DeadLetter]:
        """Yield up to ``limit`` messages, and hide them from other readers.

        Raises:
            UsageError: The source isn't in a bucket.
            QueueFailed: The queue can't be read.
            CatalogFailed: The catalog, which has the reasons of failed pictures, can't be read.

        """
        place = parse_store(self.parts.pipeline.source.store, Path())
        if not isinstance(place, S3Place):
            raise UsageError(
                "dlq: the source isn't in a bucket. Set SOURCE_BUCKET, or use --from-terraform for the "
                "function's environment."
            )
        for letter in look(self.dead, place, self.parts.catalog.get, limit):
            self.looked.append(letter.received)
            yield letter

    def show_again(self) -> None:
        """Make the messages that this command didn't delete visible to other readers."""
        self.dead.hide(self.looked, 0)

    def delete(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages from the dead-letter queue."""
        deleted = [letter.received for letter in letters]
        self.dead.delete(deleted)
        self.looked = [message for message in self.looked if message not in deleted]


@contextmanager
def _opened(
    context: typer.Context, file: Path | None, folder: Path | None, queue: str | None, dead: str | None
) -> Iterator[DeadLetters]:
    """Open the queues that the options name.

    At the end, other readers can see the messages that are left.

    Raises:
        UsageError: There is no dead-letter queue.
    """
    deployed = read_deployed(folder, queue)
    with opened(context, file, environ=deployed.environment) as parts:
        source = open_queue(deployed.queue, parts.shared) if deployed.queue else None
        url = dead or deployed.dead_letter_queue or (source and source.find_dead_letter_queue())
        if not url:
            raise UsageError(
                "dlq: no dead-letter queue. Use --from-terraform, or name the queue with --queue or "
                "QUEUE_URL, or the dead-letter queue itself with --dead."
            )
        letters = DeadLetters(parts, source, open_queue(url, parts.shared))
        try:
            yield letters
        finally:
            letters.show_again()


@commands.command("list", cls=Command)
def list_letters(
    context: typer.Context,
    queue: QueueOption = None,
    dead: DeadQueueOption = None,
    from_terraform: FromTerraformOption = None,
    limit: LimitOption = 100,
    file: FileOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the messages, with what each is about and why it is there."""
    with _opened(context, file, from_terraform, queue, dead) as letters:
        if as_json:
            display.print_json_array(letter.to_item() for letter in letters.look(limit))
            return
        found = list(letters.look(limit))
    _print(found)
    if len(found) == limit:
        messages.print(f"There may be more than these {limit:,}. To list more, raise --limit.")


@commands.command(cls=Command)
def redrive(
    context: typer.Context,
    ids: IdsArgument = None,
    queue: QueueOption = None,
    dead: DeadQueueOption = None,
    from_terraform: FromTerraformOption = None,
    file: FileOption = None,
    *,
    every: AllOption = False,
) -> None:
    """Send messages back to the queue, and try their pictures again.

    A message is deleted only after it was sent.
    """
    with _opened(context, file, from_terraform, queue, dead) as letters:
        if letters.queue is None:
            raise UsageError(
                "dlq redrive: no queue to send the messages to. Name it with --queue or QUEUE_URL. If there "
                "is none, run renditions sync, and then renditions dlq drop."
            )
        letters.parts.bind(FOLLOWS)
        chosen = _choose(letters, ids, every=every)
        for some in in_batches(chosen):
            for letter in some:
                _reopen(letters.parts, letter)
            letters.queue.send([letter.body for letter in some])
            letters.delete(some)
    messages.print(f"Messages sent back to the queue: {len(chosen):,}")


@commands.command(cls=Command)
def drop(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    ids: IdsArgument = None,
    queue: QueueOption = None,
    dead: DeadQueueOption = None,
    from_terraform: FromTerraformOption = None,
    file: FileOption = None,
    *,
    every: AllOption = False,
    yes: YesOption = False,
) -> None:
    """Delete messages. Their pictures and records stay as they are."""
    with _opened(context, file, from_terraform, queue, dead) as letters:
        chosen = _choose(letters, ids, every=every)
        if chosen:
            _print(chosen)
            ask(f"Delete {count_of(len(chosen), 'message')}?", yes=yes)
        letters.delete(chosen)
    messages.print(f"Messages deleted: {len(chosen):,}")


def _choose(letters: DeadLetters, ids: Sequence[str] | None, *, every: bool) -> list[DeadLetter]:
    """Return the named messages, or all that this pipeline understands.

    Only the first ``MOST_LOOKED`` messages are read.

    Raises:
        UsageError: The command names no message, names messages and ``--all``, or names a message that isn't
            among those that could be read.

    """
    if bool(ids) == every:
        raise UsageError(
            "dlq: name messages or pass --all, but not both. To see the messages, run renditions dlq list"
        )
    found = list(letters.look(MOST_LOOKED))
    if every:
        others = sum(not letter.is_understood for letter in found)
        if others:
            messages.print(
                f"Messages that this pipeline doesn't understand are left alone: {others:,}. "
                "To choose one of them, name it."
            )
        return [letter for letter in found if letter.is_understood]
    by_id = {letter.received.id: letter for letter in found}
    if missing := [each for each in ids or () if each not in by_id]:
        raise UsageError(
            f"dlq: {missing[0]!r} is none of the {len(found):,} messages that could be read now. To see "
            "them, run renditions dlq list"
        )
    return [by_id[each] for each in dict.fromkeys(ids or ())]


def _reopen(parts: Parts, letter: DeadLetter) -> None:
    """Let Renditions try the failed pictures of this message again.

    A rejected picture stays rejected. An unreadable record stays as it is.
    """
    for name in letter.names:
        record = get_readable(parts.catalog, name)
        if record and record.status == "failed":
            reopen(parts.catalog, record)


def _print(letters: Sequence[DeadLetter]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("message", "sent", "about", "why it is here"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        sent = letter.received.sent_at
        when = f"{sent:%Y-%m-%d %H:%M} UTC" if sent else ""
        table.add_row(letter.received.id, when, escape(letter.about), escape(letter.why))
    if letters:
        display.make_data_console().print(table)
    else:
        messages.print("The dead-letter queue has no visible message.")
