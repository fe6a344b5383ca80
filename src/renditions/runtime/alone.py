"""Render one picture alone, without an output store, a catalog or a lease.

Only a watermark picture in the source is read from a store.
``renditions.render`` and ``renditions try`` both call :func:`render_alone`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from renditions.core.ports import Renderer
from renditions.core.refusals import refuse_size
from renditions.errors import NotAccepted, UsageError
from renditions.model.families import among, find_members
from renditions.model.original import Original
from renditions.model.pipeline import NO_ANALYSIS, Accept, Analyze, Limits
from renditions.model.reason import Reason, to_rejection
from renditions.model.recipe import Rendition
from renditions.model.registry import Shared
from renditions.model.rendering import Rendered
from renditions.model.warning import PictureWarning
from renditions.pipeline_file.attachments import attach
from renditions.pipeline_file.reading import LoadedPipeline, check_recipes
from renditions.runtime.stores import open_source


@dataclass(frozen=True, slots=True)
class Recipes:
    """The renditions to make from a picture, and the rules that it must pass."""

    renditions: Mapping[str, Rendition]
    accept: Accept = field(default_factory=Accept)
    analyze: Analyze = NO_ANALYSIS
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, loaded: LoadedPipeline) -> Recipes:
        """Return the renditions, rules and limits that a pipeline declares.

        If a recipe names a watermark picture in the source, this method reads that picture.

        Raises:
            UsageError: The source can't be opened or has no such picture, or it can't be a watermark.
            StoreFailed: The source can't be read.

        """
        pipeline = loaded.pipeline
        if _needs_source(pipeline.renditions):
            pipeline = attach(pipeline, open_source(pipeline, loaded.directory, Shared()))
        return cls(pipeline.renditions, pipeline.accept, pipeline.analyze, pipeline.limits)

    @classmethod
    def check(cls, tables: Mapping[str, Any], directory: Path) -> Recipes:
        """Return the recipes of these tables, with the default rules.

        Raises:
            PipelineError: The tables have problems.
            UsageError: A watermark names a picture of a source, and there is no source.

        """
        renditions = check_recipes(tables, directory)
        if _needs_source(renditions):
            raise UsageError(
                "without a pipeline file there is no source, so a watermark's image can't be source:KEY. Set "
                "image to the path of a file"
            )
        return cls(renditions)

    def choose(self, names: Iterable[str] | None) -> Recipes:
        """Return only the renditions of these names.

        Without names, return those that every picture gets. A family's name stands for all of its members.
        Renditions with ``on_demand`` must be named.

        Raises:
            UsageError: A name is unknown; or no name is given, and all renditions have ``on_demand``.

        """
        wanted = tuple(names or ())
        chosen = (
            find_members(self.renditions, wanted)
            if wanted
            else frozenset(name for name, recipe in self.renditions.items() if not recipe.on_demand)
        )
        if not chosen:
            raise UsageError(
                "there is no rendition to make: every one is made on demand only. Name the renditions to make"
            )
        left = {name: among(name, each, chosen) for name, each in self.renditions.items() if name in chosen}
        return replace(self, renditions=left)


@dataclass(frozen=True, slots=True)
class RenderedPicture:
    """The renditions of one picture."""

    original: Original
    """The facts about the picture: its format, dimensions and analysis."""
    outputs: Mapping[str, Rendered]
    """The finished renditions by name, including those that share the file of a narrower one."""
    errors: Mapping[str, Reason]
    """Why the other renditions can't be made from this picture, by name."""
    warnings: tuple[PictureWarning, ...]

    def __getitem__(self, rendition: str) -> Rendered:
        """Return a finished rendition.

        Raises:
            Rejected: This rendition can't be made from the picture.
            KeyError: There is no such rendition.

        """
        if rendition in self.errors:
            raise to_rejection(self.errors[rendition])
        return self.outputs[rendition]


def render_alone(render: Renderer, content: bytes, recipes: Recipes) -> RenderedPicture:
    """Check the picture against the rules and make each rendition.

    Raises:
        Rejected: The picture breaks a rule, is damaged, or isn't a picture. The class says which.
        Failed: Rendering failed for another reason than the picture, such as the time limit.

    """
    unfocused = {name: recipe.focused_on(None) for name, recipe in recipes.renditions.items()}
    rendering = render(content, recipes.accept, unfocused, recipes.analyze)
    if rendering.rejected:
        raise to_rejection(rendering.rejected)
    files = {name: rendering.stand_ins.get(name, name) for name in unfocused}
    outputs = {name: rendering.made[file] for name, file in files.items() if file in rendering.made}
    errors = {name: rendering.errors[file] for name, file in files.items() if file in rendering.errors}
    return RenderedPicture(rendering.original, outputs, errors, rendering.warnings)


def read_picture(path: str | os.PathLike[str], accept: Accept) -> bytes:
    """Return the content of a picture's file.

    Raises:
        UsageError: The file can't be read.
        NotAccepted: The file is larger than ``max_bytes``.

    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > accept.max_bytes:
                raise refuse_size(size, accept.max_bytes)
            content = file.read(accept.max_bytes + 1)  # a pipe or a device reports no size
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"can't read {os.fspath(path)!r}: {why}. Check the path and its permissions"
        ) from error
    if len(content) > accept.max_bytes:
        raise NotAccepted(
            f"the file has more than the {accept.max_bytes:,} bytes that [accept] max_bytes allows. Use a "
            "smaller file, or raise the limit"
        )
    return content


def _needs_source(renditions: Mapping[str, Rendition]) -> bool:
    marks = (recipe.watermark for recipe in renditions.values())
    return any(mark and mark.image and mark.image.source_key is not None for mark in marks)
