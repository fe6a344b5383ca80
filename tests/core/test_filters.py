"""Notice targets that want notices about only some pictures or renditions."""

from __future__ import annotations

import pytest

from doubles import MemoryNotifier
from renditions.core.ask import ALLOWED
from renditions.core.process import Processor
from renditions.model.notify import Notify
from renditions.model.recipe import Rendition
from world import World, make_pipeline

EVENTS = ("done", "rejected", "failed", "removed")
LOG, EVENT_BUS = "log:", "events:default"
LARGE = Rendition(width=1200)
"""A rendition that can't be made of content that begins with "half"."""


def run(world: World, *entries: Notify) -> tuple[Processor, dict[str, MemoryNotifier]]:
    """Declare these entries; return a worker, and each target's notifier."""
    world.pipeline = make_pipeline(entries, thumb=Rendition(width=200), large=LARGE)
    got = {notify.to: MemoryNotifier() for notify in entries}
    return world.processor(notifiers={notify.target: got[notify.to] for notify in entries}), got


def told(notifier: MemoryNotifier) -> list[tuple[str, str]]:
    return [(notice.event, notice.name) for notice in notifier.sent]


def test_a_target_with_a_prefix_gets_only_notices_about_pictures_under_this_prefix() -> None:
    world = World()
    shop = Notify(on=EVENTS, to=LOG, prefix="shop/")
    processor, got = run(world, shop, Notify(on=EVENTS, to=EVENT_BUS))
    for name, content in (("shop/a.jpg", b"one"), ("shopper.jpg", b"one"), ("shop/b.jpg", b"bad")):
        world.upload(name, content)
        processor.process(name)
    for name in ("shop/a.jpg", "shopper.jpg"):
        world.remove(name)
        processor.process(name, ALLOWED)
    assert told(got[LOG]) == [("done", "shop/a.jpg"), ("rejected", "shop/b.jpg"), ("removed", "shop/a.jpg")]
    assert len(got[EVENT_BUS].sent) == 5


def test_several_entries_for_one_target_cause_only_one_notice_about_each_event() -> None:
    world = World()
    entries = [Notify(on=EVENTS, to=LOG, prefix=prefix) for prefix in ("a", "a/b", "c/")]
    processor, got = run(world, *entries)
    for name in ("a/b/1.jpg", "c/2.jpg", "d.jpg"):
        world.upload(name, b"one")
        processor.process(name)
    assert told(got[LOG]) == [("done", "a/b/1.jpg"), ("done", "c/2.jpg")]


@pytest.mark.parametrize(
    ("content", "thumb", "large"),
    [(b"one", ["done"], ["done"]), (b"half", [], ["rejected"]), (b"bad", ["rejected"], ["rejected"])],
)
def test_a_target_with_renditions_gets_only_notices_about_these_renditions(
    content: bytes, thumb: list[str], large: list[str]
) -> None:
    """If a picture is rejected as a whole, both targets get the notice."""
    world = World()
    of_thumb = Notify(on=EVENTS, to=LOG, renditions=("thumb",))
    of_large = Notify(on=EVENTS, to=EVENT_BUS, renditions=("large",))
    processor, got = run(world, of_thumb, of_large)
    world.upload("a.jpg", content)
    processor.process("a.jpg")
    assert [event for event, _ in told(got[LOG])] == thumb
    assert [event for event, _ in told(got[EVENT_BUS])] == large
