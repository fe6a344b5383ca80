"""Worker processes that render pictures. A harmful picture can end a worker, but never the service.

Each worker has its own socket for jobs and results, and shares nothing with the others. So killing a worker
can't corrupt or lock anything that another one needs. The process that holds the catalog never loads an
imaging library.

Workers are new interpreters, not processes of ``multiprocessing``. Processes of ``multiprocessing`` would
import the program's main module again. Their start would take two to three times as long, and the main module
would need a guard.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, Self

from renditions.errors import Failed, NotAccepted, RenderTimedOut, RenditionsError, WorkerDied
from renditions.local.guard import Guard
from renditions.model.original import Original
from renditions.model.pipeline import NO_ANALYSIS, Accept, Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.registry import resolve
from renditions.model.rendering import Rendering

RENDER = "renditions.imaging.render:render"
"""The function that workers call, by name, so that only they import it."""

START_SECONDS = 60.0
"""How long a new worker may take to start; this doesn't count towards a picture's limit."""

CLOSE_SECONDS = 5.0
"""How long an idle worker may take to end before the pool kills it."""

_LIMITS = Limits()

log = logging.getLogger(__name__)


class RenderPool:
    """A :class:`~renditions.core.ports.Renderer` whose calls, from any thread, run in worker processes.

    The pool starts a worker when it first needs one, and replaces a worker that was killed or died. Calls
    wait for an idle worker. Leaving the context closes the pool; leaving it by an exception terminates it.

    Args:
        workers: How many worker processes there are at most.
        seconds_per_picture: How long one call may take, counted from the moment when a worker is ready.
        render: The function to call, as ``module:name``.
        limits: How much of a picture the function may decode, and how much memory a worker may hold. If the
            system doesn't report memory (macOS), only the estimate before decoding is checked.

    """

    def __init__(
        self,
        workers: int,
        seconds_per_picture: float,
        render: str = RENDER,
        limits: Limits = _LIMITS,
    ) -> None:
        self._seconds = seconds_per_picture
        self._render = render
        self._limits = limits
        self._count = workers
        # The last worker used comes first, so that the pool starts no more than it needs.
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._lock = threading.Lock()  # this lock protects the two attributes below
        self._closed = False
        self._living: set[_Worker] = set()

    def __call__(
        self,
        content: bytes,
        accept: Accept,
        recipes: Mapping[str, Rendition],
        analyze: Analyze = NO_ANALYSIS,
    ) -> Rendering:
        """See :class:`~renditions.core.ports.Renderer`.

        Raises:
            RenderTimedOut: The call took longer than the limit, and its worker, which wasn't new, was killed.
                If the worker was new, the call rejects the picture instead.
            WorkerDied: The worker ended while it processed the picture.
            Failed: The function raised an error of another kind, or no worker could be started.
            RenditionsError: The function raised this error itself.

        """
        rules = pickle.dumps((accept, dict(recipes), analyze, self._limits))
        reply = None
        worker = self._idle.get()
        try:
            while reply is None:
                if worker is None or not worker.is_alive():
                    self._discard(worker)
                    worker = self._start()
                    worker.wait_until_ready(START_SECONDS)
                try:
                    reply = worker.call(self._seconds, self._limits.memory, rules, content)
                except _MemoryExceededError:
                    # If the worker wasn't new, earlier pictures may have left the memory in use. Then the
                    # picture is tried again in a new worker.
                    if worker.calls == 1:
                        reply = "made", _refuse(content, _too_much_memory(self._limits.memory))
                    self._discard(worker)
                    worker = None
                except RenderTimedOut as error:
                    # Earlier pictures can't have slowed a new worker down: another attempt would fail in the
                    # same way.
                    if worker.calls > 1:
                        raise
                    reply = "made", _refuse(content, f"{error} ([limits] seconds). {_AFTER_A_LIMIT}")
                    self._discard(worker)
                    worker = None
        except BaseException:
            self._discard(worker)
            worker = None
            raise
        finally:
            self._idle.put(worker)
        rendering: Rendering = _unwrap(reply)
        return rendering

    def close(self) -> None:
        """Wait for the pictures in progress, then end the workers. Later calls fail."""
        with self._lock:
            self._closed = True
        for worker in [self._idle.get() for _ in range(self._count)]:
            self._discard(worker, wait_seconds=CLOSE_SECONDS)
            self._idle.put(None)

    def terminate(self) -> None:
        """Kill every worker. Calls in progress raise ``WorkerDied``; later calls fail."""
        with self._lock:
            self._closed = True
            for worker in self._living:
                worker.kill()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.terminate()

    def _start(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise Failed("can't render the picture: the worker processes are being stopped")
            worker = _Worker(self._render)
            self._living.add(worker)
        return worker

    def _discard(self, worker: _Worker | None, wait_seconds: float = 0.0) -> None:
        if worker is not None:
            worker.end(wait_seconds)
            with self._lock:
                self._living.discard(worker)


class _Worker:
    """One process and our end of its socket. One thread at a time uses it, but any thread may kill it."""

    def __init__(self, render: str) -> None:
        self.calls = 0
        """How many pictures it has received."""
        # A Connection only frames the messages. Only this worker ever holds the other end.
        self._connection, theirs = multiprocessing.Pipe()
        code = (
            "import sys; sys.path[:] = sys.argv[3:]; "
            "from renditions.local.pool import work; work(int(sys.argv[1]), sys.argv[2])"
        )
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own code, no shell
                [sys.executable, "-c", code, str(theirs.fileno()), render, *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,  # never written to; when it closes, the parent has ended
                stdout=subprocess.DEVNULL,  # the parent's stdout is for data
                process_group=0,  # Ctrl-C goes to the terminal's whole group, but the parent must handle it
            )
        except OSError as error:
            self._connection.close()
            raise Failed(f"can't start a worker process: {error}") from error
        finally:
            theirs.close()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, seconds: float) -> None:
        _unwrap(self._exchange(Guard(self._process, seconds), "starting a worker"))

    def call(self, seconds: float, memory_bytes: int, rules: bytes, content: bytes) -> Any:
        """Return the reply to one picture."""
        self.calls += 1
        return self._exchange(Guard(self._process, seconds, memory_bytes), "rendering", rules, content)

    def _exchange(self, guard: Guard, what: str, *messages: bytes) -> Any:
        """Send the messages and return the reply.

        If the worker exceeds a limit, the guard kills it. Then this method's write or read fails.
        """
        try:
            with guard:
                for message in messages:
                    self._connection.send_bytes(message)
                reply = self._connection.recv_bytes()
            return pickle.loads(reply)  # noqa: S301 - our own process
        except (EOFError, OSError) as error:
            exit_code = self._process.wait()
            if guard.exceeded == "time":
                raise RenderTimedOut(f"{what} took longer than {guard.seconds:g} s") from error
            if guard.exceeded == "memory":
                raise _MemoryExceededError from error
            raise WorkerDied(f"the worker process {_describe_end(exit_code)}") from error
        finally:
            if guard.exceeded:
                self._process.wait()

    def kill(self) -> None:
        self._process.kill()

    def end(self, wait_seconds: float) -> None:
        """Close the worker's input, which ends it; kill it if it hasn't ended after ``wait_seconds``."""
        self._connection.close()
        assert self._process.stdin  # noqa: S101 - the process was started with one
        self._process.stdin.close()
        try:
            self._process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()


class _MemoryExceededError(Exception):
    """The guard killed a worker because it held too much memory."""


_AFTER_A_LIMIT = "Raise it and retry the picture, or upload a smaller one"


def _too_much_memory(limit_bytes: int) -> str:
    return f"the picture needs more than {limit_bytes:,} bytes of memory ([limits] memory)"


def _refuse(content: bytes, why: str) -> Rendering:
    return Rendering(Original(len(content)), rejected=Reason.of(NotAccepted(why)))


def _describe_end(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "was ended by SIGKILL, which the system sends when memory runs out"
    if exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


class _WorkerTraceback(Exception):
    """The traceback of a worker's exception, as text. It is the cause of the exception raised here."""

    def __str__(self) -> str:
        return f"in a worker:\n{self.args[0]}"


def _wrap(error: Exception) -> tuple[Any, ...]:
    """Return a reply that describes an exception."""
    text = "".join(traceback.format_exception(error))
    if isinstance(error, RenditionsError):
        return ("refused", type(error), error.args, vars(error), text)
    return ("broken", f"{type(error).__name__}: {error}", text)


def _unwrap(reply: tuple[Any, ...]) -> Any:
    """Return the worker's result, or raise the equivalent of its exception."""
    match reply:
        case ("made", result):
            return result
        case ("refused", kind, args, state, text):
            # The class isn't called, because its constructor may need other arguments than Exception's.
            error = kind.__new__(kind, *args)
            vars(error).update(state)
            raise error from _WorkerTraceback(text)
        case (_, message, text):
            log.error("rendering failed unexpectedly\n%s", text)
            raise Failed(f"rendering failed unexpectedly: {message}") from _WorkerTraceback(text)
    raise AssertionError(reply)


def work(descriptor: int, render: str) -> None:
    """Run as a worker: render the jobs from the socket until its other end is closed.

    The first reply says that the worker is ready. A job consists of two messages: the pickled rules and
    recipes, and the picture's bytes. The bytes have their own message, so that pickling doesn't copy them.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # service managers send these to all processes at once
    logging.getLogger().addHandler(logging.NullHandler())  # libraries' own messages aren't for the user
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection = Connection(descriptor)
    try:
        function: Any = None
        try:
            function = resolve(render)
            reply = pickle.dumps(("made", None))
        except Exception as error:  # noqa: BLE001 - the parent raises any error
            reply = pickle.dumps(_wrap(error))
        while True:
            connection.send_bytes(reply)
            accept, recipes, analyze, limits = connection.recv()
            content = connection.recv_bytes()
            try:
                reply = pickle.dumps(("made", function(content, accept, recipes, analyze, limits=limits)))
            except Exception as error:  # noqa: BLE001 - the parent raises any error
                reply = pickle.dumps(_wrap(error))
    except (EOFError, ConnectionError):
        return


def _end_with_parent() -> None:
    """End this process at any point once the parent closes our stdin or dies."""
    os.read(0, 1)
    os._exit(0)
