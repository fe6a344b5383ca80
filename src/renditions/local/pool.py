"""Worker processes that render pictures, so that a hostile one costs a worker, never the service.

Each worker has a pipe of its own and shares nothing with the others: killing one can't corrupt or lock
anything that another needs. The process that holds the catalog never loads an imaging library.
"""

from __future__ import annotations

import importlib
import multiprocessing
import multiprocessing.pool
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Self

from renditions.errors import Failed, RenderTimedOut, RenditionsError, WorkerDied
from renditions.pipeline import Accept, Rendition
from renditions.ports import Rendering

RENDER = "renditions.imaging.render:render"
"""The function that workers call, by name, so that only they import it."""

CLOSE_SECONDS = 5.0
"""How long an idle worker may take to end before it is killed."""


class RenderPool:
    """A :class:`~renditions.ports.Renderer` whose calls, from any thread, run in worker processes.

    A worker is started when it is first needed, and replaced when it was killed or died. Calls wait for
    an idle one. Leaving the context ends the workers; calls must have returned by then.

    Args:
        workers: How many worker processes there are at most.
        seconds_per_picture: How long one call may take, from when a worker has it.
        render: The function to call, as ``module:name``.

    """

    def __init__(self, workers: int, seconds_per_picture: float, render: str = RENDER) -> None:
        self._seconds = seconds_per_picture
        self._render = render
        # Not fork: a fork of a process with threads may copy a lock that nobody will ever release.
        self._context = multiprocessing.get_context("forkserver")
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._count = workers

    def __call__(self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition]) -> Rendering:
        """See :class:`~renditions.ports.Renderer`.

        Raises:
            RenderTimedOut: It took longer than the limit; the worker was killed.
            WorkerDied: The worker ended while it held the picture.
            Failed: The function raised what it should not; ``__cause__`` is that, with its traceback.

        """
        worker = self._idle.get()
        try:
            if worker is None or not worker.is_alive():
                worker = None
                worker = _Worker(self._context, self._render)
            result: Rendering | BaseException = worker.call((content, accept, dict(recipes)), self._seconds)
        except BaseException:
            if worker is not None:
                worker.kill()
            worker = None
            raise
        finally:
            self._idle.put(worker)
        if isinstance(result, RenditionsError):
            raise result
        if isinstance(result, BaseException):
            raise Failed(f"rendering broke off: {type(result).__name__}: {result}") from result
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        workers = [self._idle.get() for _ in range(self._count)]
        for worker in workers:
            if worker is not None:
                worker.close()


class _Worker:
    """One process and our end of its pipe; used by one thread at a time."""

    def __init__(self, context: Any, render: str) -> None:
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, render), daemon=True)
        self._process.start()
        # The worker must be the only one that holds its end: then its death ends our reading.
        theirs.close()

    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    def call(self, job: tuple[Any, ...], seconds: float) -> Any:
        """Return what the worker's function returned or raised.

        The time limit kills the worker, which ends our reading and writing, whichever we are at.
        """
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            self._pipe.send(job)
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            if is_late.is_set():
                raise RenderTimedOut(f"rendering took longer than {seconds:g} s") from error
            raise WorkerDied(f"the worker process {_describe_end(self._process.exitcode)}") from error
        finally:
            timer.cancel()

    def kill(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """Let the worker end: it does when nobody can send it anything any more."""
        self._pipe.close()
        self._process.join(CLOSE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _describe_end(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def _work(pipe: Connection, render: str) -> None:
    """Be a worker: render what comes through the pipe until nobody holds its other end."""
    # Ctrl-C goes to every process of the terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, _, name = render.partition(":")
    function: Callable[..., Rendering] = getattr(importlib.import_module(module), name)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            result: Any = function(*job)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
            result = multiprocessing.pool.ExceptionWithTraceback(error, error.__traceback__)  # type: ignore[attr-defined]
        pipe.send(result)
