"""The functions of the public Python API, see ``docs/python.md``.

``import renditions`` imports this module on first use. Its functions run the same code as the commands.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args

from renditions.core.ask import ALLOWED, Ask
from renditions.core.binding import Start
from renditions.core.difference import Difference
from renditions.core.outcome import Outcome
from renditions.core.ports import Unreadable
from renditions.core.reconcile import Order
from renditions.core.selection import Selection
from renditions.core.summary import Summary
from renditions.errors import PipelineError, UsageError
from renditions.local.workers.shared import find_pool
from renditions.model.places import parse_catalog
from renditions.model.record import Record, Status
from renditions.pipeline_file import reading
from renditions.pipeline_file.reading import LoadedPipeline
from renditions.runtime import machine
from renditions.runtime.alone import Recipes, RenderedPicture, read_picture, render_alone
from renditions.runtime.arguments import check_path, check_text, choose_pictures, list_names, to_folder
from renditions.runtime.machine import check_catalog_not_lost, open_workers
from renditions.runtime.manifest import list_entries
from renditions.runtime.parts import Parts, open_parts
from renditions.runtime.reload import Session
from renditions.runtime.running import Running
from renditions.runtime.selecting import check_prefixes, make_order

log = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]
OnProgress = Callable[[Outcome], None]


def load(pipeline: PathLike | Mapping[str, Any], *, directory: PathLike | None = None) -> LoadedPipeline:
    """Read and check a pipeline: a file, or a mapping with a file's tables.

    Environment variables such as ``SOURCE_BUCKET`` override fields, as they do for the commands.

    Args:
        pipeline: The path of a pipeline file, or its content as :func:`tomllib.load` returns it.
        directory: The folder where relative paths in a mapping start; None for the current folder.

    Raises:
        PipelineError: The pipeline has problems, and the error lists all of them; or the file can't be read.
        UsageError: The pipeline is a path, and ``directory`` is given; or it is neither a path nor a mapping.
            Or the current folder, where relative paths in a mapping would start, was deleted.
        Failed: The bundled font, which watermarks of text need, can't be read or is damaged.

    """
    if not isinstance(pipeline, Mapping):
        if directory is not None:
            raise UsageError(
                "load: directory is for mappings. Paths in a file start at the file's folder: leave "
                "directory out"
            )
        path = check_path(pipeline, "a pipeline as a path or a mapping")
        return reading.load(Path(path), os.environ)
    try:
        folder = Path(directory or ".").absolute()
    except FileNotFoundError as error:
        raise UsageError(
            "load: the current folder was deleted, so relative paths have no start. Pass a directory"
        ) from error
    checked = reading.check(pipeline, "pipeline", folder, os.environ)
    return replace(checked, file="")


def render(
    picture: bytes | bytearray | memoryview | PathLike,
    pipeline: LoadedPipeline | PathLike | Mapping[str, Any],
    *,
    renditions: Iterable[str] | None = None,
) -> RenderedPicture:
    """Render one picture, without a store and a catalog.

    If only some renditions can't be made from the picture, the result's ``errors`` has the reasons.
    Worker processes decode the picture. They wait for the next call, and end with this process. Threads may
    call this function at the same time.

    Args:
        picture: The content of a picture's file, or its path.
        pipeline: What to make: a pipeline, the path of its file, or a mapping from the name of each rendition
            to its fields, such as ``{"thumb": {"width": 200}}``.
        renditions: The names of renditions or families to make; None for all that every picture gets. An
            empty list makes none.

    Raises:
        Rejected: The picture breaks a rule, is damaged, or isn't a picture.
        Failed: Something other than the picture failed, such as a worker process.
        PipelineError: The pipeline or the recipes have problems.
        UsageError: The picture or a watermark can't be read, a rendition is unknown, none is named although
            all are on demand, or an argument has the wrong type.

    """
    names, recipes = list_names(renditions), _find_recipes(pipeline)
    recipes = replace(recipes, renditions={}) if names == [] else recipes.choose(names)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        content = bytes(picture)
    else:
        path = check_path(picture, "a picture as bytes or a path (of an open file, pass file.read())")
        content = read_picture(path, recipes.accept)
    return render_alone(find_pool(recipes.limits), content, recipes)


def _find_recipes(pipeline: LoadedPipeline | PathLike | Mapping[str, Any]) -> Recipes:
    if isinstance(pipeline, LoadedPipeline):
        return Recipes.of(pipeline)
    if isinstance(pipeline, Mapping):
        try:
            return Recipes.check(pipeline, Path())  # the current folder may be gone
        except PipelineError as error:
            if "renditions" in pipeline:
                error.add_note("If the mapping has a file's tables, pass renditions.load(mapping).")
            raise
    return Recipes.of(load(pipeline))


def open_pipeline(
    pipeline: LoadedPipeline | PathLike | Mapping[str, Any],
    *,
    workers: int | None = None,
    unattended: bool = False,
) -> OpenPipeline:
    """Open a pipeline's stores and catalog, for use in a ``with`` statement.

    Args:
        pipeline: A pipeline, the path of its file, or a mapping with a file's tables.
        workers: How many worker processes render pictures; None for one per processor.
        unattended: False if this program applies the pipeline file, as ``renditions sync`` does. True if it
            only follows the version of the file that is in force, as servers and scheduled tasks must.

    Raises:
        PipelineError, Failed: See :func:`load`.
        UsageError: ``workers`` isn't a whole number from 1, or :func:`load` raises this error.

    """
    if workers is not None and (type(workers) is not int or workers < 1):
        raise UsageError(f"open: expected workers to be a whole number from 1, found {workers!r}")
    loaded = pipeline if isinstance(pipeline, LoadedPipeline) else load(pipeline)
    return OpenPipeline(loaded, workers or os.cpu_count() or 1, unattended=unattended)


class OpenPipeline:
    """An open pipeline. Threads may share it, but a forked process must open its own.

    Nothing is opened before the first method needs it. Only :meth:`sync`, :meth:`process` and :meth:`watch`
    change stores and records, but opening a catalog file of an older version migrates it.
    Methods raise ``Failed`` if a store or the catalog fails, and ``UsageError`` if a part can't be opened. If
    only one picture fails, :meth:`sync`, :meth:`process` and :meth:`watch` report its outcome instead.
    An empty list of names without a prefix, or of renditions, chooses no picture.
    """

    def __init__(self, pipeline: LoadedPipeline, workers: int, *, unattended: bool) -> None:
        self.pipeline = pipeline
        """The pipeline, as :func:`renditions.load` returns it."""
        self._workers = workers
        self._is_attended = not unattended
        self._stack = ExitStack()
        # A program may keep the pipeline until it ends. Then its workers must end before Python's modules do.
        self._end = weakref.finalize(self, _close, self._stack, os.getpid())
        self._lock = threading.RLock()
        self._parts: Parts | None = None
        self._running: Running | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._parts = self._running = None
            self._stack.__exit__(kind, error, trace)

    def close(self) -> None:
        """End the worker processes and close the catalog. The next call opens them again."""
        self.__exit__(None, None, None)

    def plan(
        self,
        names: Iterable[str] | None = None,
        prefix: str | None = None,
        *,
        renditions: Iterable[str] | None = None,
    ) -> Iterator[Difference]:
        """Yield what :meth:`sync` would do with each picture, without doing it.

        The arguments are those of :meth:`sync`. Pictures that need nothing have the action ``keep``. The
        iteration raises the errors, not the call.

        Raises:
            UsageError: A name, the prefix or a rendition matches nothing, or isn't a text.
            BindingRefused, CatalogLost: See :meth:`sync`.
            Superseded: The program is unattended, and the catalog uses another version of the pipeline file.

        """
        with self._reading() as parts:
            parts.check_binding(self._start)
            if order := self._order(parts, names, prefix, renditions):
                check_catalog_not_lost(parts, order)
                yield from parts.preview(order)

    def sync(
        self,
        names: Iterable[str] | None = None,
        prefix: str | None = None,
        *,
        renditions: Iterable[str] | None = None,
        on_progress: OnProgress | None = None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Bring renditions up to date, and return a summary with the numbers of pictures.

        Unless it is stopped, the run then sends due notices and deletes expired originals from the bin.

        Args:
            names: The pictures to sync, by their keys in the source.
            prefix: A folder of the source: its pictures are synced too. Without names and prefix: all.
            renditions: Only these renditions or families; None for all.
            on_progress: Gets the outcomes, in this thread. Most pictures that need nothing have none.
            stop: If it is set, the run begins no further picture. Ctrl-C (KeyboardInterrupt) sets it.

        Raises:
            UsageError: A name, the prefix or a rendition matches nothing, or isn't a text.
            BindingRefused: The catalog belongs to another pipeline file, source or deployment.
            Superseded: The catalog uses another version of the pipeline file.
            CatalogLost: The catalog is empty, but most of the first wanted output keys hold files.

        """
        running = self._run()
        order = self._order(running.parts, names, prefix, renditions)
        if order is None:
            return Summary()
        return running.sync(replace(order, on_wait=_wait), stop or threading.Event(), on_progress or _ignore)

    def process(self, name: str) -> Outcome:
        """Bring one picture's renditions up to date, and return the outcome.

        If the picture is gone from the source, ``[source] on_delete`` says whether this removes its
        renditions and its record. A picture that can't be processed has an outcome with the reason.

        Raises:
            UsageError: The name isn't a text.
            BindingRefused, Superseded: See :meth:`sync`.

        """
        return self._run().workers.processing(None)(check_text(name), ALLOWED)

    def record(self, name: str) -> Record | None:
        """Return what the catalog knows about one picture; None if it has no record.

        Raises:
            UsageError: The name isn't a text.
            RecordUnreadable: The record is damaged, or a newer version of Renditions wrote it.

        """
        with self._reading() as parts:
            return parts.catalog.get(check_text(name))

    def records(self, status: Status | None = None, prefix: str | None = None) -> Iterator[Record]:
        """Yield the records of all or some pictures, newest first.

        ``prefix`` is a folder. Unreadable records are logged and left out. The iteration raises the errors.

        Raises:
            UsageError: There is no such status, or the prefix matches nothing or isn't a text.

        """
        statuses = get_args(Status)
        if status is not None and status not in statuses:
            raise UsageError(f"records: expected a status of {', '.join(statuses)}, found {status!r}")
        folder = to_folder(prefix or "")
        with self._reading() as parts:
            check_prefixes(parts, Selection(prefixes=(folder,)))
            yield from parts.catalog.query(status, prefix=folder, on_unreadable=_log_unreadable)

    def manifest(
        self,
        names: Iterable[str] | None = None,
        prefix: str | None = None,
        *,
        sizes: str | None = None,
        sign: Callable[[str], str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield what a web page needs to show each picture that has renditions.

        These are the entries of ``renditions manifest``. Named pictures come first, then those below the
        prefix, both in the order of their names. The iteration raises the errors, not the call.

        Args:
            names: The pictures, by their keys in the source.
            prefix: A folder of the source: its pictures are listed too. Without names and prefix: all.
            sizes: How wide pages show the pictures, as HTML's ``sizes``.
            sign: Signs the URLs of renditions with ``on_demand``; None leaves them unsigned.

        Raises:
            UsageError: A name has no record, the prefix matches nothing, or one of them isn't a text.
            RecordUnreadable: The record of a named picture can't be read. Other such records are logged.

        """
        with self._reading() as parts:
            chosen = choose_pictures(names, prefix)
            if chosen is not None:
                selection = Selection.of(chosen)
                check_prefixes(parts, selection)
                yield from list_entries(parts, selection, _log_unreadable, sizes, sign)

    def watch(self, on_progress: OnProgress | None = None, *, stop: threading.Event | None = None) -> None:
        """Sync, and then process each picture that changes in the source folder.

        This goes on until ``stop`` is set; an error while watching sets it too. Each sync also sends due
        notices and deletes expired originals from the bin. To apply a changed pipeline file, open it again.

        Raises:
            UsageError: The source isn't a folder, or outputs could land in it.
            BindingRefused, Superseded, CatalogLost: See :meth:`sync`.

        """
        running = self._run()
        session = Session(running.parts, running.standing, stop or threading.Event())
        machine.watch(session, running.workers, on_outcome=on_progress or _ignore)

    @property
    def _start(self) -> Start:
        return Start(sets_generation=self._is_attended, deletes_undeclared=self._is_attended)

    def _order(
        self, parts: Parts, names: Iterable[str] | None, prefix: str | None, renditions: Iterable[str] | None
    ) -> Order | None:
        """Return the order for the chosen pictures; None for an empty choice."""
        chosen, wanted = choose_pictures(names, prefix), list_names(renditions)
        if chosen is None or wanted == []:
            return None
        ask = Ask(verify=parts.default_verify(is_attended=self._is_attended))
        return make_order(parts, chosen, ask, wanted)

    def _open(self) -> Parts:
        with self._lock:
            if self._parts is None:
                loaded = self.pipeline
                self._parts = self._stack.enter_context(
                    open_parts(loaded.pipeline, loaded.directory, loaded.file)
                )
            return self._parts

    @contextmanager
    def _reading(self) -> Iterator[Parts]:
        """Yield the parts for reading. This doesn't create a missing catalog file."""
        loaded = self.pipeline
        file = parse_catalog(loaded.pipeline.catalog.store, loaded.directory)
        if self._parts is None and file and not file.exists():
            with open_parts(loaded.pipeline, loaded.directory, loaded.file, read_only=True) as parts:
                yield parts
        else:
            yield self._open()

    def _run(self) -> Running:
        """Return what runs syncs. The first call binds the catalog."""
        with self._lock:
            if self._running is None:
                parts = self._open()
                standing = parts.bind(self._start)
                workers = self._stack.enter_context(open_workers(parts, self._workers, standing))
                self._running = Running(parts, standing, workers, self._is_attended)
            return self._running


def _close(stack: ExitStack, process: int) -> None:
    """Close what a pipeline opened, but not in a forked copy of its process."""
    if os.getpid() == process:
        stack.close()


def _ignore(_: Outcome) -> None:
    """Do nothing: the caller gave no ``on_progress``."""


def _wait(count: int, pause: timedelta) -> None:
    log.info("%d rejected pictures may still be changing; waiting %.0f s", count, pause.total_seconds())


def _log_unreadable(part: Unreadable) -> None:
    log.warning("Can't read %s: %s", part.prefix, part.reason)
