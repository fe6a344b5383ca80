"""The same cloud, driven by Hypothesis: it chooses who makes the next I/O call and what becomes of it.

What fails is shrunk to the fewest steps.
"""

from __future__ import annotations

from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from faults.history import CONTENTS, FOREIGN, NAMES, PIPELINES, History
from faults.promise import check
from faults.scheduler import Fault
from renditions.pipeline import Pipeline

HOUR_SECONDS = 3600.0

faults = st.sampled_from([Fault.NONE, Fault.NONE, *Fault])
names = st.sampled_from(NAMES[:3])


class Cloud(RuleBasedStateMachine):
    """People, and workers that each process one picture, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.history = History(0, is_calm=True)
        self.scheduler = self.history.scheduler

    @rule(name=names, content=st.sampled_from(CONTENTS))
    def upload(self, name: str, content: bytes) -> None:
        self.history.upload(name, content)

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.history.remove(name)

    @rule(pipeline=st.sampled_from(PIPELINES))
    def change_pipeline(self, pipeline: Pipeline) -> None:
        self.history.use(pipeline)

    @rule(name=names)
    def start(self, name: str) -> None:
        self.history.start(partial(self.history.process_quietly, name))

    @precondition(lambda self: self.scheduler.waiting)
    @rule(which=st.integers(0, 9), fault=faults)
    def step(self, which: int, fault: Fault) -> None:
        task = self.scheduler.take(which)
        self.scheduler.resume(task, fault)
        if task.process.is_dead:
            self.history.dead.add(task.process.owner)

    @precondition(lambda self: self.scheduler.waiting)
    @rule()
    def oversleep(self) -> None:
        """All are stopped for an hour; what they have sent is done meanwhile."""
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
        check(
            history.pipeline, history.source, history.output, history.catalog, history.observer.sent, FOREIGN
        )


TestCloud = Cloud.TestCase
TestCloud.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
