"""The simulated cloud, driven by Hypothesis.

Hypothesis chooses the next task, and how its I/O call ends. It shrinks failures to few steps.
"""

from __future__ import annotations

from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from faults.history import History
from faults.scheduler import Fault
from faults.weather import CONTENTS, NAMES, PIPELINES, PLACES

HOUR_SECONDS = 3600.0

faults = st.sampled_from(Fault)
names = st.sampled_from(NAMES[:2])


class Cloud(RuleBasedStateMachine):
    """People, and workers that each process one picture, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History(0, is_calm=True)
        self.scheduler = self.history.scheduler

    @initialize(name=names, content=st.sampled_from(CONTENTS))
    def begin(self, name: str, content: bytes) -> None:
        self.history.upload(name, content)
        self.start(name)

    @rule(name=names, content=st.sampled_from(CONTENTS))
    def upload(self, name: str, content: bytes) -> None:
        self.history.upload(name, content)

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.history.remove(name)

    @rule(number=st.integers(0, len(PIPELINES) - 1), place=st.sampled_from(PLACES), keeps=st.booleans())
    def change_pipeline(self, number: int, place: str, *, keeps: bool) -> None:
        self.history.use(number, place, keeps_deleted=keeps)

    @rule(name=names)
    def start(self, name: str) -> None:
        """Start a worker that processes a picture.

        The worker waits at its first call.
        """
        task = self.history.start(partial(self.history.process_quietly, name))
        self.scheduler.take_back(task)
        self.scheduler.resume(task)

    @precondition(lambda self: self.scheduler.waiting)
    @rule(which=st.integers(0, 3), calls=st.integers(0, 4))
    def go_on(self, which: int, calls: int) -> None:
        """Let one worker make up to ``calls + 1`` calls."""
        task = self.scheduler.take(which)
        for _ in range(calls):
            self.scheduler.resume(task)
            if task.waits_for != "call":
                return
            self.scheduler.take_back(task)
        self.scheduler.resume(task)

    @precondition(lambda self: self.scheduler.waiting)
    @rule(which=st.integers(0, 3), fault=faults)
    def meet(self, which: int, fault: Fault) -> None:
        """End one worker's next call with this fault."""
        task = self.scheduler.take(which)
        self.scheduler.resume(task, fault)
        if task.process.is_dead:
            self.history.dead.add(task.process.owner)

    @precondition(lambda self: self.scheduler.waiting)
    @rule()
    def oversleep(self) -> None:
        """Stop all workers for an hour.

        The requests that they have sent are still executed.
        """
        tasks = [task for _, _, task in self.scheduler.waiting]
        for task in tasks:
            task.process.asleep_until = self.scheduler.now + HOUR_SECONDS
        for _ in range(len(tasks)):
            task = self.scheduler.take(0)
            self.scheduler.resume(task)
        self.scheduler.now += HOUR_SECONDS

    def teardown(self) -> None:
        history = self.history
        history.calm_down()
        history.check()


TestCloud = Cloud.TestCase
TestCloud.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
