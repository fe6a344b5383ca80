"""The pool of workers, which goes on after a picture crashes or blocks a worker."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from renditions.core.ports import Stopped
from renditions.errors import Failed, RenderTimedOut, RenditionsError, WorkerDied
from renditions.local.workers.pool import RenderPool
from renditions.model.original import Original
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering

TESTS = str(Path(__file__).parents[2])
RECIPES = {"a": Rendition(width=20)}
LIMIT_SECONDS = 60.0


@pytest.fixture
def pool() -> Iterator[RenderPool]:
    with RenderPool(2, LIMIT_SECONDS, "local.workers.pool_jobs:act", layers=()) as opened:
        yield opened


def run(pool: RenderPool, content: bytes, stop: threading.Event | None = None) -> Rendering:
    return pool(content, Accept(min_width=7), RECIPES, stop=stop)


def worker_of(rendering: Rendering) -> int:
    pid = rendering.made["a"].width
    assert pid is not None
    return pid


def is_running(pid: int) -> bool:
    """Return whether the process exists and isn't a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_a_worker_gets_the_picture_with_the_rules_and_the_recipes(pool: RenderPool) -> None:
    rendering = run(pool, b"bytes")
    assert rendering.original.width == 7
    assert rendering.made["a"].content == b"bytes"
    assert worker_of(rendering) != os.getpid()


def test_a_worker_serves_one_call_after_the_other(pool: RenderPool) -> None:
    assert len({worker_of(run(pool, b"x")) for _ in range(5)}) == 1


def test_only_workers_load_an_imaging_library(tmp_path: Path) -> None:
    """The process that holds the pool loads no imaging library.

    This is checked after a picture was rendered.
    """
    from commands import draw  # noqa: PLC0415

    draw(tmp_path / "a.jpg")
    program = f"""
        import sys
        from renditions.local.workers.pool import RenderPool
        from renditions.model.pipeline import Accept
        from renditions.model.recipe import Rendition
        content = open({str(tmp_path / "a.jpg")!r}, "rb").read()
        with RenderPool(1, 60) as pool:
            made = pool(content, Accept(), {{"a": Rendition(width=160)}}).made
        print(made["a"].height, "pyvips" in sys.modules)
    """  # fmt: skip
    assert python(program) == "90 False\n"


@pytest.mark.parametrize(
    ("order", "end"),
    [
        (b"exit 3", "ended with exit code 3"),
        (b"exit 0", "ended with exit code 0"),
        (b"kill SIGSEGV", "was ended by SIGSEGV"),
        (b"kill SIGKILL", "was ended by SIGKILL, for example because the system had no memory left"),
    ],
)
def test_the_pool_reports_and_replaces_a_worker_that_dies(pool: RenderPool, order: bytes, end: str) -> None:
    for _ in range(2):
        with pytest.raises(WorkerDied, match=f"^the worker process {end}$"):
            run(pool, order)
        assert run(pool, b"x").made


@pytest.mark.parametrize("order", [b"sleep 3600", b"spin"])
def test_a_worker_is_killed_if_its_picture_exceeds_the_time_limit(order: bytes) -> None:
    with RenderPool(1, 0.5, "local.workers.pool_jobs:act", layers=()) as pool:
        before = worker_of(run(pool, b"x"))
        with pytest.raises(RenderTimedOut, match=r"^rendering took longer than 0\.5 s$"):
            run(pool, order)
        assert not is_running(before)
        rejected = run(pool, order).rejected
        assert rejected, "a new worker ran into the limit too"
        assert rejected.text.startswith("rendering took longer than 0.5 s ([limits] seconds). ")
        assert rejected.code == "source-not-accepted"
        assert worker_of(run(pool, b"x")) != before


def test_the_time_limit_applies_while_a_worker_does_not_read() -> None:
    """A stopped worker reads nothing.

    The picture is larger than the socket's buffer.
    """
    with RenderPool(1, 0.5, "local.workers.pool_jobs:act", layers=()) as pool:
        os.kill(worker_of(run(pool, b"x")), signal.SIGSTOP)
        with pytest.raises(RenderTimedOut):
            run(pool, bytes(10_000_000))
        assert run(pool, b"x").made


def test_the_pool_reports_a_worker_that_dies_while_a_picture_is_sent_to_it(pool: RenderPool) -> None:
    worker = worker_of(run(pool, b"x"))
    os.kill(worker, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, [worker, signal.SIGKILL])
    killer.start()
    with pytest.raises(WorkerDied):
        run(pool, bytes(10_000_000))
    killer.join()
    assert run(pool, b"x").made


def test_a_worker_that_died_while_idle_is_replaced_without_an_error(pool: RenderPool) -> None:
    worker = worker_of(run(pool, b"x"))
    os.kill(worker, signal.SIGKILL)
    os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
    assert worker_of(run(pool, b"x")) != worker


def test_the_time_limit_of_one_picture_does_not_stop_the_next_one() -> None:
    """Each picture takes about as long as the limit.

    The time limit of one picture must not kill the worker of the next picture.
    """
    ends = []
    with RenderPool(1, 0.03, "local.workers.pool_jobs:act", layers=()) as pool:
        for number in range(40):
            try:
                run(pool, f"sleep {0.0285 + number % 4 / 2000}".encode())
                ends.append("made")
            except RenditionsError as error:
                ends.append(type(error).__name__)
    assert set(ends) <= {"made", "RenderTimedOut"}


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@needs_proc
def test_a_picture_that_takes_too_much_memory_is_rejected_and_its_worker_is_replaced() -> None:
    with RenderPool(
        1, LIMIT_SECONDS, "local.workers.pool_jobs:act", Limits(memory=200_000_000), layers=()
    ) as pool:
        refused = run(pool, b"enlarge 5000000000")
        assert str(refused.rejected) == (
            "the picture needs more than 200,000,000 bytes of memory ([limits] memory). Raise this limit and "
            "retry the picture, or upload a smaller one"
        )
        assert (refused.made, refused.original) == ({}, Original(18))
        assert run(pool, b"hold 50000000").made


@needs_proc
def test_memory_left_by_earlier_pictures_does_not_reject_a_picture() -> None:
    """Two pictures together need too much memory for one worker.

    So the pool tries the second one again in a new worker.
    """
    with RenderPool(
        1, LIMIT_SECONDS, "local.workers.pool_jobs:act", Limits(memory=200_000_000), layers=()
    ) as pool:
        run(pool, b"keep 120000000")
        assert run(pool, b"hold 120000000").made["a"].content == b"held 120000000"


@needs_proc
def test_a_real_picture_that_takes_too_much_memory_is_rejected() -> None:
    """The decoder of a progressive JPEG needs more memory than the header shows."""
    target = io.BytesIO()
    Image.new("RGB", (8000, 6000), "red").save(target, "JPEG", progressive=True)
    for memory, is_rejected in ((120_000_000, True), (Limits().memory, False)):
        with RenderPool(1, LIMIT_SECONDS, limits=Limits(memory=memory)) as pool:
            result = pool(target.getvalue(), Accept(), RECIPES)
        assert bool(result.rejected or result.errors) == is_rejected
        assert bool(result.made) != is_rejected


def test_a_failure_in_a_worker_is_raised_unchanged(pool: RenderPool) -> None:
    with pytest.raises(Failed, match=r"^no memory left$") as caught:
        run(pool, b"fail")
    assert "pool_jobs" in str(caught.value.__cause__), "the worker's traceback"


def test_an_unexpected_error_class_from_a_worker_becomes_a_failure(pool: RenderPool) -> None:
    """A renderer returns a rejection and must not raise it."""
    with pytest.raises(Failed, match=r"^rendering failed unexpectedly: Undecodable: no picture at all$"):
        run(pool, b"refuse")


def test_an_unexpected_error_in_a_worker_is_a_failure_with_its_traceback(
    pool: RenderPool, caplog: pytest.LogCaptureFixture
) -> None:
    before = worker_of(run(pool, b"x"))
    with caplog.at_level(logging.ERROR), pytest.raises(Failed, match="ZeroDivisionError: ") as caught:
        run(pool, b"divide")
    assert "1 // 0" in str(caught.value.__cause__)
    assert "1 // 0" in caplog.text
    assert worker_of(run(pool, b"x")) == before, "an exception costs no worker"


def test_a_picture_fails_if_the_worker_can_not_send_its_result(pool: RenderPool) -> None:
    with pytest.raises(Failed, match="AttributeError"):
        run(pool, b"unsendable")
    assert run(pool, b"x").made


@pytest.mark.parametrize(
    ("render", "message"),
    [
        ("no_such_module:render", "No module named 'no_such_module'"),
        ("local.workers.pool_jobs:no_such_function", "no_such_function"),
        ("local.workers.pool_jobs:not_callable", "'NoneType' object is not callable"),
    ],
)
def test_a_picture_fails_if_the_renderer_can_not_be_imported(render: str, message: str) -> None:
    with RenderPool(1, LIMIT_SECONDS, render) as pool:
        for _ in range(2):
            with pytest.raises(Failed, match=message):
                run(pool, b"x")


def test_a_picture_fails_if_its_worker_can_not_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with RenderPool(1, LIMIT_SECONDS, "local.workers.pool_jobs:act", layers=()) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", "/no/such/python")
            with pytest.raises(Failed, match=r"\(.*No such file.*\)\. sys\.executable must be a Python"):
                run(pool, b"x")
            assert "can't start a worker process" in (pool.problem or "")
        assert run(pool, b"x").made
        assert pool.problem is None


@pytest.mark.parametrize("place", [(socket, "socketpair"), (subprocess, "Popen")], ids=["socket", "process"])
def test_a_picture_fails_with_advice_if_no_file_can_be_opened(
    monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with RenderPool(1, LIMIT_SECONDS, "local.workers.pool_jobs:act", layers=()) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(*place, refuse)
            with pytest.raises(
                Failed, match=r"Too many open files\)\. Use fewer workers, or raise the system"
            ):
                run(pool, b"x")
        assert run(pool, b"x").made


def test_large_pictures_and_large_results_are_sent_unchanged(pool: RenderPool) -> None:
    content = os.urandom(1000) * 60_000
    assert run(pool, content).made["a"].content == content
    assert len(run(pool, b"enlarge 60000000").made["a"].content) == 60_000_000


def test_each_of_many_threads_gets_its_own_answers_from_few_workers(pool: RenderPool) -> None:
    """8 threads make 400 calls on 2 workers. Every tenth call kills a worker."""

    def call(number: int) -> str:
        content = b"kill SIGKILL" if number % 10 == 0 else f"picture {number}".encode()
        try:
            rendering = run(pool, content)
        except WorkerDied:
            return "died"
        assert rendering.made["a"].content == content
        return "made"

    with ThreadPoolExecutor(8) as threads:
        ends = list(threads.map(call, range(400)))
    assert (ends.count("died"), ends.count("made")) == (40, 360)


def test_closing_the_pool_waits_for_the_picture_in_progress_and_ends_the_workers(tmp_path: Path) -> None:
    pool = RenderPool(2, LIMIT_SECONDS, "local.workers.pool_jobs:act", layers=())
    worker = worker_of(run(pool, b"x"))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, pool, f"touch {tmp_path / 'end'} 0.3".encode())
        wait_until((tmp_path / "end.began").exists, "it is being processed")
        pool.close()
        assert worker_of(running.result()) == worker
    assert not is_running(worker)
    with pytest.raises(Failed, match="are being stopped"):
        run(pool, b"x")


def test_a_stopped_pool_finishes_the_picture_in_progress_and_begins_none_that_waits(tmp_path: Path) -> None:
    stop = threading.Event()
    with (
        RenderPool(1, LIMIT_SECONDS, "local.workers.pool_jobs:act", layers=()) as pool,
        ThreadPoolExecutor(3) as threads,
    ):
        running = threads.submit(run, pool, f"touch {tmp_path / 'end'} 0.3".encode())
        wait_until((tmp_path / "end.began").exists, "it is being processed")
        waiting = [threads.submit(run, pool, b"x", stop) for _ in range(2)]
        stop.set()
        assert running.result().made
        for each in waiting:
            assert isinstance(each.exception(), Stopped)


def test_an_exception_in_the_context_of_the_pool_kills_the_workers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        with (
            suppress(LookupError),
            RenderPool(2, LIMIT_SECONDS, "local.workers.pool_jobs:act", layers=()) as pool,
        ):
            worker = worker_of(run(pool, b"x"))
            running = thread.submit(run, pool, f"touch {tmp_path / 'end'} 3600".encode())
            wait_until((tmp_path / "end.began").exists, "it is being processed")
            raise LookupError
        assert isinstance(running.exception(), WorkerDied)
    assert not is_running(worker)


def python(program: str) -> str:
    """Run a program as a script, and return its output.

    The script has no main guard.
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PYTHONPATH": TESTS},
    ).stdout  # fmt: skip


PARENT = """
    import sys, threading
    from concurrent.futures import ThreadPoolExecutor
    from renditions.local.workers.pool import RenderPool
    from renditions.model.pipeline import Accept
    from renditions.model.recipe import Rendition

    barrier = threading.Barrier(3)

    def begin(_):
        barrier.wait()
        return pool(b"sleep 0.5", Accept(), {"a": Rendition()}).made["a"].width

    def go_on(order):
        return pool(order.encode(), Accept(), {"a": Rendition()})

    render = "local.workers.pool_jobs:act"
    with RenderPool(3, 60, render, layers=()) as pool, ThreadPoolExecutor(3) as threads:
        print(*threads.map(begin, range(3)), flush=True)
        list(threads.map(go_on, sys.argv[1:]))
    print("ended", flush=True)
"""


@contextmanager
def started_parent(*orders: str, before: str = "") -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a process that gives these jobs to its three workers.

    Yield the process and the process ids of its workers.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", before + textwrap.dedent(PARENT), *orders],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": TESTS},
    )  # fmt: skip
    with parent:
        try:
            assert parent.stdout
            workers = [int(word) for word in parent.stdout.readline().split()]
            assert len(set(workers)) == 3
            yield parent, workers
        finally:
            parent.kill()


@needs_proc
def test_workers_end_when_their_parent_is_killed() -> None:
    """One worker is idle, one sleeps in a picture, and one computes."""
    with started_parent("x", "sleep 3600", "spin") as (parent, workers):
        assert children_of(parent.pid) == set(workers)
        parent.kill()
        wait_until(lambda: not any(map(is_running, workers)), "all have ended")


def children_of(pid: int) -> set[int]:
    statuses = [path.read_text().rpartition(")") for path in Path("/proc").glob("[0-9]*/stat")]
    return {int(head.split()[0]) for head, _, rest in statuses if int(rest.split()[1]) == pid}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_pictures_in_progress_finish_after_a_signal_to_every_process(tmp_path: Path, number: int) -> None:
    """Ctrl-C and service managers send such a signal.

    Here the parent finishes its work before it ends.
    """
    ends = [tmp_path / f"{name}.end" for name in "abc"]
    ignore = f"import signal; signal.signal({int(number)}, signal.SIG_IGN)\n"
    with started_parent(*(f"touch {end} 0.5" for end in ends), before=ignore) as (parent, workers):
        wait_until(
            lambda: all(end.with_suffix(".began").exists() for end in ends), "they are being processed"
        )
        os.killpg(parent.pid, number)
        for worker in workers:
            os.kill(worker, number)
        assert parent.stdout
        assert parent.stdout.read() == "ended\n"
    assert all(end.exists() for end in ends)


def test_text_that_a_worker_prints_does_not_reach_stdout() -> None:
    program = """
        from renditions.local.workers.pool import RenderPool
        from renditions.model.pipeline import Accept
        with RenderPool(1, 60, "local.workers.pool_jobs:act", layers=()) as pool:
            pool(b"print", Accept(), {})
        print("data")
    """
    assert python(program) == "data\n"
