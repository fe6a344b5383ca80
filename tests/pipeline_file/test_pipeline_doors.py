"""Random pipeline files: each is read, or its errors name the file and the field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from renditions.errors import PipelineError, RenditionsError
from renditions.pipeline_file.reading import check, check_recipes, load, parse, preset_names, read_preset
from renditions.runtime.parts import open_parts

HERE = Path("/pipelines")
PRESETS = [read_preset(name) for name in preset_names()]
TEXTS = st.text(st.characters())


@st.composite
def changed_files(draw: Any) -> bytes:
    """Draw a preset, and return it with changes.

    Runs of its bytes are removed, repeated, exchanged or replaced.
    """
    content = bytearray(draw(st.sampled_from(PRESETS)).encode())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        other = draw(st.integers(0, len(content)))
        content[start:end] = draw(
            st.just(b"")
            | st.binary(max_size=8)
            | st.sampled_from(
                [b"[", b"]", b'"', b"=", b"{", b"}", b"\n", b"nan", b"-inf", b"1e999", b"0x", b"'''"]
            )
            | st.sampled_from(
                [b"2026-01-01", b"10:00:00", b"9" * 30, b"9" * 5000, b"\xff", b"\0", b"[[" * 2000]
            )
            | st.just(bytes(content[other : other + 40]))
        )
    return bytes(content)


def check_told(error: PipelineError, file: str) -> None:
    """Check that the error's text names the file before each problem."""
    assert error.problems
    assert error.file == file
    for problem in error.problems:
        assert problem.expected
        assert f"{file}: {problem}" in str(error)


@settings(deadline=None, max_examples=120)
@given(changed_files())
@example(b"\xef\xbb\xbf")
@example(b"a = " + b"[" * 100_000)
@example(b"a = 1" + b"0" * 5_000)
@example(b"a." * 5_000 + b"b = 1")
def test_a_randomly_changed_pipeline_file_is_read_or_its_problems_are_reported(content: bytes) -> None:
    """If the file is read, its parts can be opened, or an error says why not."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "renditions.toml"
        file.write_bytes(content)
        try:
            loaded = load(file)
        except PipelineError as error:
            check_told(error, str(file))
            return
        try:
            with open_parts(loaded.pipeline, loaded.directory, read_only=True):
                pass
        except RenditionsError as error:
            assert str(error)  # noqa: PT017 - either outcome is allowed


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63, 2**64])
    | st.floats()
    | st.dates()
    | st.times()
    | st.datetimes()
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FIELDS: Mapping[str, tuple[str, ...]] = {
    "source": ("store", "match"),
    "accept": ("formats", "max_bytes", "max_pixels", "min_aspect_ratio", "animation"),
    "analyze": ("colours", "exif", "placeholder"),
    "limits": ("seconds", "memory", "pages"),
    "output": ("store", "cache_control", "cors_origins", "engine"),
    "catalog": ("store", "key"),
    "rendition": ("key", "width", "fit", "gravity", "crop", "format", "quality", "watermark", "pages", "tint",
                  "focus", "corners", "background", "pixel_ratio", "profile"),
}  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_any_value_in_any_field_is_accepted_or_reported_with_its_place(table: str, data: Any) -> None:
    """The values include those of TOML that JSON lacks: times, infinity and NaN."""
    fields = {
        name: data.draw(VALUES) for name in data.draw(st.sets(st.sampled_from(FIELDS[table]), min_size=1))
    }
    document: dict[str, Any] = {
        "source": {"store": "in"}, "output": {"store": "out"}, "renditions": {"one": {}}
    }  # fmt: skip
    if table == "rendition":
        document["renditions"]["one"] = fields
    else:
        document[table] = document.get(table, {}) | fields
    try:
        check(document, "renditions.toml", HERE, {})
    except PipelineError as error:
        check_told(error, "renditions.toml")
        place = "renditions.one" if table == "rendition" else table
        expected = (place, "source", "output", "catalog", "renditions.one")  # some are about two at once
        assert all(problem.place.startswith(expected) for problem in error.problems)  # noqa: PT017 - as above


@pytest.mark.parametrize("recipe", [{"trim": "\ud800"}, {"watermark": {"image": "\ud800"}}])
def test_half_of_a_surrogate_pair_is_reported_with_its_place(recipe: dict[str, Any]) -> None:
    """A program can pass such a text, which no file in UTF-8 can contain."""
    with pytest.raises(PipelineError) as caught:
        check_recipes({"one": recipe}, HERE)
    assert caught.value.problems[0].place in ("renditions.one.trim", "renditions.one.watermark.image")


VARIABLES = ("SOURCE_BUCKET", "SOURCE_PREFIX", "OUTPUT_BUCKET", "OUTPUT_PREFIX", "TABLE_NAME", "TABLE_KEY",
             "SNS_TOPIC_ARN")  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from(VARIABLES), TEXTS), st.sampled_from(PRESETS))
def test_any_values_of_the_environment_variables_are_accepted_or_reported(
    environ: dict[str, str], text: str
) -> None:
    try:
        parse(text, "renditions.toml", HERE, environ)
    except PipelineError as error:
        check_told(error, "renditions.toml")
