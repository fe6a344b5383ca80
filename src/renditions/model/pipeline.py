"""The pipeline file as frozen dataclasses, and the values computed from it.

These classes, and the classes of their fields such as ``Source`` and ``Rendition``, are the only description
of the file. The annotations of the fields give their ranges, and sentences for people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal

from renditions.model.catalog_place import CatalogPlace
from renditions.model.families import find_members
from renditions.model.fields import (
    AspectRatio,
    ByteCount,
    NotEmpty,
    PixelCount,
    Range,
    Side,
    declared_in,
    hash_of,
)
from renditions.model.formats import DEFAULT_SOURCES, WITH_TEXT, SourceName
from renditions.model.keys import OF_CONTENT, template_values, version_of
from renditions.model.notify import Notify
from renditions.model.output_place import NOT_OF_THE_OUTPUTS, OutputPlace
from renditions.model.recipe import Rendition
from renditions.model.revisions import (
    MACHINE_FONTS,
    Revision,
    newest_engine,
    numbers_of,
    revisions_of,
    revisions_of_any,
)
from renditions.model.source import Source
from renditions.model.wishes import NO_WISHES, Wishes

Damaged = Literal["reject", "lenient"]
Confine = Literal["require", "best", "none"]
Fonts = Literal["bundled", "system"]
Placeholder = Literal["none", "thumbhash", "blurhash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """The rules that a picture must follow.

    Renditions rejects a picture that breaks a rule, and gives the reason.
    """

    formats: Annotated[
        tuple[SourceName, ...],
        NotEmpty(),
        "The formats that are accepted, identified by content, never by name. Add svg, pdf and dicom to "
        "accept them.",
    ] = DEFAULT_SOURCES
    max_bytes: Annotated[ByteCount, 'The largest file, in bytes or as "50 MB".'] = 50_000_000
    max_pixels: Annotated[
        PixelCount, 'The most pixels, over all frames and pages that are decoded, as a number or as "100 MP".'
    ] = 100_000_000
    min_width: Annotated[Side | None, "The smallest width as displayed, in pixels."] = None
    min_height: Annotated[Side | None, "The smallest height as displayed, in pixels."] = None
    max_width: Annotated[Side | None, "The largest width as displayed, in pixels."] = None
    max_height: Annotated[Side | None, "The largest height as displayed, in pixels."] = None
    min_aspect_ratio: Annotated[
        AspectRatio | None,
        'The smallest aspect ratio: the displayed width divided by the height, as a number or as "16:9".',
    ] = None
    max_aspect_ratio: Annotated[
        AspectRatio | None,
        'The largest aspect ratio: the displayed width divided by the height, as a number or as "16:9".',
    ] = None
    min_sharpness: Annotated[
        Annotated[float, Range(0, 100_000)] | None,
        "The least sharpness: the variance of the Laplacian, see [analyze].",
    ] = None
    animation: Annotated[bool, "Whether animated pictures are accepted."] = True
    damaged: Annotated[
        Damaged,
        "What happens to a damaged picture. reject: the picture is rejected. lenient: renditions show what "
        "can be decoded, with a warning.",
    ] = "reject"
    fonts: Annotated[
        Fonts,
        "The fonts for the text of an SVG, and of a PDF that lacks fonts. bundled: the same on every "
        "machine. system: those of the machine, so outputs can differ between machines.",
    ] = "bundled"
    burned_in_annotation: Annotated[
        bool,
        "Whether DICOM files are accepted if BurnedInAnnotation says that their pixels identify the patient.",
    ] = False

    def fingerprint(self) -> str:
        """Return a hash over the rules.

        When it changes, Renditions checks every picture again.
        """
        return hash_of(declared_in(self))

    @property
    def needs_header(self) -> bool:
        """Whether a rule needs the picture's header even if nothing is decoded.

        ``max_pixels`` doesn't, because it limits only what is decoded.
        """
        about_the_file = {"formats", "max_bytes", "max_pixels", "damaged", "fonts"}
        return not declared_in(self).keys() <= about_the_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyze:
    """The analysis of each picture, kept in its record."""

    exif: Annotated[bool, "Record camera, lens, time and exposure from EXIF."] = False
    position: Annotated[bool, "Record where the picture was taken, from EXIF's GPS data."] = False
    colours: Annotated[
        Annotated[int, Range(1, 10)] | None,
        "How many dominant colours to record at most, each as #rrggbb with its share of the pixels.",
    ] = None
    placeholder: Annotated[
        Placeholder, "Record a blurred preview of about 30 bytes, to show while the picture loads."
    ] = "none"
    perceptual_hash: Annotated[
        bool,
        "Record a perceptual hash (pHash): 64 bits in hexadecimal that differ little between pictures that "
        "look alike.",
    ] = False
    sharpness: Annotated[
        bool,
        "Record the sharpness: the variance of the Laplacian of the luminance, measured at no more than 512 "
        "pixels on a side. Sharp photos have some hundreds, blurred ones less than 100.",
    ] = False
    transparency: Annotated[bool, "Record whether any pixel is transparent."] = False
    alt_text: Annotated[
        bool,
        "Record the text for people who can't see the picture: the alternative text in XMP, or else the "
        "caption in XMP or IPTC.",
    ] = False

    @property
    def is_wanted(self) -> bool:
        """Whether any analysis is declared."""
        return bool(declared_in(self))


NO_ANALYSIS = Analyze()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits for processing one picture."""

    seconds: Annotated[
        Annotated[int, Range(1, 900)], "How long decoding and rendering one picture may take, in seconds."
    ] = 60
    memory: Annotated[
        ByteCount,
        'How much memory the process that decodes and renders one picture may hold, in bytes or as "2 GB".',
    ] = 2_000_000_000
    pages: Annotated[Annotated[int, Range(1, 100_000)], "How many pages of one document may be decoded."] = 50
    frames: Annotated[
        Annotated[int, Range(1, 100_000)], "How many frames of one animation may be decoded."
    ] = 1000
    confine: Annotated[
        Confine,
        "How the worker processes are confined. best: by every protection that the system has. require: the "
        "same, but nothing is rendered if the system lacks a protection. none: not at all.",
    ] = "best"


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A whole pipeline file."""

    source: Source
    output: OutputPlace
    renditions: Annotated[Mapping[str, Rendition], NotEmpty()]
    accept: Accept = field(default_factory=Accept)
    analyze: Analyze = NO_ANALYSIS
    limits: Limits = field(default_factory=Limits)
    catalog: CatalogPlace = field(default_factory=CatalogPlace)
    notify: tuple[Notify, ...] = ()

    @cached_property
    def _key_templates(self) -> Mapping[str, str]:
        return {name: rendition.key_template(name) for name, rendition in self.renditions.items()}

    @cached_property
    def _fingerprints(self) -> dict[tuple[str | None, int | None], Mapping[str, str]]:
        """Results of :meth:`fingerprints` without wishes, by source format and engine."""
        return {}

    @cached_property
    def generation(self) -> str:
        """A fingerprint of the file without its places, and of the engine.

        The source store, the fields of ``[output]`` in ``NOT_OF_THE_OUTPUTS``, ``[catalog]`` and
        ``[[notify]]`` don't count. The fingerprint depends on the contents of ``source:KEY`` attachments, so
        read those contents first; otherwise this raises ``ValueError``.
        """
        source, output = declared_in(self.source), declared_in(self.output)
        declared = {
            "engine": self.output.engine or newest_engine(),
            "source": {name: source[name] for name in source if name != "store"},
            "output": {name: output[name] for name in output if name not in NOT_OF_THE_OUTPUTS},
            "renditions": {name: [recipe.key, recipe] for name, recipe in self.renditions.items()},
        }
        return hash_of([declared, self.accept, self.analyze, self.limits])

    @cached_property
    def rules(self) -> str:
        """The fingerprint of ``[accept]``, ``[analyze]`` and ``[limits]``.

        The time limit doesn't count: only a few pictures need more time, and ``renditions retry`` tries them
        again. How workers are confined doesn't count, and fields at their default don't count either.
        """
        accept, analyze = self.accept.fingerprint(), declared_in(self.analyze)
        limits = declared_in(self.limits)
        limits = {name: limits[name] for name in limits if name not in ("seconds", "confine")}
        more = [declared for declared in (analyze, limits) if declared]
        return hash_of([accept, *more]) if more else accept

    def find_targets(self, event: str, name: str, affected: Collection[str] | None = None) -> tuple[str, ...]:
        """Return the notice targets that get a notice of this event about this picture.

        Args:
            event: The event.
            name: The picture.
            affected: The renditions that the event is about; None: all of them.

        """
        found = [notify.target for notify in self.notify if self._concerns(notify, event, name, affected)]
        return tuple(dict.fromkeys(found))

    def _concerns(self, notify: Notify, event: str, name: str, affected: Collection[str] | None) -> bool:
        if not notify.wants(event, name) or affected is None or not notify.renditions:
            return notify.wants(event, name)
        return not find_members(self.renditions, notify.renditions).isdisjoint(affected)

    def spell_target(self, target: str) -> str:
        """Return a notice target for people, see ``Notify.spelled``.

        ``target`` is ``Notify.target``.
        """
        found = (notify.spelled for notify in self.notify if notify.target == target)
        return next(found, "a target that is no longer declared")

    def recipes(self, wishes: Wishes = NO_WISHES) -> Mapping[str, Rendition]:
        """Return the recipe of each rendition that a picture with these wishes must have."""
        return {
            name: rendition.focused_on(wishes.focus)
            for name, rendition in self.renditions.items()
            if not rendition.on_demand or name in wishes.demanded
        }

    def fingerprints(
        self, wishes: Wishes = NO_WISHES, source_format: str | None = None, engine: int | None = None
    ) -> Mapping[str, str]:
        """Return the fingerprint of each recipe of :meth:`recipes`, by rendition.

        Args:
            wishes: The clients' wishes for the picture.
            source_format: The picture's format; None if it wasn't read yet.
            engine: The number of the last revision that counts; None if all count.

        """
        known = self._fingerprints if wishes == NO_WISHES else {}
        asked = source_format, engine
        if asked not in known:
            known[asked] = {
                name: self._fingerprint(recipe, revisions_of(recipe, source_format), engine, source_format)
                for name, recipe in self.recipes(wishes).items()
            }
        return known[asked]

    def _fingerprint(
        self, recipe: Rendition, revisions: Sequence[Revision], engine: int | None, *formats: str | None
    ) -> str:
        """Return a recipe's fingerprint for pictures of any of these formats."""
        numbers = numbers_of(revisions, engine)
        if self.accept.fonts == "system" and recipe.needs_pixels and not WITH_TEXT.isdisjoint(formats):
            numbers.append(MACHINE_FONTS)
        return recipe.fingerprint(numbers)

    def revisions_since(
        self, fingerprint: str, rendition: str, wishes: Wishes, source_format: str | None
    ) -> tuple[Revision, ...] | None:
        """Return the engine's revisions that affect an output and are newer than it.

        ``fingerprint`` is the output's fingerprint. Revisions after ``[output] engine`` are left out. Return
        None if another recipe made the output.
        """
        if fingerprint == self.fingerprints(wishes, source_format)[rendition]:
            return ()
        recipe = self.recipes(wishes)[rendition]
        depends_on = revisions_of(recipe, source_format)
        for known in range(len(depends_on)):
            if fingerprint == self._fingerprint(recipe, depends_on[:known], None, source_format):
                counted = numbers_of(depends_on, self.output.engine)
                return tuple(each for each in depends_on[known:] if each.number in counted)
        return None

    @cached_property
    def needs_content(self) -> bool:
        """Whether an output key is known only after reading the picture's content."""
        fields = [f"{{{field}}}" for field in OF_CONTENT]
        return any(field in template for template in self._key_templates.values() for field in fields)

    def output_keys(
        self, name: str, etag: str, wishes: Wishes = NO_WISHES, sha256: str = ""
    ) -> dict[str, str]:
        """Return each recipe's output key for the picture of this name and ETag.

        See :meth:`recipes`. Without the content's SHA-256, some keys may not be known: see ``is_known``.
        """
        values = template_values(name, etag, sha256)
        if not self.needs_content:
            wanted = self.fingerprints() if wishes == NO_WISHES else self.recipes(wishes)
            return {rendition: self._key_templates[rendition].format_map(values) for rendition in wanted}
        keys = {}
        for rendition, recipe in self.recipes(wishes).items():
            # The worker claims keys before it knows the picture's format, so every format's revisions count.
            revisions, formats = revisions_of_any(recipe), self.accept.formats
            fingerprint = self._fingerprint(recipe, revisions, self.output.engine, *formats)
            version = version_of(fingerprint, sha256)
            keys[rendition] = self._key_templates[rendition].format(**values, version=version)
        return keys

    def goal_of(
        self,
        name: str,
        etag: str,
        wishes: Wishes = NO_WISHES,
        source_format: str | None = None,
        sha256: str = "",
    ) -> str:
        """Return a fingerprint of all that must be made from this version of the picture."""
        fingerprints = self.fingerprints(wishes, source_format, self.output.engine)
        keys = self.output_keys(name, etag, wishes, sha256)
        wanted = [(rendition, key, fingerprints[rendition]) for rendition, key in keys.items()]
        return hash_of([etag, self.rules, wanted])
