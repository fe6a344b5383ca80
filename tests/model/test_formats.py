"""The tables of formats: their entries agree, and the code that they name exists."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import renditions.imaging.formats
from renditions.imaging.registry import find_code
from renditions.model.format_entries import OutputFormat, SourceFormat
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS

ENTRIES: list[SourceFormat | OutputFormat] = [*SOURCE_FORMATS.values(), *OUTPUT_FORMATS.values()]
PACKAGE = renditions.imaging.formats
SHARED = {"av1", "iso_boxes", "iso_media", "loaded"}
"""The modules of that package that serve several formats."""


def code_of(entry: SourceFormat | OutputFormat) -> list[str]:
    """Return each "module:function" that an entry names."""
    names: tuple[str | None, ...]
    if isinstance(entry, SourceFormat):
        names = (
            entry.confirm, entry.header, entry.decoder, entry.check_end, entry.check_data,
            entry.find_animation, entry.arrange, entry.tidy, entry.check_cost,
        )  # fmt: skip
    else:
        names = (entry.encoder, entry.binder, entry.copier)
    return [name for name in names if name]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{type(entry).__name__} {entry.name}")
def test_every_function_that_an_entry_of_the_formats_names_exists(entry: SourceFormat | OutputFormat) -> None:
    assert all(callable(find_code(name)) for name in code_of(entry))


def test_each_module_in_formats_is_used_and_is_either_shared_or_named_after_a_format() -> None:
    modules = {path.stem for path in Path(next(iter(PACKAGE.__path__))).glob("*.py")} - {"__init__"}
    for name in (name for entry in ENTRIES for name in code_of(entry)):
        find_code(name)
    loaded = {name.rpartition(".")[2] for name in sys.modules if name.startswith(f"{PACKAGE.__name__}.")}
    assert loaded == modules
    assert {module.partition("_")[0] for module in modules - SHARED} == {entry.name for entry in ENTRIES}


def test_the_format_auto_always_means_an_output_format_that_holds_pixels() -> None:
    for entry in SOURCE_FORMATS.values():
        assert not OUTPUT_FORMATS[entry.auto].holds_file


def test_no_two_input_formats_share_a_suffix_or_a_media_type() -> None:
    suffixes = [suffix for entry in SOURCE_FORMATS.values() for suffix in entry.suffixes]
    types = [entry.media_type for entry in SOURCE_FORMATS.values()]
    assert (len(set(suffixes)), len(set(types))) == (len(suffixes), len(types))


def test_a_format_has_the_same_media_type_and_suffix_as_input_and_as_output() -> None:
    for name in SOURCE_FORMATS.keys() & OUTPUT_FORMATS.keys():
        assert OUTPUT_FORMATS[name].content_type == SOURCE_FORMATS[name].media_type
        assert OUTPUT_FORMATS[name].extension == SOURCE_FORMATS[name].suffixes[0]


def test_exactly_the_formats_with_a_quality_support_automatic_quality() -> None:
    for entry in OUTPUT_FORMATS.values():
        assert (entry.searched is None) == (entry.quality is None)
        # The search decodes each trial again, to compare it with the picture.
        assert entry.searched is None or SOURCE_FORMATS[entry.searched].loader


def test_exactly_the_formats_with_skip_if_larger_have_a_copier() -> None:
    for entry in OUTPUT_FORMATS.values():
        assert ("skip_if_larger" in entry.choices) == (entry.copier is not None)
