"""One worker process, from the pool's side."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from renditions.errors import Failed, RenderTimedOut, WorkerDied
from renditions.local.workers.confine import LayerState, clean_environment
from renditions.local.workers.guard import Guard
from renditions.local.workers.messages import Broken, Job, JobSender, decode_answer, decode_ready
from renditions.local.workers.wire import MalformedError, pack, receive, send
from renditions.model.rendering import Rendering

CLOSE_SECONDS = 5.0
"""How long an idle worker may take to end before the pool kills it."""

_Answer = TypeVar("_Answer")
_CODE = (
    "import json, sys; descriptor, render, layers, sys.path[:] = json.loads(sys.argv[1]); "
    "from renditions.local.workers.worker import work; work(descriptor, render, layers)"
)


_LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""The errors of a system that has no process, memory or open file left."""


def _explain(error: OSError) -> Failed:
    """Return an error that says why no process starts, and what to do."""
    advice = (
        "Use fewer workers, or raise the system's limits on processes and open files"
        if error.errno in _LIMITS
        else "sys.executable must be a Python interpreter. If it was replaced, start this program again"
    )
    return Failed(f"can't start a worker process ({error}). {advice}")


class WorkerProcess:
    """A worker process and the pool's end of its socket.

    Only one thread at a time may use it. But any thread may kill it.

    Raises:
        Failed: The process can't be started.

    """

    def __init__(self, render: str, layers: Collection[str]) -> None:
        self.calls = 0
        """How many pictures the process has received."""
        self._jobs = JobSender()
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise _explain(error) from error
        start = json.dumps([theirs.fileno(), render, list(layers), sys.path])
        flags = ["-B"] if sys.dont_write_bytecode else []
        environment = clean_environment(os.environ) if "environment" in layers else None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own code, no shell
                [sys.executable, *flags, "-c", _CODE, start],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.PIPE,  # never written to; when it closes, the parent has ended
                stdout=subprocess.DEVNULL,  # the parent's stdout is for data
                process_group=0,  # Ctrl-C goes to the terminal's whole group, but the parent must handle it
            )
        except OSError as error:
            self._socket.close()
            raise _explain(error) from error
        finally:
            theirs.close()

    def is_idle(self) -> bool:
        """Return whether the process runs and waits for a job.

        A worker that has sent data without a job isn't idle.
        """
        if self._process.poll() is not None:
            return False
        with suppress(BlockingIOError):
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            return False
        return True

    def wait_until_ready(self, seconds: float) -> tuple[LayerState, ...] | Broken:
        """Return how the worker is confined once it has started, or why it can't start.

        Raises:
            RenderTimedOut: The start took longer than ``seconds``. The worker was killed.
            WorkerDied: The worker ended during its start, or gave an invalid answer and was killed.

        """
        guard = Guard(self._process, seconds)
        return self._exchange(guard, "starting a worker", [], 0, lambda content, _: decode_ready(content))

    def call(self, seconds: float, job: Job, picture: bytes) -> Rendering | Broken:
        """Return the answer to one picture.

        Raises:
            RenderTimedOut: The call took longer than ``seconds``. The worker was killed.
            MemoryExceededError: The worker held more memory than the job's limit. It was killed.
            WorkerDied: The worker ended during the call, or gave an invalid answer and was killed.

        """
        self.calls += 1
        # A worker holds in memory all files that it sends, so the limit on its memory also limits the files.
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

        If the worker exceeds a limit, the guard kills it. Then this method's write or read fails, and the
        method raises RenderTimedOut or MemoryExceededError. It raises WorkerDied if the worker ended
        otherwise, or if the answer is invalid.
        """
        try:
            with guard:
                send(self._socket.fileno(), message)
                content, parts = receive(self._socket.fileno(), most_bytes)
            return decode(content, parts)
        except MalformedError as error:
            self.kill()
            raise WorkerDied(
                f"the pool ended the worker process, because its answer is invalid: {error}"
            ) from error
        except (EOFError, OSError) as error:
            exit_code = self._wait(CLOSE_SECONDS)  # it may have closed its socket without ending
            if guard.exceeded == "time":
                raise RenderTimedOut(f"{what} took longer than {guard.seconds:g} s") from error
            if guard.exceeded == "memory":
                raise MemoryExceededError from error
            raise WorkerDied(f"the worker process {_describe_end(exit_code)}") from error
        finally:
            if guard.exceeded:
                self._process.wait()

    def kill(self) -> None:
        """Kill the process at once. Any thread may call this."""
        self._process.kill()

    def abandon(self) -> None:
        """Close the handles in a forked copy of this process.

        The worker is the child of the original process, not of the copy.
        """
        self._socket.close()
        assert self._process.stdin  # noqa: S101 - the process was started with one
        self._process.stdin.close()
        self._process.returncode = 0  # so that Python never waits for it here

    def end(self, wait_seconds: float) -> None:
        """Close the worker's input, which ends it; kill it after ``wait_seconds``."""
        self._socket.close()
        assert self._process.stdin  # noqa: S101 - the process was started with one
        self._process.stdin.close()
        self._wait(wait_seconds)

    def _wait(self, seconds: float) -> int:
        """Wait until the process ends, kill it after this time, and return its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()


class MemoryExceededError(Exception):
    """The guard killed a worker because it held too much memory."""


def _describe_end(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "was ended by SIGKILL, for example because the system had no memory left"
    if exit_code < 0:
        names = {each.value: each.name for each in signal.Signals}
        return f"was ended by {names.get(-exit_code, f'signal {-exit_code}')}"
    return f"ended with exit code {exit_code}"
