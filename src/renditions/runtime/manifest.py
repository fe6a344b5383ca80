"""Describe pictures for web pages: URLs, dimensions, placeholders and texts.

:func:`describe` makes the entry of one picture for ``renditions manifest``, the API and the page.
:func:`make_html` turns an entry into a ``<picture>`` element. ``docs/manifest.md`` describes every field.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from renditions.core.looks import File, Look, find_looks
from renditions.core.ports import OnUnreadable, Store
from renditions.core.selection import Selection
from renditions.errors import Rejected
from renditions.imaging.analysis.preview import Preview, read_blurhash, read_thumbhash
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.items import without_empty
from renditions.model.original import Analysis, Original
from renditions.model.output_place import OutputPlace
from renditions.model.patterns import ALT_TEXT
from renditions.model.pipeline import Pipeline
from renditions.model.record import Output, Record
from renditions.runtime.parts import Parts
from renditions.runtime.selecting import find_record
from renditions.runtime.unmade import Unmade, find_unmade

log = logging.getLogger(__name__)

VERSION = 1
"""The version of the manifest's form. New fields don't raise it."""

Sign = Callable[[str], str]
"""Returns a URL with its signature."""

_MOST_TEXT_BYTES = 10_000


def list_entries(
    parts: Parts,
    selection: Selection,
    on_unreadable: OnUnreadable,
    sizes: str | None = None,
    sign: Sign | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the entries of the selected pictures that have renditions to show.

    Named pictures come first, then those of each prefix; both are in the order of their names. See
    :func:`describe` for ``sizes`` and ``sign``.

    Raises:
        UsageError: A named picture has no record.
        RecordUnreadable: The record of a named picture can't be read.
        StoreFailed: The source can't be read.

    """
    texts = _list_texts(parts.source, selection)
    for record in _list_records(parts, selection, on_unreadable):
        if record.outputs or any(find_unmade(parts.pipeline, record)):
            may_have = texts is None or f"{record.name}{ALT_TEXT}" in texts
            alt = find_alt_text(parts.source, record.name) if may_have else None
            yield describe(parts.pipeline, record, alt, sizes, sign)


def _list_texts(source: Store, selection: Selection) -> frozenset[str] | None:
    """Return the keys of all texts beside pictures; None if each must be looked up.

    In a bucket, a request for each picture would cost far more than a listing.
    """
    if selection.names or not source.is_cheaper_to_list:
        return None
    prefixes = selection.prefixes or ("",)
    listed = (found.key for prefix in prefixes for found in source.list(prefix=prefix))
    return frozenset(key for key in listed if key.endswith(ALT_TEXT))


def _list_records(parts: Parts, selection: Selection, on_unreadable: OnUnreadable) -> Iterator[Record]:
    # The list is complete first, so an unknown name raises before the first record.
    yield from [find_record(parts, name) for name in selection.names]
    for prefix in ("",) if selection.is_all else selection.prefixes:
        yield from parts.catalog.list(prefix=prefix, on_unreadable=on_unreadable)


def describe(
    pipeline: Pipeline,
    record: Record,
    alt: str | None = None,
    sizes: str | None = None,
    sign: Sign | None = None,
) -> dict[str, Any]:
    """Return the entry of one picture.

    Args:
        pipeline: The pipeline, with ``[output] base_url`` and ``on_demand_url``.
        record: The picture's record.
        alt: The text for people who can't see the picture; None for the record's text.
        sizes: The ``sizes`` of each ``srcset``; None for a picture that is never wider than its largest file.
        sign: Signs the URLs of renditions that a client must request; None leaves them unsigned.

    """
    original, urls = record.original, _Urls(pipeline.output, record.name, sign)
    unmade = {each.rendition: each for each in find_unmade(pipeline, record)}
    analysis = (original.analysis if original else None) or Analysis()
    looks = find_looks(pipeline, record, _list_files(unmade.values()))
    preview = _read_preview(analysis, original)
    dominant = analysis.colours[0].colour if analysis.colours else None
    entry: dict[str, Any] = {
        "name": record.name,
        "width": original.width if original else None,
        "height": original.height if original else None,
        "colour": dominant or (preview.colour if preview else None),
        "placeholder": preview.data_uri if preview and preview.is_opaque else None,
        "looks": {look.name: _describe_look(look, urls, sizes) for look in looks},
        "renditions": {
            name: _describe_output(output, urls) if output else _describe_unmade(unmade[name], urls)
            for name in pipeline.renditions
            if (output := record.serving_output(name)) or name in unmade
        },
    }
    text = analysis.alt_text if alt is None else alt
    return without_empty(entry) | ({} if text is None else {"alt": text})


@dataclass(frozen=True, slots=True)
class _Urls:
    """The URLs of one picture's renditions."""

    output: OutputPlace
    name: str
    sign: Sign | None

    def of(self, rendition: str, key: str | None) -> str:
        """Return the URL of a rendition's file.

        Without a key, return the URL at which a client requests the rendition.
        """
        if key is not None:
            return _below(self.output.base_url) + quote(key)
        url = f"{_below(self.output.on_demand_url)}i/{quote(rendition, safe='')}/{quote(self.name)}"
        return self.sign(url) if self.sign else url


def _below(url: str | None) -> str:
    return url if url and url.endswith("/") else f"{url}/" if url else ""


def _list_files(unmade: Iterable[Unmade]) -> list[File]:
    return [
        File(each.rendition, each.format, each.size.width, each.size.height, None)
        for each in unmade
        if each.size
    ]


def _describe_output(output: Output, urls: _Urls) -> dict[str, Any]:
    return without_empty(
        {
            "url": urls.of(output.rendition, output.key),
            "format": output.format,
            "type": OUTPUT_FORMATS[output.format].content_type,
            "width": output.width,
            "height": output.height,
            "size_bytes": output.size_bytes,
        }
    )


def _describe_unmade(unmade: Unmade, urls: _Urls) -> dict[str, Any]:
    return without_empty(
        {
            "url": urls.of(unmade.rendition, None),
            "format": unmade.format,
            "type": OUTPUT_FORMATS[unmade.format].content_type,
            "width": unmade.size.width if unmade.size else None,
            "height": unmade.size.height if unmade.size else None,
        }
    )


def _describe_look(look: Look, urls: _Urls, sizes: str | None) -> dict[str, Any]:
    largest = look.largest
    widest = max(files[-1].width for files in look.files.values())
    sizes = sizes or f"(max-width: {widest}px) 100vw, {widest}px"
    sources = [
        {"type": OUTPUT_FORMATS[name].content_type, **_describe_files(files, urls, sizes)}
        for name, files in look.files.items()
        if name != look.last
    ]
    own = _describe_files(look.files[look.last], urls, sizes)
    if len(look.files[look.last]) == 1:
        own = {}
    image = {
        "src": urls.of(largest.rendition, largest.key),
        **own,
        "type": OUTPUT_FORMATS[look.last].content_type,
        "width": largest.width,
        "height": largest.height,
    }
    return {"sources": sources, "img": image}


def _describe_files(files: tuple[File, ...], urls: _Urls, sizes: str) -> dict[str, str]:
    """Return the ``srcset`` of files in one format, and its ``sizes``.

    A single file needs no width, and so no sizes.
    """
    widths = {urls.of(file.rendition, file.key): file.width for file in files}
    if len(widths) == 1:
        return {"srcset": next(iter(widths))}
    return {"srcset": ", ".join(f"{url} {width}w" for url, width in widths.items()), "sizes": sizes}


def _read_preview(analysis: Analysis, original: Original | None) -> Preview | None:
    if not (original and original.width and original.height):
        return None
    if analysis.thumbhash:
        return read_thumbhash(analysis.thumbhash, original.width, original.height)
    return read_blurhash(analysis.blurhash, original.width, original.height) if analysis.blurhash else None


def find_alt_text(source: Store, name: str) -> str | None:
    """Return the text in the file beside a picture; None if there is no such file.

    One space replaces each run of white space. Also return None, and log a warning, if the file is too large,
    isn't UTF-8, or can't be read, for example because it is in an archive.

    Raises:
        StoreFailed: The source can't be read.

    """
    key = f"{name}{ALT_TEXT}"
    try:
        found = source.head(key)
        if found is None:
            return None
        if found.size_bytes > _MOST_TEXT_BYTES:
            log.warning("%s isn't used: it has more than %d bytes. Shorten it", key, _MOST_TEXT_BYTES)
            return None
        read = source.get(key)
        return " ".join(read[1].decode("utf-8-sig").split()) if read else None
    except UnicodeDecodeError:
        log.warning("%s isn't used: it isn't UTF-8. Save it as UTF-8", key)
    except Rejected as error:
        log.warning("%s isn't used: %s", key, error)
    return None


def make_html(entry: dict[str, Any], look: str) -> str:
    """Return a ``<picture>`` element for one look of an entry from :func:`describe`."""
    described = entry["looks"][look]
    image, sources = described["img"], described["sources"]
    attributes = {
        "src": image["src"],
        "srcset": image.get("srcset"),
        "sizes": image.get("sizes"),
        "width": image["width"],
        "height": image["height"],
        "alt": entry.get("alt", ""),
        "loading": "lazy",
        "decoding": "async",
        "style": _style(entry),
    }
    lines = [f"  <source{_spell(source)}>" for source in sources]
    return "\n".join(["<picture>", *lines, f"  <img{_spell(attributes)}>", "</picture>"])


def make_snippet(pipeline: Pipeline, record: Record) -> str | None:
    """Return a ``<picture>`` element for the look with the widest ``<img>``.

    Return None if the picture has no look.
    """
    entry = describe(pipeline, record)
    looks = entry.get("looks")
    if not looks:
        return None
    return make_html(entry, max(looks, key=lambda name: looks[name]["img"]["width"]))


def _style(entry: dict[str, Any]) -> str | None:
    """Return the style with the placeholder, which shows until the picture loads.

    Return None if the entry has no placeholder.
    """
    if "placeholder" not in entry:
        return None
    return f"background: {entry['colour']} url({entry['placeholder']}) center / cover no-repeat"


def _spell(attributes: dict[str, Any]) -> str:
    return "".join(
        f' {name}="{escape(str(value))}"' for name, value in attributes.items() if value is not None
    )
