"""Run a command again with each new version of its pipeline file."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from renditions.core.binding import FOLLOWS, Standing, Start
from renditions.errors import RenditionsError, Superseded
from renditions.pipeline_file.reading import LoadedPipeline, load
from renditions.runtime.parts import Parts, open_parts

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
SETTLED_SECONDS = 1.0
"""How long a changed file must stay the same before the process applies it, because an editor may write it
in parts."""


@dataclass(slots=True)
class Newest:
    """The newest version of a pipeline file."""

    problem: str | None = None
    """Why this version isn't applied; None if it is the one in use."""


@dataclass(frozen=True)
class Session:
    """A run with one version of the pipeline file."""

    parts: Parts
    standing: Standing | None
    """The right to write to the catalog; None if the catalog uses another version of the file."""
    ended: threading.Event
    """Set when the session must end, because the user stopped it or a new version of the file applies."""
    dropped: frozenset[str] = frozenset()
    """The renditions that the previous version declared and this one doesn't."""
    newest: Newest = field(default_factory=Newest)


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A pipeline file that may change while it is used."""

    path: Path
    environ: Mapping[str, str]
    start: Start
    """How the process was started. The process applies a changed file with the same rights."""

    def read(self) -> bytes | None:
        """Return the file's content; None if it can't be read."""
        try:
            return self.path.read_bytes()
        except OSError:
            return None

    def wait_for_change(
        self, known: bytes | None, stop: threading.Event, ended: threading.Event, newest: Newest
    ) -> LoadedPipeline | None:
        """Wait for the next valid version; apply it, set ``ended``, and return it.

        If ``stop`` or ``ended`` is set first, set ``ended`` and return None. Log a version once if it can't
        be applied, and keep the reason in ``newest``.
        """
        seen, since = known, time.monotonic()
        while not ended.wait(POLL_SECONDS):
            if stop.is_set():
                break
            content, moment = self.read(), time.monotonic()
            if content != seen:
                seen, since = content, moment
            if seen == known or moment < since + SETTLED_SECONDS:
                continue
            known = seen
            try:
                loaded = self.apply(self.start)
            except RenditionsError as error:
                newest.problem = str(error)
                log.error("%s. The last valid version stays in use.", error)  # noqa: TRY400 - for people
                continue
            log.warning("%s changed. The new version applies from now on.", self.path)
            ended.set()
            return loaded
        ended.set()
        return None

    def apply(self, start: Start) -> LoadedPipeline:
        """Load the file, and bind its catalog to this version.

        Raises:
            PipelineError: The file has problems, or can't be read.
            UsageError: A part of the pipeline can't be opened, or outputs could land in the source.
            StoreFailed: The source fails while a watermark picture is read from it.
            CatalogFailed: The catalog can't be opened or read.
            BindingRefused: The catalog belongs to another pipeline file, source or deployment.
            Superseded: The catalog uses another version of the file, and ``start`` doesn't apply this
                version.

        """
        loaded = load(self.path, self.environ)
        with open_parts(loaded.pipeline, loaded.directory, loaded.file) as parts:
            parts.bind(start)
        return loaded


def run_reloading(
    file: PipelineFile, loaded: LoadedPipeline, stop: threading.Event, run: Callable[[Session], None]
) -> None:
    """Call ``run`` with the parts of each version of the file.

    This function returns when ``stop`` is set, or when ``run`` returns although no new version applies. The
    first version is ``loaded``. If ``run`` raises ``Superseded``, this function reads the file again. If the
    catalog doesn't use this version either, ``run`` gets a session without standing.

    Raises:
        UsageError: A part of the pipeline can't be opened, or outputs could land in the source.
        StoreFailed: The source fails while a watermark picture is read from it.
        CatalogFailed: The catalog can't be opened or read.
        BindingRefused: The catalog belongs to another pipeline file, source or deployment.
        Superseded: The catalog uses another version of the file than ``loaded``, or ``run`` raises this
            error in a session without standing.

    """
    start, is_superseded, former = file.start, False, frozenset[str]()
    while not stop.is_set():
        content, ended, newest = file.read(), threading.Event(), Newest()
        renditions = frozenset(loaded.pipeline.renditions)
        with (
            open_parts(loaded.pipeline, loaded.directory, loaded.file) as parts,
            ThreadPoolExecutor(1, thread_name_prefix="pipeline-file") as executor,
        ):
            standing = None if is_superseded else parts.bind(start)
            waiting = executor.submit(file.wait_for_change, content, stop, ended, newest)
            try:
                run(Session(parts, standing, ended, former - renditions, newest))
            except Superseded:
                if standing is None:
                    raise
                changed = _follow(file)
                is_superseded = changed is None
            else:
                changed, is_superseded = None, False
            finally:
                ended.set()
            applied = waiting.result()
        if applied is None and changed is None and not is_superseded:
            return
        start = file.start if applied else FOLLOWS
        is_superseded = is_superseded and applied is None
        former, loaded = renditions, applied or changed or loaded


def _follow(file: PipelineFile) -> LoadedPipeline | None:
    """Load the file if the catalog uses its version.

    Otherwise, or if that fails, log the reason and return None.
    """
    try:
        return file.apply(FOLLOWS)
    except RenditionsError as error:
        log.warning("%s", error)
        return None
