"""One history: people change pictures and the pipeline, and workers run and fail.

In the end all failures stop, and the promise is checked.

The history's number determines the actions, the failures and the order of the tasks. Each history first draws
its kinds of failure. So some histories have only crashes, some have only lost answers, and some have all
kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from faults import promise
from faults.promise import Final
from faults.runs import (
    delete_strays,
    delete_strays_some_time,
    find_strays,
    known_places,
    process_quietly,
    replaced_threads,
    send_due,
    sync,
    sync_some_time,
    work,
)
from faults.scheduler import Fault, Process, Task, drain
from faults.site import Site
from faults.weather import ADOPTING, ATTENDED, CONTENTS, DEMANDED, EPOCH, LONG_SECONDS
from hashing import expected_output
from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.leases import permit_removal, reopen, wish
from renditions.core.outbox import send_again
from renditions.core.ports import IfAbsent, IfMatch
from renditions.errors import CatalogLost
from renditions.model.recipe import Focus
from renditions.model.record import Record
from renditions.model.wishes import Wishes

ASKED = Ask(removal="asked")

Result = TypeVar("Result")


class History(Site):
    """A simulated history, which depends only on its number.

    ``run`` raises ``Broken`` if the promise doesn't hold.
    """

    def run(self) -> None:
        """Run the history, stop all failures, and check the result."""
        with replaced_threads(self.scheduler):
            self.scheduler.start(Process("people"), self._be_people)
            for _ in range(self.weather.queue_workers):
                self.start(partial(work, self))
            for _ in range(self.weather.syncs):
                self.start(partial(sync_some_time, self))
            self._go_on()
            if self.weather.loses_catalog:
                self.outsiders.lose_catalog()
                self._restart()
                self._go_on()
        self.calm_down()
        self.check()

    def _go_on(self) -> None:
        """Run all tasks to their end, with failures, and replace dead workers."""
        for task in drain(self.scheduler, self._choose_fault):
            if task.process.is_dead and task.process.owner not in self.dead:
                self.dead.add(task.process.owner)
                self.start(partial(work, self))

    def check(self) -> None:
        """Check the promise."""
        weather, outsiders = self.weather, self.outsiders
        may_stray = outsiders.was_restored or (self.was_moved and not weather.keeps_replaced)
        final = self._look()
        kept = promise.check(final, may_stray=may_stray)
        promise.check_removals(final, self.observer.removed)
        for record in kept:
            if not outsiders.was_restored:
                promise.check_kept(record, self.places[record.place])
        for place in self.places.values():
            if place is not self.place:
                promise.check_former(place, kept, may_stray=may_stray)
        if weather.adopts:
            promise.check_adopted(final, self.place)
        self._check_strays()
        promise.check(self._look(), may_stray=may_stray and not weather.deletes_strays)

    def _check_strays(self) -> None:
        """Check that strays are listed; in some histories, have a person delete them.

        Then run a last sync, because a picture may need the keys that are free now.
        """
        with replaced_threads(self.scheduler):
            for name in known_places(self):
                place, is_present = self.places[name], name == self.place.name
                listed = self._run(partial(find_strays, self, name))
                promise.check_strays(listed, place, is_present=is_present)
                if self.weather.deletes_strays:
                    self._run(partial(delete_strays, self, name))
                    left = place.strays(is_present=is_present)
                    promise.must("ours" not in left.values(), "strays of ours are left", name, left)
            self._sync_calmly()

    def process_quietly(self, name: str) -> None:
        """Process a picture, and ignore a failure."""
        process_quietly(self, name)

    def _look(self) -> Final:
        return Final(
            self.pipeline,
            self.source,
            self.place.store,
            self.catalog,
            self.observer.sent,
            self.place.foreign,
            self.outsiders.was_restored,
            self.observer.in_digests,
        )

    def calm_down(self) -> None:
        """Finish all tasks without failures, sync, and retry given-up pictures.

        The leases of dead workers expire. A person starts the syncs, so the syncs verify, retry and may
        remove pictures.
        """
        self.is_calm = True
        with replaced_threads(self.scheduler):
            self._drain()
            self.outsiders.show_source()
            if self.weather.moves:
                self.use_any()
            for _ in range(3):
                self.scheduler.now += LONG_SECONDS
                self._permit_removals()
                self._sync_calmly()
                if self.weather.outsider and self.weather.moves:
                    self._change_former_output()
                for record in list(self.catalog.list()):
                    if record.status == "failed":
                        reopen(self.catalog, record)

    def _sync_calmly(self) -> None:
        """Sync as a person does, and send the waiting notices.

        If the catalog was lost, check that the sync stops, and continue as its message says.
        """
        ask = ADOPTING if self.weather.adopts else ATTENDED
        send_again(self.catalog, self.catalog.unsent_notices(), EPOCH)
        if not promise.is_lost(self.pipeline, self.source, self.place):
            self._run(partial(sync, self, ask))
            self._send_digest()
            return
        before = self.place.contents()
        stopped = self._run(partial(self._is_stopped, ATTENDED))
        is_unchanged = not self.catalog.records and self.place.contents() == before
        promise.must(bool(stopped) and is_unchanged, "a sync with a lost catalog went on")
        self._run(partial(sync, self, ask, is_attended=ask.adopts, checks_loss=False))
        self._send_digest()

    def _send_digest(self) -> None:
        """Send the notices that wait for a digest, as ``notices --resend`` does."""
        if self.has_digests:
            send_again(self.catalog, self.catalog.unsent_notices(), EPOCH)
            self._run(lambda: send_due(self.make_processor()))

    def _change_former_output(self) -> None:
        """Have another program change something in each former output store."""
        for place in self.places.values():
            if place is not self.place:
                self.outsiders.change_output(place)

    def _is_stopped(self, ask: Ask) -> bool:
        try:
            sync(self, ask)
        except CatalogLost:
            return True
        return False

    def _run(self, body: Callable[[], Result]) -> Result:
        """Run a task alone to its end, and return its result."""
        results: list[Result] = []
        self.start(lambda: results.append(body()))
        self._drain()
        return results[0]

    def _permit_removals(self) -> None:
        """Allow the removal of every missing picture, as a person does."""
        until = EPOCH + timedelta(seconds=self.scheduler.now + LONG_SECONDS)
        for record in list(self.catalog.list()):
            if not (self.source.head(record.name) and self.pipeline.source.matches(record.name)):
                permit_removal(self.catalog, record, until)

    def _drain(self) -> None:
        for _ in drain(self.scheduler):
            pass

    def _be_people(self) -> None:
        """Act as people: change pictures, run commands, sometimes change the pipeline."""
        for _ in range(self.random.randint(2, 12)):
            self.scheduler.sleep(self.random.expovariate(1) * self.random.choice((0.01, 1.0, 100.0, 1000.0)))
            if self._be_outsiders():
                continue
            if self.random.random() < self.weather.changes:
                self.use_any()
                self.start(partial(sync_some_time, self))
                continue
            what = self.random.random()
            name = self.random.choice(self.names)
            if what < 0.6:
                self._change(name, what)
            elif what < 0.78:
                self.remove(name, self.random.choice((ALLOWED, ALLOWED, ALLOWED, ASKED)))
            elif what < 0.82:
                self.start(partial(sync_some_time, self))
            elif what < 0.9 and self.weather.deletes_strays:
                self.start(partial(delete_strays_some_time, self))
            elif record := self.catalog.get(name):
                self._ask_for(record)

    def _change(self, name: str, what: float) -> None:
        """Upload or replace a picture, rename it, or only touch it."""
        if what < 0.48:
            self.upload(name, self.random.choice(CONTENTS))
        elif what < 0.56:
            self.rename(name, self.random.choice(self.names))
        else:
            self.touch(name)

    def _be_outsiders(self) -> bool:
        """Act as another program, or do nothing; return whether an action was chosen.

        The workers don't know this program.
        """
        draw, weather, outsiders = self.random.random(), self.weather, self.outsiders
        if draw < weather.vanish:
            outsiders.change_source(self.names)
        elif self.in_progress:
            # An outsider could put a file under a key that a worker has just seen as free. If the worker then
            # claims the key and dies, it never sees the file. The documents state this exception, so no
            # history contains it.
            return False
        elif draw < weather.vanish + weather.outsider:
            if self.random.random() < 0.6:
                outsiders.change_output(self.random.choice([*self.places.values()]))
            else:
                self._add_foreign(self.random.choice(self.names))
        elif draw < weather.vanish + weather.outsider + weather.restore:
            self._change_catalog()
        else:
            return False
        return True

    def _add_foreign(self, name: str) -> None:
        """Have another program put a file under a key that a picture may need."""
        got = self.source.get(name)
        keys = self.pipeline.output_keys(name, got[0].etag if got else "none")
        recipes = self.pipeline.recipes()
        fresh = {key: expected_output(got[1], recipes[made]) for made, key in keys.items()} if got else {}
        place = self.random.choice([*self.places.values()]) if self.weather.moves else self.place
        self.outsiders.add_foreign(place, keys.values(), fresh)

    def _change_catalog(self) -> None:
        """Back up, restore or lose the catalog.

        If it was restored or lost, start every worker again.
        """
        if self.random.random() < 0.2:
            self.outsiders.lose_catalog()
        elif not self.outsiders.restore_catalog():
            return
        self._restart()

    def _restart(self) -> None:
        """Start every worker again, with another catalog.

        People run commands right after that.
        """
        self.restart()
        self.start(partial(sync_some_time, self, [1.0]))
        if self.weather.deletes_strays:
            self.start(partial(delete_strays_some_time, self, [1.0]))

    def _ask_for(self, record: Record) -> None:
        """Retry a picture, or set its focus and requested renditions, at random."""
        if self.random.random() < 0.5:
            reopen(self.catalog, record)
        else:
            focus = self.random.choice((None, Focus(x=10, y=20), Focus(x=30, y=40)))
            demanded = self.random.choice(DEMANDED)
            wish(self.catalog, record, Wishes(focus, demanded))
        self._hint(record.name)

    def upload(self, name: str, content: bytes) -> None:
        """Put or replace a picture."""
        there = self.source.head(name)
        stored = self.source.put(name, content, IfMatch(there.etag) if there else IfAbsent(), "image/jpeg")
        self.observer.see_source(name, stored.etag, content)
        self._hint(name)

    def rename(self, former: str, name: str) -> None:
        """Rename a picture.

        In a folder the old name disappears first. In a bucket both names exist for a moment.
        """
        got = self.source.get(former)
        if got is None or former == name:
            return
        steps = [partial(self.remove, former), partial(self.upload, name, got[1])]
        for step in steps if self.random.random() < 0.5 else reversed(steps):
            step()

    def touch(self, name: str) -> None:
        """Give a picture another ETag, and keep its content."""
        if got := self.source.get(name):
            self.source.touch(name)
            found = self.source.head(name)
            assert found
            self.observer.see_source(name, found.etag, got[1])
            self._hint(name)

    def remove(self, name: str, ask: Ask = ALLOWED) -> None:
        """Delete a picture, and send a hint about it.

        The hint says that the picture was deleted, or that a person wants its outputs deleted.
        """
        if there := self.source.head(name):
            self.source.delete(name, IfMatch(there.etag))
            self.observer.see_source(name, None)
            self._hint(name, ask)

    def _hint(self, name: str, ask: Ask = PLAIN) -> None:
        if self.random.random() < self.weather.lose_hint:
            return
        for _ in range(self.random.choice((1, 1, 2))):
            self.queue.send(name, self.random.choice((0.0, 0.5, 30.0)), ask)

    def _choose_fault(self, task: Task) -> Fault:
        draw, weather = self.random.random(), self.weather
        if self.random.random() < weather.oversleep:
            task.process.asleep_until = self.scheduler.now + self.random.choice((10.0, 400.0, 4000.0))
        for fault, often in (
            (Fault.DIE, weather.die / 2),
            (Fault.DIE_AFTER, weather.die / 2),
            (Fault.FAIL, weather.fail),
            (Fault.REFUSE, weather.refuse),
            (Fault.LOSE, weather.lose),
            (Fault.REPEAT, weather.repeat),
        ):
            if draw < often:
                return fault
            draw -= often
        return Fault.NONE
