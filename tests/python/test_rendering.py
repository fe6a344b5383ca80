"""``renditions.render``: one picture, without a store and a catalog."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import renditions
from commands import draw, run, write_pipeline
from renditions import errors

THUMB = {"thumb": {"width": 100}}


def test_render_gives_the_same_bytes_as_sync(site: Path) -> None:
    assert run(site, "sync").code == 0
    rendered = renditions.render(site / "inbox" / "a.jpg", site / "renditions.toml")
    made = {path.name: path.read_bytes() for path in (site / "processed" / "a.jpg").iterdir()}
    suffixes = {"jpeg": "jpg", "webp": "webp"}
    files = {f"{name}.{suffixes[each.format]}": each.content for name, each in rendered.outputs.items()}
    assert files == made
    assert list(rendered.outputs) == ["thumb", "photo-160", "photo-640"]


def test_the_function_render_creates_no_files_beside_the_picture(site: Path) -> None:
    before = sorted(site.rglob("*"))
    renditions.render(site / "inbox" / "a.jpg", site / "renditions.toml")
    assert sorted(site.rglob("*")) == before


def test_the_function_render_accepts_bytes_and_recipes(site: Path) -> None:
    rendered = renditions.render((site / "inbox" / "a.jpg").read_bytes(), THUMB)
    thumb = rendered["thumb"]
    assert (thumb.width, thumb.height, thumb.format) == (100, 56, "jpeg")
    assert (rendered.original.width, rendered.original.height) == (320, 180)
    assert thumb.content.startswith(b"\xff\xd8")


def test_two_widths_larger_than_the_picture_have_the_same_file(site: Path) -> None:
    recipes = {"photo": {"widths": [100, 640, 1280]}}
    outputs = renditions.render(site / "inbox" / "a.jpg", recipes).outputs
    assert [output.width for output in outputs.values()] == [100, 320, 320]
    assert outputs["photo-640"].content == outputs["photo-1280"].content


def test_renditions_can_be_chosen_by_name_and_by_family(site: Path) -> None:
    pipeline = renditions.load(site / "renditions.toml")
    picture = site / "inbox" / "a.jpg"
    assert list(renditions.render(picture, pipeline, renditions=["thumb"]).outputs) == ["thumb"]
    assert list(renditions.render(picture, pipeline, renditions=["photo"]).outputs) == [
        "photo-160",
        "photo-640",
    ]
    only = renditions.render(picture, pipeline, renditions=["photo-640"])
    assert only["photo-640"].width == 320
    with pytest.raises(errors.UsageError, match=r"there is no rendition 'big'\. Choose one of thumb"):
        renditions.render(picture, pipeline, renditions=["big"])


def test_a_rendition_on_demand_is_made_only_if_it_is_named(site: Path) -> None:
    recipes = {"thumb": {"width": 50}, "big": {"width": 200, "on_demand": True}}
    picture = site / "inbox" / "a.jpg"
    assert list(renditions.render(picture, recipes).outputs) == ["thumb"]
    assert list(renditions.render(picture, recipes, renditions=["big"]).outputs) == ["big"]
    with pytest.raises(errors.UsageError, match="on demand only"):
        renditions.render(picture, {"big": recipes["big"]})


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"no picture", errors.Undecodable), (b"\xff\xd8\xff\xe0 cut off", errors.Undecodable)],
)
def test_rendering_a_file_that_is_not_a_picture_raises_undecodable(
    content: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        renditions.render(content, THUMB)


def test_a_picture_that_breaks_a_rule_raises_not_accepted(site: Path) -> None:
    write_pipeline(site, "[renditions.thumb]\nwidth = 100", "[accept]\nmin_width = 1000")
    with pytest.raises(errors.NotAccepted, match=r"1,?000"):
        renditions.render(site / "inbox" / "a.jpg", site / "renditions.toml")


def test_a_file_above_the_byte_limit_raises_not_accepted(site: Path) -> None:
    write_pipeline(site, "[renditions.thumb]\nwidth = 100", "[accept]\nmax_bytes = 100")
    with pytest.raises(errors.NotAccepted, match="more than the 100 that"):
        renditions.render(site / "inbox" / "a.jpg", site / "renditions.toml")


def test_a_device_without_an_end_is_read_only_up_to_the_byte_limit(site: Path) -> None:
    write_pipeline(site, "[renditions.thumb]\nwidth = 100", "[accept]\nmax_bytes = 100")
    with pytest.raises(errors.NotAccepted, match="has more than the 100 bytes that"):
        renditions.render("/dev/zero", site / "renditions.toml")


def test_a_rendition_that_cannot_be_made_is_reported_beside_the_other_renditions(site: Path) -> None:
    recipes = {"thumb": {"width": 50}, "tiny": {"width": 300, "max_bytes": 100}}
    rendered = renditions.render(site / "inbox" / "a.jpg", recipes)
    assert list(rendered.outputs) == ["thumb"]
    assert "max_bytes" in rendered.errors["tiny"].text
    with pytest.raises(errors.Unrenderable, match="max_bytes"):
        _ = rendered["tiny"]
    with pytest.raises(KeyError):
        _ = rendered["unknown"]


def test_render_returns_the_warnings_about_a_picture(site: Path) -> None:
    content = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="http://x/y.png"/></svg>'
    )
    pipeline = {
        "source": {"store": "in"}, "output": {"store": "out"},
        "accept": {"formats": ["svg"]}, "renditions": {"thumb": {"width": 9}},
    }  # fmt: skip
    loaded = renditions.load(pipeline, directory=site)
    assert [each.code for each in renditions.render(content, loaded).warnings] == ["reference-dropped"]


def test_recipes_can_have_numpy_numbers(site: Path) -> None:
    picture = site / "inbox" / "a.jpg"
    recipe = {"widths": [np.int64(60), np.uint16(80)], "quality": np.int32(40), "blur": np.float32(0.5)}
    plain = {"widths": [60, 80], "quality": 40, "blur": 0.5}
    rendered = renditions.render(picture, {"t": recipe})
    assert rendered.outputs == renditions.render(picture, {"t": plain}).outputs
    assert rendered["t-60"].width == 60
    with pytest.raises(errors.PipelineError, match=r"from 1 to 65,535, found 0\.5"):
        renditions.render(picture, {"t": {"width": Fraction(1, 2)}})


def test_problems_in_recipes_name_the_fields() -> None:
    with pytest.raises(errors.PipelineError) as caught:
        renditions.render(b"", {"thumb": {"width": -1, "heigth": 2}})
    assert [problem.place for problem in caught.value.problems] == [
        "renditions.thumb.width",
        "renditions.thumb.heigth",
    ]


def test_recipes_with_an_automatic_format_need_no_key(site: Path) -> None:
    """In a file they need one: the default key has {ext}, the format's suffix."""
    for name, kind in (("a.jpg", "jpeg"), ("more/b.png", "png")):
        rendered = renditions.render(site / "inbox" / name, {"t": {"width": 20, "format": "auto"}})
        assert rendered["t"].format == kind


def test_the_tables_of_a_file_in_place_of_recipes_raise_an_error_that_says_what_to_pass() -> None:
    tables = {"source": {"store": "in"}, "output": {"store": "out"}, "renditions": THUMB}
    with pytest.raises(errors.PipelineError) as caught:
        renditions.render(b"", tables)
    assert caught.value.__notes__ == ["If the mapping has a file's tables, pass renditions.load(mapping)."]


def test_a_missing_file_raises_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match=r"can't read '.*none.jpg': No such file or directory"):
        renditions.render(tmp_path / "none.jpg", THUMB)


def test_render_reads_a_watermark_from_the_source(site: Path) -> None:
    draw(site / "inbox" / "logo.png", 40, 40, 3)
    mark = '[renditions.thumb]\nwidth = 100\nwatermark = {image = "source:logo.png", opacity = 100}'
    write_pipeline(site, mark)
    assert run(site, "sync", "a.jpg").code == 0
    rendered = renditions.render(site / "inbox" / "a.jpg", site / "renditions.toml")
    assert rendered["thumb"].content == (site / "processed" / "a.jpg" / "thumb.jpg").read_bytes()
    with pytest.raises(errors.UsageError, match="there is no source"):
        renditions.render(b"", {"thumb": {"watermark": {"image": "source:logo.png"}}})


def test_bytes_are_rendered_in_a_program_whose_current_folder_was_deleted(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (site / "inbox" / "a.jpg").read_bytes()
    gone = site / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert renditions.render(content, THUMB)["thumb"].width == 100
    tables = {"source": {"store": "in"}, "output": {"store": "out"}, "renditions": THUMB}
    with pytest.raises(errors.UsageError, match="the current folder was deleted"):
        renditions.load(tables)
    assert renditions.load(tables, directory=site).directory == site


def test_threads_can_render_at_the_same_time(site: Path) -> None:
    content = (site / "inbox" / "a.jpg").read_bytes()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: renditions.render(content, THUMB)["thumb"].content, range(16)))
    assert len(set(made)) == 1


def test_a_forked_process_starts_its_own_workers(site: Path) -> None:
    content = (site / "inbox" / "a.jpg").read_bytes()
    expected = renditions.render(content, THUMB)["thumb"].content
    child = os.fork()
    if child == 0:
        os._exit(0 if renditions.render(content, THUMB)["thumb"].content == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert renditions.render(content, THUMB)["thumb"].content == expected


def test_render_accepts_any_kind_of_bytes(site: Path) -> None:
    content = (site / "inbox" / "a.jpg").read_bytes()
    expected = renditions.render(content, THUMB)["thumb"].content
    for each in (bytearray(content), memoryview(content)):
        assert renditions.render(each, THUMB)["thumb"].content == expected


def test_a_single_text_names_one_rendition_and_an_empty_list_names_none(site: Path) -> None:
    recipes = {"thumb": {"width": 100}, "t": {"width": 50}}
    assert list(renditions.render(site / "inbox" / "a.jpg", recipes, renditions="thumb").outputs) == ["thumb"]
    rendered = renditions.render(site / "inbox" / "a.jpg", recipes, renditions=[])
    assert (rendered.outputs, rendered.original.format) == ({}, "jpeg")


def test_a_path_with_a_null_byte_raises_a_usage_error() -> None:
    with pytest.raises(errors.UsageError, match="can't read"):
        renditions.render("a\0b.jpg", THUMB)


@pytest.mark.parametrize(
    "picture", [io.BytesIO(b"GIF89a"), None, 5, ["a.jpg"]], ids=lambda given: type(given).__name__
)
def test_a_picture_that_is_neither_bytes_nor_a_path_raises_a_usage_error(picture: Any) -> None:
    with pytest.raises(errors.UsageError, match=r"bytes or a path.*found (BytesIO|NoneType|int|list)"):
        renditions.render(picture, THUMB)
