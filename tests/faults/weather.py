"""The values that a history can draw.

These are pictures, pipelines, notice targets, and probabilities of failures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from random import Random

from renditions.core.ask import Ask
from renditions.model.families import expand
from renditions.model.folding import EXACT, Folding
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Analyze, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.source import MaxRemovals, Source
from world import LOG, make_pipeline

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a/1.jpg", "a/2.jpg", "b/1.jpg", "c.jpg", "d.png")
MEETING_NAMES = ("a/1.jpg", "A/1.jpg", "\u00e9.png", "e\u0301.png", "c.jpg")
"""Names for a store that may ignore case or the form of Unicode.

If the store ignores case, the first two name one file. If it ignores the form of Unicode, the next two do.
"""
FOLDINGS = (Folding(ignores_case=True), Folding(ignores_form=True), Folding(True, True))
PLACES = ("out", "elsewhere")
"""The output stores that a pipeline may name."""
CONTENTS = (b"one", b"two", b"bad", b"half", b"one that is longer")
FOREIGN = {"a/0.jpg": b"foreign", "z": b"another's"}
"""Objects in the output stores that aren't ours."""


def _declare(**tables: Rendition) -> Pipeline:
    """Return a pipeline with the renditions that these tables declare."""
    members = {name: each for table in tables for name, each in expand(table, tables[table]).items()}
    return make_pipeline((), **members)


_KEPT = OutputPlace(store="out", keep_replaced=3600.0)
_CACHED = OutputPlace(store="out", cache_control="max-age=60")
_ON_DEMAND = Rendition(width=50, on_demand=True)
_WIDE = Rendition(width=1200)
PIPELINES = (
    make_pipeline(),
    make_pipeline(thumb=Rendition(width=100), large=_WIDE),
    make_pipeline(thumb=Rendition(width=200), large=Rendition(width=900), extra=Rendition(width=50)),
    make_pipeline(thumb=Rendition(width=200, key="thumb_{name}"), large=_WIDE),
    make_pipeline(thumb=Rendition(width=200, key="{dir}{name}/Thumb.jpg"), large=_WIDE),
    make_pipeline(thumb=Rendition(width=200), large=Rendition(width=1200, key="{dir}{name}/THUMB.jpg")),
    make_pipeline(thumb=Rendition(width=200, key="{etag}/{dir}{name}")),
    make_pipeline(thumb=Rendition(width=9, height=9, fit="cover", gravity="focus"), extra=_ON_DEMAND),
    make_pipeline(large=Rendition(width=1200, key="{stem}.jpg")),
    _declare(photo=Rendition(widths=(200, 350, 900))),
    _declare(photo=Rendition(widths=(350, 900, 1200)), thumb=Rendition(width=200)),
    _declare(photo=Rendition(widths=(200, 900), key="{stem}-{width}", enlarge=True)),
    _declare(extra=Rendition(widths=(50, 350, 900), on_demand=True), large=_WIDE),
    replace(make_pipeline(), accept=Accept(max_bytes=5)),
    replace(make_pipeline(), analyze=Analyze(transparency=True)),
    replace(make_pipeline(), source=Source(store="in", match=("a/*", "*.png"))),
    replace(make_pipeline(), output=_CACHED),
    replace(make_pipeline(thumb=Rendition(width=100), large=_WIDE), output=_CACHED),
    replace(make_pipeline(), output=_KEPT),
    replace(make_pipeline(thumb=Rendition(width=9, key="{etag}/{name}")), output=_KEPT),
    Pipeline(
        source=Source(store="in"),
        output=OutputPlace(store="out"),
        renditions={"same": Rendition(width=9, key="{stem}"), "thumb": Rendition(width=200, key="{name}")},
    ),
)
DEMANDED = ((), ("extra",), ("extra-900",), ("extra-50", "extra-900"))
"""The renditions on demand that a client requests."""
RESPELLING = (0, 4)
"""The numbers of two pipelines that give a picture keys which differ only in case."""

NOTIFY = (
    (),
    (LOG,),
    (Notify(on=("rejected", "failed"), to="log:"),),
    (Notify(on=("done", "removed"), to="log:"),),
    (LOG, Notify(on=("done",), to="sns:arn:aws:sns:eu-west-1:123456789012:done")),
)
"""A whole history uses one of these, because a changed target doesn't cause a second notice."""

DIGESTS = 0.6
"""How likely the targets of a history may have digests, and may be slow or away."""
PERIODS = (1.0, 30.0, 600.0)
"""How long a target collects notices, in seconds."""
AWAY = (0.0, 0.0, 0.0, 3000.0)
"""For how many seconds from the beginning the targets don't answer."""
SLOW = (0.0, 10.0, 600.0)
"""How long a target may take to answer, in seconds."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a history changes in each of its pipelines."""

    notify: tuple[Notify, ...] = ()
    place: str = "out"
    """The output store."""
    keeps_replaced: bool = False
    keeps_deleted: bool = False
    """Whether ``on_delete`` is ``keep``."""


@cache
def ready(number: int, changes: Changes) -> Pipeline:
    """Return a pipeline with these changes.

    The same changes give the same object, so fingerprints are computed once.
    """
    pipeline = PIPELINES[number]
    output = replace(pipeline.output, store=changes.place)
    if changes.keeps_replaced:
        output = replace(output, keep_replaced=3600.0)
    source = replace(pipeline.source, on_delete="keep" if changes.keeps_deleted else "remove")
    return replace(pipeline, notify=changes.notify, source=source, output=output)


WRONG_SECONDS = 4000.0
"""How many seconds a wrong clock is off at most."""

LIMITS = MaxRemovals(pictures=0, percent=40.0)
"""The limits on removals because of a listing. They suit the few pictures of a history."""

ATTENDED = Ask(verify="quick", is_retry=True)
ADOPTING = replace(ATTENDED, adopts=True)

LONG_SECONDS = 3 * 3600.0
"""A time longer than any lease, any pause of a failed picture, and any clock error."""


@dataclass(frozen=True, slots=True)
class Weather:
    """The probability of each failure, and the properties of the machines.

    The probabilities from ``die`` to ``oversleep`` are for one I/O call, and ``lose_hint`` is for one hint.
    """

    die: float
    fail: float
    refuse: float
    lose: float
    repeat: float
    oversleep: float
    lose_hint: float
    lag_seconds: float
    skew_seconds: float
    knows_dead: bool
    """Whether workers can see which other workers are dead, as on one machine."""
    queue_workers: int
    syncs: int
    """The number of syncs that run besides those that people start."""
    outsider: float
    """The probability that the next action is an outsider's."""
    vanish: float
    """The probability that the source hides or shows pictures, or that its listings begin to lag."""
    restore: float
    """The probability that the catalog is backed up, restored or lost."""
    loses_catalog: bool
    """Whether the catalog is lost in the end."""
    changes: float
    """The probability that a person changes the pipeline."""
    folding: Folding
    """How the output stores compare keys."""
    moves: bool
    """Whether people change the output store."""
    keeps_replaced: bool
    """Whether every pipeline keeps what it replaces for a while."""
    keeps_deleted: float
    """The probability that a pipeline keeps the outputs of deleted pictures."""
    adopts: bool
    """Whether people adopt outputs, at the end too."""
    deletes_strays: bool
    """Whether people delete strays, at the end too."""
    counts_versions: bool
    """Whether an ETag is the number of a picture's version, so that different pictures have equal ETags."""
    has_neighbour: bool
    """Whether another catalog uses the output stores."""

    @classmethod
    def draw(cls, random: Random) -> Weather:
        """Draw and return the failures of a history.

        Each kind of failure is missing in many histories.
        """

        def maybe(*values: float) -> float:
            return random.choice((0.0,) * len(values) + values)

        knows_dead = random.random() < 0.3
        weather = cls(
            die=maybe(0.004, 0.03),
            fail=maybe(0.01, 0.1),
            refuse=maybe(0.002, 0.01),
            lose=maybe(0.01, 0.05),
            repeat=maybe(0.02, 0.1),
            oversleep=maybe(0.005, 0.03),
            lose_hint=maybe(0.1, 0.5),
            lag_seconds=maybe(1.0, 60.0),
            skew_seconds=maybe(1.0, 25.0),
            knows_dead=knows_dead,
            queue_workers=random.randint(1, 3),
            syncs=random.randint(0, 2),
            outsider=maybe(0.2),
            vanish=random.choice((0.0, 0.0, 0.3)),
            restore=random.choice((0.0, 0.0, 0.0, 0.2)),
            loses_catalog=random.random() < 0.1,
            changes=random.choice((0.1, 0.1, 0.3)),
            folding=random.choice((EXACT,) * 6 + FOLDINGS),
            moves=random.random() < 0.3,
            keeps_replaced=random.random() < 0.3,
            keeps_deleted=random.choice((0.0, 0.0, 0.0, 0.5, 1.0)),
            adopts=random.random() < 0.3,
            deletes_strays=random.random() < 0.3,
            has_neighbour=random.random() < 0.3,
            counts_versions=random.random() < 0.5,
        )
        if weather.loses_catalog and random.random() < 0.5:
            # One person adopts outputs while another deletes them as strays. Without outsiders, the observer
            # knows what each output must be.
            weather = replace(weather, adopts=True, deletes_strays=True, outsider=0.0, restore=0.0)
        if random.random() < 0.15:
            return replace(weather, die=0.0, fail=0.0, refuse=0.0, lose=0.0, skew_seconds=WRONG_SECONDS)
        return weather

    def names(self, random: Random) -> list[str]:
        """Draw and return the names of the history's pictures."""
        if self.folding == EXACT:
            return random.sample(NAMES, random.choice((1, 2, 5)))
        return random.choice(([*MEETING_NAMES], [*MEETING_NAMES[:2]], [*MEETING_NAMES[2:4]]))
