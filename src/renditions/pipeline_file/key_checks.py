"""Find mistakes in the keys of renditions: conflicts, and outputs in the source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from renditions.errors import Problem
from renditions.model.fields import parse_template
from renditions.model.keys import template_values
from renditions.model.pipeline import Pipeline
from renditions.model.source import Source
from renditions.pipeline_file.pattern_checks import make_examples


def check_keys_apart(
    templates: dict[str, str], tables: dict[str, str], source: Source, *, is_folder: bool
) -> Iterator[Problem]:
    """Yield a problem for renditions with equal or nested keys, once per two tables.

    A key below another one, such as ``a.jpg/b.jpg`` beside ``a.jpg``, is a problem only in a folder.
    Different templates can give the same key (``{name}`` and ``{stem}.jpg``), so this function compares the
    keys of example pictures.

    Args:
        templates: The key template of each rendition.
        tables: The place of each rendition's table in the pipeline file.
        source: The source, whose patterns decide which names pictures can have.
        is_folder: Whether the output store is a folder.

    """
    told = set()
    for picture in _example_names(source):
        owners: dict[str, str] = {}
        inside: dict[str, list[str]] = {}
        for name, template in templates.items():
            key = template.format(**template_values(picture, "etag", "hash"), version=name)
            folders = list(accumulate(key.split("/")[:-1], "{}/{}".format)) if is_folder else []
            for other_key in (key, *folders, *inside.get(key, ())):
                other = owners.get(other_key, name)
                pair = tables[name], tables[other]
                if other != name and pair not in told:
                    told.add(pair)
                    yield _clash(pair, (name, key), (other, other_key), picture)
            owners.setdefault(key, name)
            for folder in folders:
                inside.setdefault(folder, []).append(key)


def _clash(pair: tuple[str, str], one: tuple[str, str], other: tuple[str, str], picture: str) -> Problem:
    """Return the problem of two renditions, each given with its key."""
    (name, key), (other_name, other_key) = one, other
    if pair[0] == pair[1]:
        expected = "a key of its own for each width and format, such as one with {rendition}"
        return Problem(f"{pair[0]}.key", expected, f"{key!r} for {name} and {other_name}")
    its = f"the key of {pair[1]}"
    if key == other_key:
        expected = f"a key other than {its}"
    else:
        is_above = other_key.startswith(f"{key}/")
        expected = f"a key that isn't a folder of {its}" if is_above else f"a key that isn't below {its}"
    return Problem(f"{pair[0]}.key", expected, f"{key!r} beside {other_key!r} for {picture}")


def _example_names(source: Source) -> list[str]:
    """Return example picture names: ``photo.jpg``, and at most one for each pattern.

    Names that the source leaves out are dropped. If none is left, return only ``photo.jpg``.
    """
    names = [name for pattern in source.patterns.match for name in make_examples(pattern)[:1]]
    return [name for name in ("photo.jpg", *names) if source.matches(name)] or ["photo.jpg"]


def check_loop(
    pipeline: Pipeline, templates: dict[str, str], tables: dict[str, str], source: str, output: str
) -> Iterator[Problem]:
    """Yield a problem for outputs that could land in the source and become pictures.

    The start of an output's URL is known: the output store, and the template's text before the first field.
    An output can land in the source only if this start begins with the source store, or the source store
    begins with this start.

    Args:
        pipeline: The pipeline, whose stores the problems name.
        templates: The key template of each rendition.
        tables: The place of each rendition's table in the pipeline file.
        source: The source store, as an absolute path or URL.
        output: The output store in the same form.

    """
    expected = "outputs outside the source, because Renditions would process each output as a new picture"
    found = f"output store {pipeline.output.store!r} and source store {pipeline.source.store!r}"
    for name, template in templates.items():
        head = next((literal for literal, _ in parse_template(template)), "")
        begins = output + head
        if begins.startswith(source) or source.startswith(begins):
            is_anywhere = not head or output.startswith(source)
            place = "output.store" if is_anywhere else f"{tables[name]}.key"
            yield Problem(place, expected, found)
            if is_anywhere:
                return
