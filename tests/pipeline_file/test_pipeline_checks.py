"""The rules of a pipeline file for templates, sizes, stores, and extreme files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_file.test_pipeline_file import schema_accepts
from renditions.errors import PipelineError, Problem
from renditions.pipeline_file.reading import load, parse
from renditions.pipeline_file.schema import json_schema

ONE = '[source]\nstore = "in"\n[output]\nstore = "out"\n[renditions.a]\n'
DIRECTORY = Path("/pictures")


def find_problems(
    text: str, directory: Path = DIRECTORY, environ: dict[str, str] | None = None
) -> tuple[Problem, ...]:
    """Return the loader's problems.

    There are none if it accepts the file.
    """
    try:
        parse(text, "p.toml", directory, environ or {})
    except PipelineError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    "key", ["{key}.{ext}", "{{{dir}}}{name}", "{{width}}/{key}", "x{dir}{name}", "..{name}"]
)
def test_loader_and_schema_accept_a_valid_template(key: str) -> None:
    text = f'{ONE}key = "{key}"'
    assert find_problems(text) == ()
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "key",
    [
        "", "/{key}", "{dir}/{name}", "{dir}", "a//{key}", "{key}/", "../{key}", "{dir}./{name}", "{key}/..",
        "{dir}{nam}", "{dir", "dir}", "{}", "{dir:}", "{dir!r}", "{dir.x}", "{ dir }", "{key}\\n",
    ],
)  # fmt: skip
def test_loader_and_schema_refuse_an_invalid_template(key: str) -> None:
    text = f'{ONE}key = "{key}"'
    assert [problem.place for problem in find_problems(text)] == ["renditions.a.key"]
    assert not schema_accepts(text)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("{dir}{nam}", "did you mean {name}?), found {nam}"),
        ("{dir", "expected braces in pairs"),
        ("{dir}/{name}", "{dir} is empty or already ends with a slash"),
    ],
)
def test_the_problem_with_a_malformed_key_template_says_what_is_wrong(key: str, message: str) -> None:
    (problem,) = find_problems(f'{ONE}key = "{key}"')
    assert message in str(problem)


def test_a_rendition_with_format_auto_needs_a_key() -> None:
    text = f'{ONE}format = "auto"'
    assert [problem.place for problem in find_problems(text)] == ["renditions.a.key"]
    assert not schema_accepts(text)


@pytest.mark.parametrize(
    "fields",
    ['background = "#fff\\n"', 'key = "{key}\\n"', '[renditions."b\\n"]', '[catalog]\nkey = "id\\n"'],
)
def test_a_line_break_at_the_end_of_a_text_is_refused(fields: str) -> None:
    assert len(find_problems(ONE + fields)) == 1
    assert not schema_accepts(ONE + fields)


@pytest.mark.parametrize(
    ("size", "count"), [("0.001 kB", 1), ("0.001 KiB", 1), ("4 KiB", 4096), ("4.029 kB", 4029)]
)
def test_a_size_with_a_fraction_is_read_as_whole_bytes_rounded_down(size: str, count: int) -> None:
    text = f'{ONE}[accept]\nmax_bytes = "{size}"'
    assert parse(text, "p.toml", DIRECTORY, {}).pipeline.accept.max_bytes == count
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "size",
    ['"0.0001 kB"', '"1.5 B"', '"0.0 MB"', '"50 mb"', '"50"', '"5 MB\\n"', '"5 KB"', "true", "1.5", "0"],
)
def test_a_size_in_an_invalid_form_or_of_less_than_one_byte_is_refused(size: str) -> None:
    text = f"{ONE}[accept]\nmax_bytes = {size}"
    assert [problem.place for problem in find_problems(text)] == ["accept.max_bytes"]
    assert not schema_accepts(text)


@pytest.mark.parametrize(
    ("ratio", "number"),
    [('"16:9"', 16 / 9), ('"1:1"', 1.0), ("1", 1.0), ("0.001", 0.001), ("1000.0", 1000.0)],
)
def test_an_aspect_ratio_is_a_number_or_a_proportion(ratio: str, number: float) -> None:
    text = f"{ONE}[accept]\nmax_aspect_ratio = {ratio}"
    read = parse(text, "p.toml", DIRECTORY, {}).pipeline.accept.max_aspect_ratio
    assert (read, type(read)) == (number, float)
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "ratio",
    ['"16:0"', '"0:9"', '"16"', '"16/9"', '"-1:1"', '"1:1\\n"', '"1000:1"', "0", "-1", "1001", "true"],
)
def test_an_invalid_aspect_ratio_is_refused(ratio: str) -> None:
    text = f"{ONE}[accept]\nmin_aspect_ratio = {ratio}"
    (problem,) = find_problems(text)
    assert problem.place == "accept.min_aspect_ratio"
    assert problem.expected == 'a number from 0.001 to 1,000 or a proportion such as "16:9"'
    assert not schema_accepts(text)


def test_an_aspect_ratio_of_nan_is_refused() -> None:
    (problem,) = find_problems(f"{ONE}[accept]\nmin_aspect_ratio = nan")
    assert problem.found == "nan"


BEYOND_A_SCHEMA = {
    "it multiplies": (
        f"{ONE}[accept]\nmin_width = 200\nmin_height = 200\nmax_pixels = 39999",
        "accept.max_pixels",
    ),
    "it compares widths": (f"{ONE}[accept]\nmin_width = 9\nmax_width = 8", "accept.max_width"),
    "it compares shapes": (
        f'{ONE}[accept]\nmin_aspect_ratio = "16:9"\nmax_aspect_ratio = 1.5',
        "accept.max_aspect_ratio",
    ),
    "it tries names": (f'{ONE}key = "{{name}}"\n[renditions.b]\nkey = "{{stem}}.jpg"', "renditions.b.key"),
    "it compares a place and a pattern": (f'{ONE}[catalog]\nstore = "sqlite:in/a.jpg"', "catalog.store"),
    "it asks for the machine's users": (ONE.replace('"in"', '"~no-such-user/in"'), "source.store"),
}


@pytest.mark.parametrize(("text", "place"), BEYOND_A_SCHEMA.values(), ids=BEYOND_A_SCHEMA)
def test_the_loader_refuses_values_that_the_schema_can_not_check(text: str, place: str) -> None:
    assert [problem.place for problem in find_problems(text)] == [place]
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        f'{ONE}[catalog]\nstore = "sqlite:in/a.db"',
        ONE.replace('"in"', '"in"\nmatch = ["*.png"]') + 'key = "{name}"\n[renditions.b]\nkey = "{stem}.jpg"',
        ONE.replace('"out"', '"."') + 'key = "made/{key}"',
        ONE.replace('"in"', '"s3://one/a"').replace('"out"', '"s3://one/ab"'),
    ],
)
def test_stores_and_keys_that_are_similar_but_distinct_are_accepted(text: str) -> None:
    assert find_problems(text) == ()


def test_an_output_folder_that_links_into_the_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").symlink_to("in")
    assert [problem.place for problem in find_problems(ONE, tmp_path)] == ["output.store"]


def test_a_store_in_a_circle_of_links_is_reported_or_resolved(tmp_path: Path) -> None:
    """Older versions of Python refuse to resolve such a path.

    Newer versions return a path. The loader must not crash in either case.
    """
    (tmp_path / "in").symlink_to("out")
    (tmp_path / "out").symlink_to("in")
    assert {problem.place for problem in find_problems(ONE, tmp_path)} <= {
        "source.store",
        "output.store",
    }


def test_an_output_that_the_environment_puts_into_the_source_is_refused() -> None:
    (problem,) = find_problems(ONE, environ={"SOURCE_BUCKET": "same", "OUTPUT_BUCKET": "same"})
    assert "outside the source" in problem.expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("width = true", "expected a whole number from 1 to 65,535, found true"),
        ('format = "jpg"', "did you mean 'jpeg'?"),
        ("width = 1979-05-27", "found 1979-05-27"),
        ("width = { a = 1 }", "found a table"),
        ("width = [1]", "found an array"),
        (f"width = 0x{'f' * 9000}", "found a far larger number"),
        (f'background = "{"x" * 500}"', "xxx…"),
        ('"a\\nb.c" = 1', "renditions.a.'a\\nb.c': expected one of key, on_demand"),
    ],
)
def test_a_problem_shows_the_invalid_value_in_short_form(fields: str, message: str) -> None:
    (problem,) = find_problems(ONE + fields)
    assert message in str(problem)
    assert len(str(problem)) < 800


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "9" * 5000, "a." * 5000 + "b = 1", '"', "\0"])
def test_a_malformed_or_extremely_long_file_is_refused_with_a_problem(text: str) -> None:
    assert find_problems(text)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(ONE, "utf-8-sig")
    assert load(path).pipeline.source.store == "in"


def test_the_schema_describes_the_tables_and_their_fields() -> None:
    schema = json_schema()["properties"]
    rendition = schema["renditions"]["additionalProperties"]
    tables = [schema[name] for name in ("source", "output", "accept", "analyze", "limits", "catalog")]
    for table in (*tables, rendition, schema["notify"]["items"]):
        assert table["description"]
        assert all(field["description"] for field in table["properties"].values())
    assert rendition["properties"]["fit"]["default"] == "inside"


@pytest.mark.parametrize("part", ["x" * 300, "y/" * 3000])
@pytest.mark.parametrize("place", ["source.store", "output.store", "catalog.store"])
def test_a_path_that_is_too_long_is_reported_as_a_problem_of_its_field(
    tmp_path: Path, place: str, part: str
) -> None:
    stores = {"source.store": "in", "output.store": "out", "catalog.store": "sqlite:c.db"}
    stores[place] = f"sqlite:{part}" if place == "catalog.store" else part
    text = "".join(f'{name} = "{value}"\n' for name, value in stores.items()) + "renditions.thumb.width = 9\n"
    with pytest.raises(PipelineError) as raised:
        parse(text, "renditions.toml", tmp_path, {})
    (problem,) = raised.value.problems
    assert (problem.place, problem.expected) == (place, "a path that the file system can have")
    assert problem.found.endswith("(File name too long)")
    assert len(problem.found) < 100
