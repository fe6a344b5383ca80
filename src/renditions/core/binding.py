"""The binding of a catalog: it says which pipeline file may write to the catalog.

A process binds the catalog before a run, and checks the binding while it writes. A catalog belongs to one
pipeline file, one source and one generation of the file. A person, or a deployment, sets the generation;
every other process only follows it. A process that finds a newer generation stops writing:

    watch, old file     finish(record, generation 1)              take(record of generation 2) → Superseded
    sync, new file                        bind → 2, finish(record, generation 2)
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from renditions.core.catalog import Catalog
from renditions.errors import BindingRefused, CatalogTooNew, Conflict, Superseded
from renditions.model.binding import Binding, Held
from renditions.model.notices import UnsentNotice
from renditions.model.record import Record

SCHEMA = 1
"""The newest form of a binding that this version knows."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a process was started. This decides what it may change in the binding."""

    sets_generation: bool = False
    """Whether a person started the process to apply the pipeline file.

    Other processes follow the current generation, unless a newer deployment started them.
    """
    deployed_at: str = ""
    """When the bundle was deployed (ISO 8601); empty outside of deployments."""
    rebinds: bool = False
    """Whether the process may take over the catalog of another pipeline file or source.

    It may then also replace a generation that a deployment set.
    """
    takes_over: bool = False
    """Whether the process may replace a generation that a deployment set."""
    deletes_undeclared: bool = False
    """Whether the process may delete outputs of undeclared renditions that a reload kept."""


FOLLOWS = Start()


@dataclass(frozen=True, slots=True)
class Claimant:
    """A process that wants to work on a catalog, with its pipeline file and stores."""

    pipeline_file: str
    """The file's name, without its folder; empty if unknown."""
    source: str
    """The source store, spelled as in the file, or as in the environment variable that overrides it."""
    output: str
    """The output store, spelled like ``source``."""
    generation: str
    """See ``Pipeline.generation``."""
    start: Start = FOLLOWS
    former_patterns: str = ""
    """See ``Binding.former_patterns``."""


class Standing:
    """This process's right to write to the catalog.

    Threads may share one instance.
    """

    def __init__(self, catalog: Catalog, binding: Binding, claimant: Claimant) -> None:
        self._catalog = catalog
        self._binding = binding
        self._generation = claimant.generation
        self._output = claimant.output
        self._deletes_undeclared = claimant.start.deletes_undeclared
        self._lock = threading.Lock()

    @property
    def catalog_id(self) -> str:
        """The mark that this catalog's outputs carry."""
        return self._binding.catalog_id

    @property
    def number(self) -> int:
        """The number of the current generation, as far as this process knows."""
        return self._binding.generation_number

    @property
    def is_output_bound(self) -> bool:
        """Whether the catalog is bound to the pipeline's output store."""
        return self._binding.output == self._output

    @property
    def keeps_undeclared(self) -> bool:
        """Whether outputs of undeclared renditions must stay.

        They must stay if a reload of the pipeline file held their deletion back, and no person has allowed
        the deletion since.
        """
        return bool(self.held_renditions)

    @property
    def held_renditions(self) -> tuple[Held, ...]:
        """The held deletion of undeclared outputs, if there is one.

        The result is empty if this process may delete the outputs.
        """
        return () if self._deletes_undeclared else self._binding.held_renditions

    def check(self, record: Record | None) -> None:
        """Read the binding again if a newer generation wrote the record.

        Raises:
            Superseded: The current generation isn't this process's generation, or the binding is gone.

        """
        if record and record.generation > self.number:
            self.refresh()

    def refresh(self) -> Binding:
        """Read the binding again, and return it.

        Raises:
            Superseded: The current generation isn't this process's generation, or the binding is gone.

        """
        binding = self._catalog.read_binding()
        if binding is None:
            raise Superseded(
                "The catalog no longer says which pipeline file it belongs to: it was emptied or replaced. "
                "This process stopped writing. Put the catalog back and start the process again, or run "
                "renditions sync to begin a new catalog"
            )
        if binding.generation != self._generation:
            raise Superseded(
                "The catalog now uses another version of the pipeline file, so this process stopped "
                "writing. To apply this process's version, run renditions sync (or deploy)"
            )
        with self._lock:
            self._binding = binding
        return binding


def bind(catalog: Catalog, claimant: Claimant) -> Binding:
    """Bind the catalog to the claimant's pipeline file, and return the binding.

    A catalog without a binding (a new catalog, or a catalog of version 0.1) gets the claimant's binding.

    Raises:
        BindingRefused: The catalog belongs to another pipeline file, source or deployment.
        Superseded: The catalog uses another generation, and neither a person nor a newer deployment started
            the claimant to set its own.
        CatalogTooNew: A newer version wrote the binding.
    """
    while True:
        known = catalog.read_binding()
        wanted = _agree(known, claimant)
        if wanted == known:
            return wanted
        try:
            return catalog.write_binding(wanted)
        except Conflict:
            continue  # another process bound it meanwhile: compare again


def check_binding(catalog: Catalog, claimant: Claimant) -> Binding | None:
    """Raise the error that :func:`bind` would raise, and change nothing.

    Return the present binding.
    """
    known = catalog.read_binding()
    _agree(known, claimant)
    return known


def _agree(known: Binding | None, claimant: Claimant) -> Binding:
    if known is None:
        return Binding(
            catalog_id=uuid.uuid4().hex,
            pipeline_file=claimant.pipeline_file,
            source=claimant.source,
            output=claimant.output,
            generation=claimant.generation,
            deployed_at=claimant.start.deployed_at,
            is_deployed=bool(claimant.start.deployed_at),
            former_patterns=claimant.former_patterns,
        )
    if known.schema > SCHEMA:
        raise CatalogTooNew(
            "This catalog can't be used: a newer version of Renditions wrote it. Upgrade Renditions here"
        )
    wanted = _agree_on_file(known, claimant)
    if known.former_patterns is None:
        wanted = replace(wanted, former_patterns=claimant.former_patterns)
    if claimant.generation == known.generation:
        if claimant.start.deployed_at > known.deployed_at:
            wanted = replace(wanted, deployed_at=claimant.start.deployed_at, is_deployed=True)
    else:
        wanted = _agree_on_generation(wanted, claimant)
    if claimant.output != known.output and claimant.start.sets_generation:
        former = dict.fromkeys((*known.former_outputs, known.output))
        former.pop(claimant.output, None)
        wanted = replace(wanted, output=claimant.output, former_outputs=tuple(former))
    return wanted


def _agree_on_file(known: Binding, claimant: Claimant) -> Binding:
    for what, old, new in (
        ("pipeline file", known.pipeline_file, claimant.pipeline_file),
        ("source", known.source, claimant.source),
    ):
        if old and new and old != new and not claimant.start.rebinds:
            raise BindingRefused(
                f"This catalog belongs to the {what} {old!r}, not to {new!r}. Give each pipeline file a "
                "catalog of its own ([catalog] store), or run renditions sync --rebind to use this one for "
                f"{new!r}"
            )
    file = claimant.pipeline_file or known.pipeline_file
    is_marked = known.is_source_marked and known.source == claimant.source
    return replace(known, pipeline_file=file, source=claimant.source, is_source_marked=is_marked)


def _agree_on_generation(known: Binding, claimant: Claimant) -> Binding:
    is_newer_deployment = claimant.start.deployed_at > known.deployed_at
    if not (is_newer_deployment or claimant.start.sets_generation):
        raise Superseded(
            "This catalog uses another version of the pipeline file. Run renditions sync (or deploy) to "
            "apply this one"
        )
    may_replace = is_newer_deployment or claimant.start.takes_over or claimant.start.rebinds
    if known.is_deployed and not may_replace:
        raise BindingRefused(
            f"A deployment set the pipeline of this catalog at {known.deployed_at}, and this file differs "
            "from it. Run renditions deploy, or renditions sync --take-over to replace it from here"
        )
    return replace(
        known,
        generation=claimant.generation,
        generation_number=known.generation_number + 1,
        # A person's take-over keeps the time: a function deployed before it must not undo it.
        deployed_at=max(claimant.start.deployed_at, known.deployed_at),
        is_deployed=is_newer_deployment,
        former_patterns=claimant.former_patterns,
    )


def hold(
    catalog: Catalog, held: Sequence[Held], targets: Collection[str] = (), *, is_attended: bool = False
) -> list[UnsentNotice]:
    """Store the work that a full run held back; return notices about newly held work.

    The catalog keeps the notices before it stores the work. So a crash between the two writes loses no
    notice.

    Args:
        catalog: The catalog whose binding keeps the held work.
        held: All work that the run held back. It replaces the held work in the binding.
        targets: The targets that get notices.
        is_attended: Whether a person started the run. Otherwise, the binding also keeps the held deletions of
            undeclared outputs.
    """
    notices: list[UnsentNotice] = []

    def change(known: Binding) -> Binding:
        since = {each.what: each.since for each in known.held}
        kept = () if is_attended else known.held_renditions
        all_held = {each.what: each for each in (*kept, *held)}.values()
        notices[:] = [
            UnsentNotice(each.event, target, "", each.since, each.since)
            for each in all_held
            if each.what not in since
            for target in sorted(targets)
        ]
        for notice in notices:
            catalog.keep_notice(notice)
        return replace(
            known, held=tuple(replace(each, since=since.get(each.what, each.since)) for each in all_held)
        )

    amend(catalog, change)
    return notices


def amend(catalog: Catalog, change: Callable[[Binding], Binding]) -> Binding | None:
    """Change the catalog's binding and return it; None if the catalog has none.

    ``change`` gets the current binding, and returns the binding to store. This function calls it again if
    another process writes the binding meanwhile.
    """
    while known := catalog.read_binding():
        changed = change(known)
        if changed == known:
            return known
        try:
            return catalog.write_binding(changed)
        except Conflict:
            continue  # another process wrote the binding meanwhile: change the newer one
    return None
