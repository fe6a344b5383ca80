"""Many workers in one thread, of which exactly one runs until its next I/O call: no chance but the seed's.

A task is a greenlet. Wherever it calls a port it hands over to whoever drives the scheduler, who decides
which task goes on, when, and what becomes of its call. Time is a number that the driver moves.
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
    """What becomes of one I/O call."""

    NONE = auto()
    FAIL = auto()
    """It isn't done, and that is told."""
    REFUSE = auto()
    """The same, until somebody changes something."""
    LOSE = auto()
    """It is done, but the answer is lost."""
    REPEAT = auto()
    """The answer is lost and the client sends the request again."""
    DIE = auto()
    """The process dies before the call."""
    DIE_AFTER = auto()
    """The process dies after the call."""


@dataclass(eq=False, slots=True)
class Process:
    """A process of the operating system: what dies as a whole."""

    owner: str
    skew_seconds: float = 0.0
    """How far its clock is ahead."""
    is_dead: bool = False
    asleep_until: float = 0.0
    """It is stopped, with all that runs in it."""


@dataclass(eq=False, slots=True)
class Task:
    """One thread of a process."""

    process: Process
    greenlet: greenlet
    waits_for: str = "its turn"
    """``call``, ``its turn`` (after a sleep), ``others`` or ``nothing`` (it runs or has ended)."""
    seconds: float = 0.0
    """How long it wants to sleep."""


@dataclass
class Scheduler:
    """Tasks that wait, in the order in which they are due."""

    latency_seconds: Callable[[], float]
    """How long the next I/O call takes."""
    now: float = 0.0
    """Seconds since the beginning."""
    calls: int = 0
    """How many I/O calls there have been."""
    waiting: list[tuple[float, int, Task]] = field(default_factory=list)
    _driver: greenlet = field(default_factory=getcurrent)
    _started: int = 0
    _tasks: dict[Any, Task] = field(default_factory=dict)

    @property
    def current(self) -> Task:
        """The task that runs."""
        return self._tasks[getcurrent()]

    def start(self, process: Process, body: Callable[[], object]) -> Task:
        """Have a task run ``body`` in a process when its turn comes."""

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
        """Make the running task's I/O call, when its turn comes and as the driver wants it to end."""
        fault = self._hand_over("call")
        self.calls += 1
        try:
            return self._end_call(fault, effect, failed, refused)
        finally:
            # A process is stopped between two calls: what it has sent is done meanwhile.
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
        """Have the running task do nothing for so long."""
        self.current.seconds = seconds
        self._hand_over("its turn")

    def wait_for_others(self) -> None:
        """Have the running task wait until :meth:`wake`."""
        self._hand_over("others")

    def wake(self, task: Task) -> None:
        """Let a task go on that waits for others."""
        if task.waits_for == "others":
            task.waits_for, task.seconds = "its turn", 0.0
            self._enqueue(task)

    def pop(self) -> Task:
        """Take the task that is due first, and move the time on to it."""
        due, _, task = heappop(self.waiting)
        self.now = max(self.now, due)
        return task

    def take(self, which: int) -> Task:
        """Take any task that waits, out of its order."""
        entry = self.waiting.pop(which % len(self.waiting))
        heapify(self.waiting)
        return entry[-1]

    def take_back(self, task: Task) -> None:
        """Take this one out again, to let it go on at once."""
        self.take(next(at for at, (_, _, other) in enumerate(self.waiting) if other is task))

    def resume(self, task: Task, fault: Fault = Fault.NONE) -> None:
        """Let a task run until it waits again."""
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
        """End whatever still runs in a process that died."""
        for task in [task for task in self._tasks.values() if task.process is process]:
            self.wake(task)


@dataclass
class Threads:
    """Stands for ``ThreadPoolExecutor``: its threads are tasks of the process that opened it."""

    scheduler: Scheduler

    def __call__(self, threads: int, thread_name_prefix: str = "") -> Self:
        """Open the pool; however many threads are asked for, that many are used at once anyway."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left: whoever uses a pool here waits for all that it began."""

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
        """Stand for ``concurrent.futures.wait``."""
        me = self.scheduler.current
        for future in futures:
            future.add_done_callback(lambda _: self.scheduler.wake(me))
        while not any(future.done() for future in futures):
            self.scheduler.wait_for_others()
        return Done({future for future in futures if future.done()})


@dataclass
class Done:
    """What ``wait`` returns of which only the done ones are used."""

    done: set[Future[Any]]


def drain(scheduler: Scheduler, choose: Callable[[Task], Fault] = lambda _: Fault.NONE) -> Iterator[Task]:
    """Run the tasks in the order in which they are due until none is left; yield each that ran."""
    while scheduler.waiting:
        task = scheduler.pop()
        scheduler.resume(task, choose(task) if task.waits_for == "call" else Fault.NONE)
        yield task
