"""Many workers in one thread.

One worker at a time runs until its next I/O call. The seed decides which worker is next. A task is a
greenlet. At each I/O call it passes control to the scheduler's driver. The driver decides which task
continues, when, and how its call ends. Time is a number that the driver advances.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heapify, heappop, heappush
from typing import Any, Self

from greenlet import getcurrent, greenlet

from renditions.errors import Failed
from world import Crash


class Fault(Enum):
    """How one I/O call ends."""

    NONE = auto()
    FAIL = auto()
    """The call isn't executed, and the caller gets an error."""
    REFUSE = auto()
    """The call isn't executed, and a retry won't help."""
    LOSE = auto()
    """The call is executed, but its answer is lost."""
    REPEAT = auto()
    """The answer is lost and the client sends the request again."""
    DIE = auto()
    """The process dies before the call."""
    DIE_AFTER = auto()
    """The process dies after the call."""


@dataclass(eq=False, slots=True)
class Process:
    """A process of the operating system, which dies as a whole."""

    owner: str
    skew_seconds: float = 0.0
    """How many seconds its clock is ahead."""
    is_dead: bool = False
    asleep_until: float = 0.0
    """Until when the process is stopped, with all its tasks."""


@dataclass(eq=False, slots=True)
class Task:
    """One thread of a process."""

    process: Process
    greenlet: greenlet
    waits_for: str = "its turn"
    """What the task waits for: ``call``, ``its turn`` (also during a sleep), ``others`` or ``nothing``."""
    seconds: float = 0.0
    """How long the task wants to sleep."""


@dataclass
class Scheduler:
    """The waiting tasks, ordered by the time at which they continue."""

    latency_seconds: Callable[[], float]
    """How long the next I/O call takes."""
    now: float = 0.0
    """Seconds since the beginning."""
    calls: int = 0
    """The number of I/O calls so far."""
    waiting: list[tuple[float, int, Task]] = field(default_factory=list)
    _driver: greenlet = field(default_factory=getcurrent)
    _started: int = 0
    _tasks: dict[Any, Task] = field(default_factory=dict)

    @property
    def current(self) -> Task:
        """The running task."""
        return self._tasks[getcurrent()]

    def start(self, process: Process, body: Callable[[], object]) -> Task:
        """Start a task.

        The task calls ``body`` in the process when its turn comes.
        """

        def run(_: Fault) -> None:
            try:
                body()
            except Crash:
                process.is_dead = True

        task = Task(process, greenlet(run, self._driver))
        self._tasks[task.greenlet] = task
        self._enqueue(task)
        return task

    def call(self, effect: Callable[[], Any], failed: type[Failed], refused: type[Failed]) -> Any:
        """Make the running task's I/O call when the task's turn comes.

        The driver chooses how the call ends. Return the call's result, or raise its error.
        """
        fault = self._hand_over("call")
        self.calls += 1
        try:
            return self._end_call(fault, effect, failed, refused)
        finally:
            # A process stops only between two calls, so the requests that it has sent are still executed.
            if (seconds := self.current.process.asleep_until - self.now) > 0:
                self.sleep(seconds)

    def _end_call(
        self, fault: Fault, effect: Callable[[], Any], failed: type[Failed], refused: type[Failed]
    ) -> Any:
        match fault:
            case Fault.NONE:
                return effect()
            case Fault.DIE:
                raise Crash
            case Fault.FAIL:
                raise failed("it didn't answer")
            case Fault.REFUSE:
                raise refused("it is not allowed")
        result = effect()
        if fault is Fault.DIE_AFTER:
            raise Crash
        if fault is Fault.LOSE:
            raise failed("its answer got lost")
        return effect() if fault is Fault.REPEAT else result

    def sleep(self, seconds: float) -> None:
        """Let the running task sleep this long."""
        self.current.seconds = seconds
        self._hand_over("its turn")

    def wait_for_others(self) -> None:
        """Let the running task wait until :meth:`wake`."""
        self._hand_over("others")

    def wake(self, task: Task) -> None:
        """Wake a task that waits for others."""
        if task.waits_for == "others":
            task.waits_for, task.seconds = "its turn", 0.0
            self._enqueue(task)

    def pop(self) -> Task:
        """Remove and return the task that continues first; advance the time to it."""
        due, _, task = heappop(self.waiting)
        self.now = max(self.now, due)
        return task

    def take(self, which: int) -> Task:
        """Remove and return a waiting task, chosen by its position and not by its time."""
        entry = self.waiting.pop(which % len(self.waiting))
        heapify(self.waiting)
        return entry[-1]

    def take_back(self, task: Task) -> None:
        """Remove this task from the queue.

        The task can then continue at once.
        """
        self.take(next(at for at, (_, _, other) in enumerate(self.waiting) if other is task))

    def resume(self, task: Task, fault: Fault = Fault.NONE) -> None:
        """Let a task run until it waits again or ends.

        If its process is stopped and it waits for its turn, only put it back into the queue.
        """
        if task.process.asleep_until > self.now and task.waits_for == "its turn":
            task.seconds = 0.0
            self._enqueue(task)
            return
        task.greenlet.switch(fault)
        if task.greenlet.dead:
            del self._tasks[task.greenlet]
        elif task.waits_for != "others":
            self._enqueue(task)
        if task.process.is_dead:
            self._bury(task.process)

    def _enqueue(self, task: Task) -> None:
        seconds = self.latency_seconds() if task.waits_for == "call" else task.seconds
        self._started += 1
        asleep_until = task.process.asleep_until if task.waits_for == "its turn" else 0.0
        heappush(self.waiting, (max(self.now + seconds, asleep_until), self._started, task))

    def _hand_over(self, waits_for: str) -> Fault:
        task = self.current
        task.waits_for = waits_for
        fault: Fault = self._driver.switch()
        task.waits_for = "nothing"
        if task.process.is_dead:
            raise Crash
        return fault

    def _bury(self, process: Process) -> None:
        """Wake the waiting tasks of a process that died, so that they end."""
        for task in [task for task in self._tasks.values() if task.process is process]:
            self.wake(task)


@dataclass
class Threads:
    """A stand-in for ``ThreadPoolExecutor``.

    Its threads are tasks of the process that opened it.
    """

    scheduler: Scheduler

    def __call__(self, threads: int, thread_name_prefix: str = "") -> Self:
        """Open the pool. It ignores the requested number of threads."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing, because users of the pool wait for all their tasks."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a task that calls the function."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                result = function(*args)
            except Exception as error:  # noqa: BLE001 - as the real one does
                future.set_exception(error)
            else:
                future.set_result(result)

        self.scheduler.start(self.scheduler.current.process, run)
        return future

    def wait(self, futures: Collection[Future[Any]], return_when: str) -> Any:
        """Wait until at least one future is done; return the futures that are done."""
        me = self.scheduler.current
        for future in futures:
            future.add_done_callback(lambda _: self.scheduler.wake(me))
        while not any(future.done() for future in futures):
            self.scheduler.wait_for_others()
        return Done({future for future in futures if future.done()})


@dataclass
class Done:
    """The result of ``wait``. The core uses only ``done``."""

    done: set[Future[Any]]


def drain(scheduler: Scheduler, choose: Callable[[Task], Fault] = lambda _: Fault.NONE) -> Iterator[Task]:
    """Run the tasks in the order of their time until none is left.

    Yield each task after it ran.
    """
    while scheduler.waiting:
        task = scheduler.pop()
        scheduler.resume(task, choose(task) if task.waits_for == "call" else Fault.NONE)
        yield task
