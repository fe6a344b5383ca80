"""Worker processes that render pictures.

A harmful picture can end a worker, but never the service. Each worker has its own socket for jobs and
results, and shares nothing with the others. So killing a worker can't corrupt or lock anything that another
one needs. The process that holds the catalog never loads an imaging library.

Workers are new interpreters, not processes of ``multiprocessing``. Processes of ``multiprocessing`` would
import the program's main module again. Their start would take two to three times as long, and the main module
would need a guard.
"""

from __future__ import annotations

import logging
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Self, TypeVar

from renditions.errors import Failed, NotAccepted, RenderTimedOut, WorkerDied
from renditions.local.workers.guard import Guard
from renditions.local.workers.messages import Broken, Job, JobSender, decode_answer, decode_ready
from renditions.local.workers.wire import MalformedError, pack, receive, send
from renditions.model.original import Original
from renditions.model.pipeline import NO_ANALYSIS, Accept, Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering

RENDER = "renditions.imaging.render:render"
"""The function that workers call, by name, so that only they import it."""

START_SECONDS = 60.0
"""How long a new worker may take to start; this doesn't count towards a picture's limit."""

CLOSE_SECONDS = 5.0
"""How long an idle worker may take to end before the pool kills it."""

_LIMITS = Limits()
_Answer = TypeVar("_Answer")

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
            WorkerDied: The worker ended while it processed the picture, or gave an invalid answer and was
                killed.
            Failed: The function raised an error, or no worker could be started.

        """
        job = Job(accept, recipes, analyze, self._limits)
        reply: Rendering | Broken | None = None
        worker = self._idle.get()
        try:
            while reply is None:
                if worker is None or not worker.is_idle():
                    self._discard(worker)
                    worker = self._start()
                    if broken := worker.wait_until_ready(START_SECONDS):
                        _raise(broken)
                try:
                    reply = worker.call(self._seconds, job, content)
                except _MemoryExceededError:
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
    """One process and our end of its socket.

    One thread at a time uses it, but any thread may kill it.
    """

    def __init__(self, render: str) -> None:
        self.calls = 0
        """How many pictures it has received."""
        self._jobs = JobSender()
        self._socket, theirs = socket.socketpair()
        code = (
            "import sys; sys.path[:] = sys.argv[3:]; "
            "from renditions.local.workers.worker import work; work(int(sys.argv[1]), sys.argv[2])"
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
            self._socket.close()
            raise Failed(f"can't start a worker process: {error}") from error
        finally:
            theirs.close()

    def is_idle(self) -> bool:
        """Return whether the process runs and waits for a job: it has sent nothing that wasn't asked for."""
        if self._process.poll() is not None:
            return False
        with suppress(BlockingIOError):
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            return False
        return True

    def wait_until_ready(self, seconds: float) -> Broken | None:
        """Return why the worker can't start, or None once it has started."""
        guard = Guard(self._process, seconds)
        return self._exchange(guard, "starting a worker", [], 0, lambda content, _: decode_ready(content))

    def call(self, seconds: float, job: Job, picture: bytes) -> Rendering | Broken:
        """Return the answer to one picture."""
        self.calls += 1
        # A worker holds all files that it sends, so their limit is its memory's.
        most_bytes = job.limits.memory
        return self._exchange(
            Guard(self._process, seconds, job.limits.memory),
            "rendering",
            pack(*self._jobs.encode(job, picture)),
            most_bytes,
            lambda content, parts: decode_answer(content, parts, picture, job),
        )

    def _exchange(
        self,
        guard: Guard,
        what: str,
        message: Sequence[bytes],
        most_bytes: int,
        decode: Callable[[Any, list[bytes]], _Answer],
    ) -> _Answer:
        """Send the message and return the decoded answer.

        If the worker exceeds a limit, the guard kills it. Then this method's write or read fails.
        """
        try:
            with guard:
                send(self._socket.fileno(), message)
                content, parts = receive(self._socket.fileno(), most_bytes)
            return decode(content, parts)
        except MalformedError as error:
            self.kill()
            raise WorkerDied(
                f"the worker process was ended because its answer is invalid: {error}"
            ) from error
        except (EOFError, OSError) as error:
            exit_code = self._wait(CLOSE_SECONDS)  # it may have closed its socket without ending
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
        self._socket.close()
        assert self._process.stdin  # noqa: S101 - the process was started with one
        self._process.stdin.close()
        self._wait(wait_seconds)

    def _wait(self, seconds: float) -> int:
        """Wait until the process has ended, kill it after this time, and return its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()


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
        names = {each.value: each.name for each in signal.Signals}
        return f"was ended by {names.get(-exit_code, f'signal {-exit_code}')}"
    return f"ended with exit code {exit_code}"


class _WorkerTraceback(Exception):
    """The traceback of a worker's exception, as text.

    It is the cause of the exception raised here.
    """

    def __str__(self) -> str:
        return f"in a worker:\n{self.args[0]}"


def _raise(broken: Broken) -> NoReturn:
    """Raise the equivalent of a worker's exception."""
    if broken.is_expected:
        raise Failed(broken.text) from _WorkerTraceback(broken.trace)
    log.error("rendering failed unexpectedly\n%s", broken.trace)
    raise Failed(f"rendering failed unexpectedly: {broken.text}") from _WorkerTraceback(broken.trace)
