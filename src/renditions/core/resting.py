"""Send the notices of fresh rejections at the end of a run that isn't repeated.

The notice of a rejection waits until the file has stayed unchanged for a while, see ``notify``. A watch sends
it later. A single run waits at its end, and then processes these pictures again: a slow copy may be complete
by then, and its picture isn't rejected any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from renditions.core.ask import PLAIN
from renditions.core.difference import Difference
from renditions.core.outcome import Outcome
from renditions.core.process import Process

MOST_RESTING = 1_000
"""A run waits for the notices of at most this many pictures. The next run sends the others."""

Wait = Callable[[int, timedelta], object]
"""Called before a run waits, with the number of pictures and how long the run waits."""


@dataclass(slots=True)
class Resting:
    """The pictures whose notices wait. The run counts them when it ends."""

    on_wait: Wait | None
    """Called before the run waits; None if the run doesn't wait, because its caller repeats the run."""
    _pauses: dict[str, timedelta] = field(default_factory=dict)
    _before: dict[str, Outcome | Difference] = field(default_factory=dict)

    def take(self, ended: Outcome | Difference) -> bool:
        """Keep a picture whose notice waits, to count it later.

        Returns whether the picture was kept.
        """
        if self.on_wait is None or ended.notice_after is None:
            return False
        if ended.name not in self._before and len(self._before) >= MOST_RESTING:
            return False
        self._pauses[ended.name] = ended.notice_after
        self._before.setdefault(ended.name, ended)
        return True

    def finish(self, process: Process, stop: threading.Event) -> Iterator[Outcome | Difference]:
        """Wait, process the kept pictures once more, and yield what to count.

        The wait ends early if ``stop`` is set. Then this method yields the earlier results, and doesn't
        process the pictures again.
        """
        if not self._before or self.on_wait is None:
            return
        pause = max(self._pauses.values())
        if not stop.is_set():
            self.on_wait(len(self._before), pause)
        for name, before in self._before.items():
            is_stopped = stop.wait(pause.total_seconds())
            pause = timedelta()
            yield before if is_stopped else replace(process(name, PLAIN), notice_after=None)
