"""Worker processes that render pictures.

A harmful picture can end a worker, but not the service. Each worker has its own socket for jobs and
results, and shares nothing with the others. So killing a worker can't corrupt or lock anything that another
one needs. The process that holds the pool needs no imaging library.

Workers are new interpreters, not processes of ``multiprocessing``. Processes of ``multiprocessing`` would
import the program's main module again, so their start would take longer, and the main module would need a
guard.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Collection, Mapping
from typing import NoReturn, Self

from renditions.core.ports import Stopped
from renditions.errors import Failed, NotAccepted, RenderTimedOut, Unconfined
from renditions.local.workers.confine import LAYERS, LayerState, find_missing
from renditions.local.workers.messages import Broken, Job
from renditions.local.workers.process import CLOSE_SECONDS, MemoryExceededError, WorkerProcess
from renditions.model.original import Original
from renditions.model.pipeline import NO_ANALYSIS, Accept, Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering

RENDER = "renditions.imaging.whole:render"
"""The function that workers call, by name, so that only they import it."""

RENDER_MEASURED = "renditions.imaging.whole:render_measured"
"""The function for trials."""

START_SECONDS = 60.0
"""How long a new worker may take to start; this doesn't count towards a picture's limit."""

_LIMITS = Limits()

log = logging.getLogger(__name__)


class RenderPool:
    """A renderer that runs calls from any thread in worker processes.

    It is a :class:`~renditions.core.ports.Renderer`. The pool starts a worker when it first needs one, and
    replaces a worker that was killed or died. Calls wait for an idle worker. Leaving the context closes the
    pool; leaving it by an exception terminates it.

    Args:
        workers: How many worker processes there are at most.
        seconds_per_picture: How long a worker may take for one picture, once it is ready.
        render: The function to call, as ``module:name``.
        limits: How much of a picture the function may decode, and how much memory a worker may hold. If the
            system doesn't report memory (macOS), only the estimate before decoding is checked.
        layers: The names of the layers that confine workers; None lets ``limits.confine`` choose.

    """

    def __init__(
        self,
        workers: int,
        seconds_per_picture: float,
        render: str = RENDER,
        limits: Limits = _LIMITS,
        layers: Collection[str] | None = None,
    ) -> None:
        self._seconds = seconds_per_picture
        self._render = render
        self._limits = limits
        self._layers = _layers_of(limits) if layers is None else layers
        self._count = workers
        # The last worker used comes first, so that the pool starts no more than it needs.
        self._idle: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._lock = threading.Lock()  # this lock protects the three attributes below
        self._closed = False
        self._living: set[WorkerProcess] = set()
        self._is_reported = False
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the newest worker didn't start; None if it did, or before the first worker."""
        return self._problem

    def __call__(
        self,
        content: bytes,
        accept: Accept,
        recipes: Mapping[str, Rendition],
        analyze: Analyze = NO_ANALYSIS,
        stop: threading.Event | None = None,
    ) -> Rendering:
        """See :class:`~renditions.core.ports.Renderer`.

        If ``stop`` is set before a worker is idle, the pool doesn't begin the picture.

        Raises:
            RenderTimedOut: The call took longer than the limit. Its worker had rendered other pictures
                before, and was killed. If the worker was new, the call returns a rejection instead. Or a new
                worker didn't start within ``START_SECONDS``.
            WorkerDied: The worker ended while it started or processed the picture, or gave an invalid answer
                and was killed.
            Unconfined: ``[limits] confine`` demands layers that the system lacks.
            Failed: The function raised an error, no worker could be started, or the pool is closed.
            Stopped: ``stop`` was set before a worker was idle.

        """
        job = Job(accept, recipes, analyze, self._limits)
        reply: Rendering | Broken | None = None
        worker = self._take_idle(stop)
        try:
            while reply is None:
                if worker is None or not worker.is_idle():
                    self._discard(worker)
                    worker = self._start()
                    self._wait_until_ready(worker)
                try:
                    reply = worker.call(self._seconds, job, content)
                except MemoryExceededError:
                    # If the worker wasn't new, earlier pictures may have left the memory in use. Then the
                    # picture is tried again in a new worker.
                    if worker.calls == 1:
                        reply = _refuse(content, _too_much_memory(self._limits.memory))
                    self._discard(worker)
                    worker = None
                except RenderTimedOut as error:
                    # Earlier pictures can't have slowed a new worker down: another attempt would fail in the
                    # same way.
                    if worker.calls > 1:
                        raise
                    reply = _refuse(content, f"{error} ([limits] seconds). {_AFTER_A_LIMIT}")
                    self._discard(worker)
                    worker = None
        except BaseException:
            self._discard(worker)
            worker = None
            raise
        finally:
            self._idle.put(worker)
        if isinstance(reply, Broken):
            _raise(reply)
        return reply

    def start(self) -> tuple[LayerState, ...]:
        """Start a worker, keep it for the next picture, and return how it is confined.

        Raises:
            Unconfined: ``[limits] confine`` demands layers that the system lacks.
            Failed: The worker can't be started, or the pool is closed.

        """
        self._discard(self._idle.get())
        worker = None
        try:
            worker = self._start()
            return self._wait_until_ready(worker)
        except BaseException:
            self._discard(worker)
            worker = None
            raise
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Wait for the pictures in progress, then end the workers.

        Later calls raise ``Failed``.
        """
        with self._lock:
            self._closed = True
        for worker in [self._idle.get() for _ in range(self._count)]:
            self._discard(worker, wait_seconds=CLOSE_SECONDS)
            self._idle.put(None)

    def terminate(self) -> None:
        """Kill every worker.

        Calls in progress raise ``WorkerDied``, and later calls raise ``Failed``.
        """
        with self._lock:
            self._closed = True
            for worker in self._living:
                worker.kill()
        self.close()

    def abandon(self) -> None:
        """Close this process's copies of the workers' handles, after a fork.

        The parent still uses the workers. They must end with the parent, even if this process lives longer.
        """
        for worker in self._living:
            worker.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.terminate()

    def _take_idle(self, stop: threading.Event | None) -> WorkerProcess | None:
        """Wait for an idle worker, and return it; None if one must be started.

        Raises:
            Stopped: ``stop`` was set before a worker was idle.

        """
        worker = self._idle.get()
        if stop and stop.is_set():
            self._idle.put(worker)
            raise Stopped
        return worker

    def _start(self) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise Failed(
                    "can't render the picture: the worker processes are being stopped. Try again later"
                )
            try:
                worker = WorkerProcess(self._render, self._layers)
            except Failed as error:
                self._problem = str(error)
                raise
            self._living.add(worker)
        return worker

    def _wait_until_ready(self, worker: WorkerProcess) -> tuple[LayerState, ...]:
        """Return how a started worker is confined, and report it once for the whole pool.

        Raise Unconfined if the worker lacks layers that ``[limits] confine`` demands, and Failed if it
        doesn't start.
        """
        try:
            states = worker.wait_until_ready(START_SECONDS)
            if isinstance(states, Broken):
                _raise(states)
        except Failed as error:
            self._problem = str(error)
            raise
        self._problem = None
        missing = ", ".join(_spell(state) for state in find_missing(states))
        if missing and self._limits.confine == "require":
            raise Unconfined(
                f"workers can't be confined as [limits] confine demands. Missing: {missing}. Run renditions "
                'doctor, or set confine = "best"'
            )
        with self._lock:
            is_first, self._is_reported = not self._is_reported, True
        if is_first and missing:
            log.warning("Workers are confined only in part. Missing: %s. Run renditions doctor", missing)
        elif is_first:
            used = ", ".join(_spell(state) for state in states if state.state == "on")
            log.info("Workers are confined by: %s", used or "nothing")
        return states

    def _discard(self, worker: WorkerProcess | None, wait_seconds: float = 0.0) -> None:
        if worker is not None:
            worker.end(wait_seconds)
            with self._lock:
                self._living.discard(worker)


def _layers_of(limits: Limits) -> Collection[str]:
    return () if limits.confine == "none" else [layer.name for layer in LAYERS]


def _spell(state: LayerState) -> str:
    return f"{state.name} ({state.detail})" if state.detail else state.name


_AFTER_A_LIMIT = "Raise this limit and retry the picture, or upload a smaller one"


def _too_much_memory(limit_bytes: int) -> str:
    return f"the picture needs more than {limit_bytes:,} bytes of memory ([limits] memory). {_AFTER_A_LIMIT}"


def _refuse(content: bytes, why: str) -> Rendering:
    return Rendering(Original(len(content)), rejected=Reason.of(NotAccepted(why)))


class _WorkerTraceback(Exception):
    """The traceback of a worker's exception, as text.

    The pool raises an exception of its own, with this one as the cause.
    """

    def __str__(self) -> str:
        return f"in a worker:\n{self.args[0]}"


def _raise(broken: Broken) -> NoReturn:
    """Raise the equivalent of a worker's exception."""
    if broken.is_expected:
        raise Failed(broken.text) from _WorkerTraceback(broken.trace)
    log.error("rendering failed unexpectedly\n%s", broken.trace)
    raise Failed(f"rendering failed unexpectedly: {broken.text}") from _WorkerTraceback(broken.trace)
