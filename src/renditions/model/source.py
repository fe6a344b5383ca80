"""The table ``[source]`` of a pipeline file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from renditions.model.backends import STORES, spell_forms
from renditions.model.fields import (
    Default,
    ExcludePattern,
    MatchPattern,
    NotEmpty,
    Percent,
    Range,
    Seconds,
    SecondsOrNone,
    StoreUrl,
    hash_of,
)
from renditions.model.patterns import DEFAULT_EXCLUDE, DEFAULT_MATCH, FORMER_DEFAULTS, Patterns

STORE_FORMS = f"Where: {spell_forms(STORES)}. A relative folder starts at the folder of the pipeline file."
"""The description, for people, of a field that names a store."""

OnDelete = Literal["remove", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxRemovals:
    """The limits on how many missing pictures a run removes.

    If more pictures are missing than both limits allow, the run removes none.
    """

    pictures: Annotated[
        Annotated[int, Range(0, 1_000_000_000)],
        "Up to this many missing pictures are within the limits, even if they exceed the share.",
    ] = 50
    percent: Annotated[
        Percent, "Missing pictures are within the limits up to this share of the catalog, in percent."
    ] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source: where the pictures are, and which objects are pictures."""

    store: Annotated[StoreUrl, STORE_FORMS]
    match: Annotated[
        tuple[MatchPattern, ...] | None,
        NotEmpty(),
        Default(DEFAULT_MATCH),
        "Shell patterns for the keys of pictures. Case doesn't matter, and * also matches slashes. "
        "Names that start with a dot never match.",
    ] = None
    exclude: Annotated[
        tuple[ExcludePattern, ...] | None,
        Default(DEFAULT_EXCLUDE),
        "Shell patterns for files and folders to leave out; a pattern for folders ends with a slash. Case "
        "doesn't matter. A pattern with a slash before its end is compared with the whole path.",
    ] = None
    settle: Annotated[
        Seconds,
        Default("1 s"),
        "How long a file in a folder must stay unchanged before it is read, since a program may still be "
        "copying it.",
    ] = 1.0
    poll: Annotated[
        Seconds,
        Default("30 s"),
        "How often watch and serve check a folder on a mount that doesn't report every change, such as NFS, "
        "SMB or FUSE.",
    ] = 30.0
    read_only: Annotated[
        bool,
        "Whether Renditions never writes or deletes anything in the source: no uploads, deletions or marker.",
    ] = False
    keep_deleted: Annotated[
        SecondsOrNone,
        Default("30 d"),
        "How long the bin keeps a picture that a person deletes on the page or by the API, so that it can be "
        'restored. "0 s" deletes at once. A bucket without versions has no bin.',
    ] = 30 * 86_400.0
    on_delete: Annotated[
        OnDelete,
        "What happens to the renditions of a picture that is gone from the source: remove deletes them and "
        "the record, keep leaves both.",
    ] = "remove"
    max_removals: Annotated[
        MaxRemovals,
        "How many missing pictures are removed without permission. More removals wait for --allow-removals.",
    ] = MaxRemovals()

    @property
    def patterns(self) -> Patterns:
        """The patterns that decide which keys are pictures: the file's, or the defaults."""
        return Patterns(
            DEFAULT_MATCH if self.match is None else self.match,
            DEFAULT_EXCLUDE if self.exclude is None else self.exclude,
        )

    @property
    def pattern_fingerprint(self) -> str:
        """A hash over the patterns in the file."""
        return hash_of([self.match, self.exclude])

    def with_former_defaults(self) -> Source:
        """Return the same source with the default patterns of version 0.1.

        Call this method only for a source that declares no ``exclude``.
        """
        match = FORMER_DEFAULTS.match if self.match is None else self.match
        return replace(self, match=match, exclude=FORMER_DEFAULTS.exclude)

    def matches(self, key: str) -> bool:
        """Return whether an object with this key is a picture of this pipeline."""
        return self.patterns.why_not(key) is None
