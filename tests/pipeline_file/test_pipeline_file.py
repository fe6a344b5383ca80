"""Pipeline files: valid ones, and the problems of invalid ones.

The loader and the schema must agree.
"""

from __future__ import annotations

import copy
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renditions.errors import PipelineError, UsageError
from renditions.model.notify import Notify
from renditions.model.places import FolderPlace, S3Place, parse_store
from renditions.pipeline_file.reading import LoadedPipeline, check, load, parse, preset_names, read_preset
from renditions.pipeline_file.schema import json_schema

HERE = Path("/pipelines")
GOOD = """
[source]
store = "./inbox"
match = ["*.jpg", "*.PNG"]
[accept]
formats = ["jpeg", "png"]
max_bytes = "50 MB"
max_pixels = "100 MP"
min_width = 200
[output]
store = "./processed"
cache_control = "public"
[catalog]
store = "sqlite:renditions.db"
key = "image_id"
[renditions.thumb]
key = "{dir}thumb_{name}"
width = 200
height = 200
fit = "cover"
gravity = "attention"
quality = 82
[renditions.large]
format = "webp"
lossless = true
animation = "keep"
[[notify]]
on = ["failed", "rejected"]
to = "log:"
"""


def read(text: str, environ: dict[str, str] | None = None) -> LoadedPipeline:
    return parse(text, "renditions.toml", HERE, environ or {})


def problems(text: str, environ: dict[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """Return the problems: (expected, found) by the field's place."""
    with pytest.raises(PipelineError) as caught:
        read(text, environ)
    assert caught.value.exit_code == 2
    for problem in caught.value.problems:
        assert f"renditions.toml: {problem}" in str(caught.value)
    return {problem.place: (problem.expected, problem.found) for problem in caught.value.problems}


def pipeline_text(
    rendition: str = "", source: str = "./inbox", output: str = "./processed", more: str = ""
) -> str:
    return (
        f'[source]\nstore = "{source}"\n[output]\nstore = "{output}"\n{more}\n[renditions.one]\n{rendition}\n'
    )


BOX = 'fit = "cover"\nwidth = 10\nheight = 10\n'
GOOD_FILES = {
    "everything": GOOD,
    "the least": pipeline_text(),
    "S3": pipeline_text(source="s3://photos-in/uploads/", output="s3://photos-out"),
    "one bucket, two prefixes": pipeline_text(source="s3://photos/in/", output="s3://photos/out/"),
    "one bucket, distinct by the key": pipeline_text(
        'key = "made/{dir}{name}.{ext}"', "s3://photos/in/", "s3://photos/"
    ),
    "all template fields": pipeline_text(
        'key = "{rendition}/{width}x{height}.{format}/{dir}{stem}-{etag}.{ext}"\nwidth = 10\nheight = 20'
    ),
    "braces": pipeline_text('key = "{dir}{{x}}{name}"'),
    "auto": pipeline_text('key = "{dir}{name}"\nformat = "auto"\nanimation = "keep"'),
    "base64": pipeline_text('format = "base64"'),
    "base64 on demand": pipeline_text('format = "base64"\non_demand = true'),
    "sizes": pipeline_text(more='[accept]\nmax_bytes = "1.5 GB"\nmax_pixels = 25000000'),
    "binary sizes": pipeline_text(more='[accept]\nmax_bytes = "10 MiB"'),
    "sns": pipeline_text(
        more='[[notify]]\non = ["done"]\nto = "sns:arn:aws:sns:eu-west-1:123456789012:topic"'
    ),
    "a bus by its name": pipeline_text(more='[[notify]]\non = ["done"]\nto = "events:default"'),
    "a bus by its ARN": pipeline_text(
        more='[[notify]]\non = ["done"]\nto = "events:arn:aws:events:eu-west-1:123456789012:event-bus/a"'
    ),
    "dynamodb": pipeline_text(more='[catalog]\nstore = "dynamodb:ImageMetadata"'),
    "no kept wishes": pipeline_text(more='[catalog]\nkeep_wishes = "0 s"'),
    "the first engine": pipeline_text(more="engine = 1"),
    "one page": pipeline_text('pages = "3"'),
    "pages": pipeline_text('pages = "1-3,5,9-7"\nformat = "pdf"'),
    "all pages": pipeline_text('pages = "all"\nformat = "tiff"'),
    "limits": pipeline_text(more='[limits]\npages = 5\nframes = 50\nmemory = "1 GB"'),
    "analysis": pipeline_text(
        more='[analyze]\nexif = true\nposition = true\ncolours = 10\nplaceholder = "blurhash"\n'
        "perceptual_hash = true\nsharpness = true\ntransparency = true"
    ),
    "rules on pictures": pipeline_text(
        more='[accept]\nmin_sharpness = 50\nmin_aspect_ratio = "1:2"\nmax_aspect_ratio = 2\n'
        "max_width = 9000\nmax_height = 9000\nanimation = false"
    ),
    "annotated DICOM": pipeline_text(
        more='[accept]\nformats = ["png", "dicom"]\nburned_in_annotation = true'
    ),
    "drawings": pipeline_text(more='[accept]\nformats = ["heic", "svg", "pdf"]\nfonts = "system"'),
    "as many renditions as DynamoDB can claim": pipeline_text(more='[catalog]\nstore = "dynamodb:Table"')
    + "".join(f"[renditions.r{number}]\n" for number in range(98)),
    "one side": pipeline_text("height = 100\nenlarge = true"),
    "quality found for each picture": pipeline_text('quality = "auto"\ntarget = 75'),
    "quality written as a fraction": pipeline_text("quality = 80.0"),
    "watermark": pipeline_text('watermark = {text = "© Ann", colour = "black", tile = true, gap = 5}'),
    "watermark of the source": pipeline_text('watermark = {image = "source:.logo.png", size = 100}'),
    "shapes": pipeline_text(
        f"{BOX}focus = {{ x = 0, y = 33.3 }}\ncrop = {{ left = 33.3, width = 66.7, height = 9 }}\ntrim = 0\n"
        'tint = "#abc"\nblur = 0.5\nsharpen = 1\npixelate = 4\ncorners = 12.0\npadding = 5\npixel_ratio = 2'
    ),
    "a circle": pipeline_text('corners = "circle"'),
    "a family": pipeline_text('widths = [960, 480]\nformats = ["avif", "webp", "jpeg"]\nquality = 70'),
    "a family of widths": pipeline_text(
        'widths = [480]\nkey = "{key}/{width}.{ext}"\nformat = "png"\nenlarge = true'
    ),
    "a family of formats": pipeline_text(f'{BOX}formats = ["png"]\nkey = "{{key}}/{{width}}.{{ext}}"'),
    "a family in a box": pipeline_text(
        'widths = [10]\nheight = 10\nfit = "cover"\npixel_ratio = 2\nformat = "auto"\n'
        'key = "{key}/{rendition}"'
    ),
    "AVIF": pipeline_text('format = "avif"\neffort = 9\nquality = 50\nbackground = "transparent"'),
}

BAD_FILES = {
    "an engine before the first": (pipeline_text(more="engine = 0"), "output.engine"),
    "an engine that isn't there yet": (pipeline_text(more="engine = 999"), "output.engine"),
    "no colour at all": (pipeline_text(more="[analyze]\ncolours = 0"), "analyze.colours"),
    "too many colours": (pipeline_text(more="[analyze]\ncolours = 11"), "analyze.colours"),
    "unknown placeholder": (pipeline_text(more='[analyze]\nplaceholder = "lqip"'), "analyze.placeholder"),
    "negative sharpness": (pipeline_text(more="[accept]\nmin_sharpness = -1"), "accept.min_sharpness"),
    "no shape": (pipeline_text(more="[accept]\nmax_aspect_ratio = 0"), "accept.max_aspect_ratio"),
    "watermark of nothing": (pipeline_text("watermark = {}"), "renditions.one.watermark"),
    "watermark of invisible characters": (
        pipeline_text('watermark = {text = "\\u200b\\u00a0 \\ufeff\\u2060"}'),
        "renditions.one.watermark.text",
    ),
    "watermark of two": (
        pipeline_text('watermark = {text = "a", image = "source:b"}'), "renditions.one.watermark",
    ),
    "watermark with a colour for a picture": (
        pipeline_text('watermark = {image = "source:b", colour = "black"}'),
        "renditions.one.watermark.colour",
    ),
    "watermark with a gap and no tiles": (
        pipeline_text('watermark = {text = "a", gap = 5}'), "renditions.one.watermark.gap",
    ),
    "blank watermark": (pipeline_text('watermark = {text = " "}'), "renditions.one.watermark.text"),
    "watermark on Base64": (
        pipeline_text('format = "base64"\nwatermark = {text = "a"}'), "renditions.one.watermark",
    ),
    "watermark at a smart place": (
        pipeline_text('watermark = {text = "a", gravity = "attention"}'), "renditions.one.watermark.gravity",
    ),
    "unknown table": (pipeline_text(more="[acept]"), "acept"),
    "unknown field": (pipeline_text("widht = 3"), "renditions.one.widht"),
    "no source": ('[output]\nstore = "x"\n[renditions.one]\n', "source"),
    "no renditions": ('[source]\nstore = "x"\n[output]\nstore = "y"\n', "renditions"),
    "empty renditions": ('[source]\nstore = "x"\n[output]\nstore = "y"\n[renditions]\n', "renditions"),
    "rendition that is no table": (
        '[source]\nstore = "x"\n[output]\nstore = "y"\n[renditions]\none = 1\n', "renditions.one",
    ),
    "bad name": (pipeline_text(more="[renditions.Big]"), "renditions.Big"),
    "text for a number": (pipeline_text('width = "200"'), "renditions.one.width"),
    "truth for a number": (pipeline_text("width = true"), "renditions.one.width"),
    "fraction": (pipeline_text("width = 1.5"), "renditions.one.width"),
    "zero": (pipeline_text("width = 0"), "renditions.one.width"),
    "too large": (pipeline_text("width = 70000"), "renditions.one.width"),
    "quality 0": (pipeline_text("quality = 0"), "renditions.one.quality"),
    "quality 101": (pipeline_text("quality = 101"), "renditions.one.quality"),
    "quality of another word": (pipeline_text('quality = "best"'), "renditions.one.quality"),
    "target without auto": (pipeline_text("target = 75\nquality = 80"), "renditions.one.target"),
    "PNG with quality auto": (
        pipeline_text('format = "png"\nquality = "auto"'), "renditions.one.quality",
    ),
    "number for truth": (pipeline_text("enlarge = 1"), "renditions.one.enlarge"),
    "unknown choice": (pipeline_text('fit = "crop"'), "renditions.one.fit"),
    "bad colour": (pipeline_text('background = "#12"'), "renditions.one.background"),
    "bad size": (pipeline_text(more='[accept]\nmax_bytes = "50 MP"'), "accept.max_bytes"),
    "size of nothing": (pipeline_text(more='[accept]\nmax_bytes = "0 MB"'), "accept.max_bytes"),
    "negative size": (pipeline_text(more="[accept]\nmax_bytes = -1"), "accept.max_bytes"),
    "empty array": (pipeline_text(more="[accept]\nformats = []"), "accept.formats"),
    "unknown format": (pipeline_text(more='[accept]\nformats = ["jpg"]'), "accept.formats[0]"),
    "annotations without DICOM": (
        pipeline_text(more="[accept]\nburned_in_annotation = true"), "accept.burned_in_annotation",
    ),
    "machine fonts without drawings": (pipeline_text(more='[accept]\nfonts = "system"'), "accept.fonts"),
    "DICOM copied as Base64": (
        pipeline_text('format = "base64"', more='[accept]\nformats = ["jpeg", "dicom"]'),
        "renditions.one.format",
    ),
    "format twice": (pipeline_text(more='[accept]\nformats = ["png", "png"]'), "accept.formats"),
    "several pages in a JPEG": (pipeline_text('pages = "1-2"'), "renditions.one.pages"),
    "all pages in an unknown format": (
        pipeline_text('pages = "all"\nformat = "auto"\nkey = "{key}"'), "renditions.one.pages",
    ),
    "outputs kept for no time": (pipeline_text(more='keep_replaced = "0 s"'), "output.keep_replaced"),
    "origins as a text": (pipeline_text(more='cors_origins = "*"'), "output.cors_origins"),
    "page 0": (pipeline_text('pages = "0"'), "renditions.one.pages"),
    "no end to the pages": (pipeline_text('pages = "3-"\nformat = "pdf"'), "renditions.one.pages"),
    "memory as pixels": (pipeline_text(more='[limits]\nmemory = "1 GP"'), "limits.memory"),
    "limit of no page": (pipeline_text(more="[limits]\npages = 0"), "limits.pages"),
    "bad store": (pipeline_text(source="ftp://host/"), "source.store"),
    "bad bucket": (pipeline_text(source="s3://A/"), "source.store"),
    "bad catalog": (pipeline_text(more='[catalog]\nstore = "mysql:x"'), "catalog.store"),
    "bad catalog key": (pipeline_text(more='[catalog]\nkey = "a b"'), "catalog.key"),
    "catalog key of another attribute": (pipeline_text(more='[catalog]\nkey = "status"'), "catalog.key"),
    "more renditions than DynamoDB can claim": (
        pipeline_text(more='[catalog]\nstore = "dynamodb:Table"')
        + "".join(f"[renditions.r{number}]\n" for number in range(99)),
        "renditions",
    ),
    "bad target": (pipeline_text(more='[[notify]]\non = ["done"]\nto = "me"'), "notify[0].to"),
    "a bus without a name": (pipeline_text(more='[[notify]]\non = ["done"]\nto = "events:"'), "notify[0].to"),
    "bad event": (pipeline_text(more='[[notify]]\non = ["down"]\nto = "log:"'), "notify[0].on[0]"),
    "notify that is no array": (pipeline_text(more='[notify]\non = ["done"]\nto = "log:"'), "notify"),
    "unknown template field": (pipeline_text('key = "{nam}"'), "renditions.one.key"),
    "lone brace": (pipeline_text('key = "{dir}}"'), "renditions.one.key"),
    "format specification": (pipeline_text('key = "{dir:>3}"'), "renditions.one.key"),
    "key with a slash first": (pipeline_text('key = "/{name}"'), "renditions.one.key"),
    "ext with auto": (pipeline_text('key = "{stem}.{ext}"\nformat = "auto"'), "renditions.one.key"),
    "width undeclared": (pipeline_text('key = "{dir}{name}{width}"'), "renditions.one.key"),
    "cover without height": (pipeline_text('fit = "cover"\nwidth = 1'), "renditions.one.fit"),
    "attention without cover": (pipeline_text('gravity = "attention"'), "renditions.one.gravity"),
    "focus in the record without cover": (pipeline_text('gravity = "focus"'), "renditions.one.gravity"),
    "focus in the record with trim": (
        pipeline_text(f'{BOX}gravity = "focus"\ntrim = 5'), "renditions.one.trim",
    ),
    "gravity without use": (pipeline_text('gravity = "north"'), "renditions.one.gravity"),
    "crop without a width": (pipeline_text("crop = { height = 10 }"), "renditions.one.crop.width"),
    "crop of nothing": (pipeline_text("crop = { width = 0, height = 9 }"), "renditions.one.crop.width"),
    "crop that is no table": (pipeline_text("crop = 10"), "renditions.one.crop"),
    "focus without y": (pipeline_text(f"{BOX}focus = {{ x = 10 }}"), "renditions.one.focus.y"),
    "focus without cover": (pipeline_text("focus = { x = 10, y = 10 }"), "renditions.one.focus"),
    "focus with gravity": (
        pipeline_text(f'{BOX}gravity = "north"\nfocus = {{ x = 10, y = 10 }}'), "renditions.one.gravity",
    ),
    "translucent tint": (pipeline_text('tint = "#10203040"'), "renditions.one.tint"),
    "corners in another word": (pipeline_text('corners = "round"'), "renditions.one.corners"),
    "corners of less than nothing": (pipeline_text("corners = -1"), "renditions.one.corners"),
    "Base64 with crop": (
        pipeline_text('format = "base64"\ncrop = { width = 9, height = 9 }'), "renditions.one.crop",
    ),
    "enlarge without size": (pipeline_text("enlarge = true"), "renditions.one.enlarge"),
    "lossless JPEG": (pipeline_text("lossless = true"), "renditions.one.lossless"),
    "lossless with quality": (
        pipeline_text('format = "webp"\nlossless = true\nquality = 3'), "renditions.one.quality",
    ),
    "PNG with quality": (pipeline_text('format = "png"\nquality = 3'), "renditions.one.quality"),
    "JPEG with effort": (pipeline_text("effort = 3"), "renditions.one.effort"),
    "WebP with too much effort": (pipeline_text('format = "webp"\neffort = 7'), "renditions.one.effort"),
    "animated JPEG": (pipeline_text('animation = "keep"'), "renditions.one.animation"),
    "transparent JPEG": (pipeline_text('background = "transparent"'), "renditions.one.background"),
    "WebP too wide": (pipeline_text('format = "webp"\nwidth = 16384'), "renditions.one.width"),
    "Base64 with width": (pipeline_text('format = "base64"\nwidth = 100'), "renditions.one.width"),
    "width beside widths": (pipeline_text("widths = [9, 8]\nwidth = 9"), "renditions.one.width"),
    "format beside formats": (
        pipeline_text('formats = ["jpeg", "png"]\nformat = "jpeg"'), "renditions.one.format",
    ),
    "a width twice": (pipeline_text("widths = [9, 8, 9]"), "renditions.one.widths"),
    "a format in the family twice": (
        pipeline_text('formats = ["png", "png"]'), "renditions.one.formats",
    ),
    "a family without widths": (pipeline_text("widths = []"), "renditions.one.widths"),
    "a family of Base64": (pipeline_text('formats = ["jpeg", "base64"]'), "renditions.one.formats[1]"),
    "a family of documents": (pipeline_text('formats = ["pdf"]'), "renditions.one.formats[0]"),
    "a family of unknown formats": (pipeline_text('formats = ["auto"]'), "renditions.one.formats[0]"),
    "a family too wide for one format": (
        pipeline_text('widths = [9, 16384]\nformats = ["jpeg", "webp"]'), "renditions.one.widths",
    ),
    "quality auto in a family with PNG": (
        pipeline_text('formats = ["jpeg", "png"]\nquality = "auto"'), "renditions.one.quality",
    ),
    "transparency in a family with JPEG": (
        pipeline_text('formats = ["webp", "jpeg"]\nbackground = "transparent"'), "renditions.one.background",
    ),
    "Base64 in several widths": (
        pipeline_text('format = "base64"\nwidths = [9]'), "renditions.one.widths",
    ),
    "width undeclared in a family": (
        pipeline_text('key = "{key}{width}.{ext}"\nformats = ["png"]'), "renditions.one.key",
    ),
    "several pages in a family": (
        pipeline_text('pages = "all"\nformats = ["png"]'), "renditions.one.pages",
    ),
    "auto with effort": (pipeline_text('key="{key}"\nformat = "auto"\neffort = 1'), "renditions.one.effort"),
    "all origins and one": (
        pipeline_text(more='cors_origins = ["*", "https://shop.example"]'), "output.cors_origins",
    ),
    "a transparent background without pixels": (
        pipeline_text('format = "base64"\nbackground = "transparent"'), "renditions.one.background",
    ),
}  # fmt: skip

BEYOND_A_SCHEMA = {
    "a family with one key": (
        pipeline_text('widths = [9, 8]\nkey = "{key}/x.{ext}"'), "renditions.one.key",
    ),
    "a family and a rendition of one name": (
        pipeline_text("widths = [9]", more="[renditions.one-9]"), "renditions.one",
    ),
    "two families with one name": (
        pipeline_text('widths = [9]\nformats = ["png"]', more='[renditions.one-9]\nformats = ["png"]'),
        "renditions.one",
    ),
    "same keys": (
        pipeline_text('key = "{dir}{name}"', more='[renditions.zero]\nkey = "{key}"'), "renditions.one.key",
    ),
    "a key below another": (
        pipeline_text('key = "{dir}{name}/x"', more='[renditions.zero]\nkey = "{dir}{name}"'),
        "renditions.one.key",
    ),
    "crop beyond the picture": (
        pipeline_text("crop = { left = 60, width = 50, height = 10 }"), "renditions.one.crop",
    ),
    "too wide when multiplied": (
        pipeline_text('format = "webp"\nwidth = 9000\npixel_ratio = 2'), "renditions.one.pixel_ratio",
    ),
    "too high with its padding": (
        pipeline_text('format = "webp"\nheight = 16380\npadding = 2'), "renditions.one.padding",
    ),
    "output is the source": (pipeline_text(output="./inbox"), "output.store"),
    "output in the source": (pipeline_text(output="inbox/made"), "output.store"),
    "source in the output": (pipeline_text(output="."), "output.store"),
    "output in the source's prefix": (
        pipeline_text(source="s3://photos/", output="s3://photos/made/"), "output.store",
    ),
    "key that leads into the source": (
        pipeline_text('key = "in/{name}"', "s3://photos/in/", "s3://photos/"), "renditions.one.key",
    ),
}  # fmt: skip


def schema_accepts(text: str) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(tomllib.loads(text)))


def test_the_schema_is_a_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("text", GOOD_FILES.values(), ids=GOOD_FILES)
def test_loader_and_schema_accept_valid_files(text: str) -> None:
    assert read(text).pipeline.renditions
    assert schema_accepts(text)


@pytest.mark.parametrize(("text", "place"), BAD_FILES.values(), ids=BAD_FILES)
def test_loader_and_schema_refuse_invalid_files(text: str, place: str) -> None:
    assert place in problems(text)
    assert not schema_accepts(text)


@pytest.mark.parametrize(("text", "place"), BEYOND_A_SCHEMA.values(), ids=BEYOND_A_SCHEMA)
def test_the_loader_refuses_mistakes_that_the_schema_can_not_find(text: str, place: str) -> None:
    assert place in problems(text)
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://shop.example",
        "http://localhost:3000",
        "https://[::1]:8443",
        "https://xn--bcher-kva.example",
    ],
)
def test_an_origin_in_the_form_that_browsers_send_or_a_star_is_accepted(origin: str) -> None:
    text = pipeline_text(more=f'cors_origins = ["{origin}"]')
    assert read(text).pipeline.output.cors_origins == (origin,)
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example/", "https://shop.example/path", "shop.example", "https://Shop.example",
        "https://shop.example:443", "http://shop.example:80", "https://*.shop.example", "null", "",
        "ftp://shop.example", "https://shop.example:0", "https://ann@shop.example",
    ],
)  # fmt: skip
def test_an_origin_in_a_form_that_browsers_do_not_send_is_refused_with_its_line(origin: str) -> None:
    text = pipeline_text(more=f'cors_origins = [\n"{origin}"]')
    expected, found = problems(text)["output.cors_origins[0]"]
    assert expected.startswith('an origin as browsers send it, such as "https://shop.example"')
    assert found == repr(origin)
    with pytest.raises(PipelineError, match=r"line 6: output\.cors_origins\[0\]"):
        read(text)
    assert not schema_accepts(text)


def test_the_problems_of_a_family_are_reported_once_with_the_fields_of_its_table() -> None:
    told = problems(
        pipeline_text('widths = [20000]\nformats = ["webp", "avif", "jpeg"]\nquality = 70\ntarget = 9')
    )
    assert told == {
        "renditions.one.widths": ("at most 16,384 pixels with avif", "20,000"),
        "renditions.one.target": ('quality = "auto" with a target', "quality = 70"),
    }
    assert problems(pipeline_text('widths = [9, 8]\nkey = "{stem}.{ext}"')) == {
        "renditions.one.key": (
            "a key of its own for each width and format, such as one with {rendition}",
            "'photo.jpg' for one-8 and one-9",
        )
    }


def test_the_warning_about_the_key_of_a_family_is_given_once() -> None:
    (warning,) = read(pipeline_text('widths = [9, 8]\nkey = "{stem}/{width}.{ext}"')).warnings
    assert warning.startswith("line 8: renditions.one.key: ")


def test_all_problems_are_reported_in_the_order_of_the_file() -> None:
    text = pipeline_text(
        'widht = 3\nfit = "coverr"\nquality = "high"', output="./inbox", more="[acept]\n[renditions.two]\n"
    )
    told = problems(text)
    assert list(told) == [
        "output.store", "acept", "renditions.one.widht", "renditions.one.fit", "renditions.one.quality",
    ]  # fmt: skip
    assert told["output.store"] == (
        "outputs outside the source, because Renditions would process each output as a new picture",
        "output store './inbox' and source store './inbox'",
    )
    assert told["acept"][0].endswith("(did you mean 'accept'?)")
    assert told["renditions.one.widht"][0].endswith("(did you mean 'width'?)")
    assert told["renditions.one.fit"][0].endswith("(did you mean 'cover'?)")
    assert told["renditions.one.quality"] == ("a whole number from 1 to 100 or 'auto'", "'high'")


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("50 MB", 50_000_000),
        ("1.5 GB", 1_500_000_000),
        ("800kB", 800_000),
        ("10 MiB", 10 * 2**20),
        ("7 B", 7),
    ],
)
def test_sizes_with_units_are_read_as_numbers(size: str, number: int) -> None:
    assert read(pipeline_text(more=f'[accept]\nmax_bytes = "{size}"')).pipeline.accept.max_bytes == number


def test_a_toml_syntax_error_is_reported_with_its_line() -> None:
    ((place, (expected, found)),) = problems("[source\nstore = 1").items()
    assert place == "line 1, column 8"
    assert expected == "TOML"
    assert "'[source'" in found


def test_a_pipeline_file_that_can_not_be_read_is_reported_with_the_cause_and_what_to_do(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(PipelineError) as caught:
        load(missing)
    assert str(caught.value) == (
        f"can't read {missing}: there is no such file. Name another one (-p FILE), or write one with "
        "renditions init"
    )
    with pytest.raises(
        PipelineError, match=r"it is a folder\. Name the pipeline file in it, such as .*\.toml$"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"# \xe9\n", "line 1, column 3: expected UTF-8 text, found byte 0xe9"),
        (b"# \xc3\xa9\n# \xc3\xa9\xe9\n", "line 2, column 4: expected UTF-8 text, found byte 0xe9"),
        ("[source]".encode("utf-16"), "expected UTF-8 text, found UTF-16 text"),
        (b"[source]\n[source]\n", "line 2, column 8: expected TOML, found '[source]' (the table [source] is"),
        (b"[a]\nb = 1\nb = 2\n", "line 3, column 6: expected TOML, found 'b = 2' (the name is declared"),
        (b"a = " + b"[" * 100_000, "expected TOML, found values that are nested too deeply"),
    ],
)  # fmt: skip
def test_a_text_that_is_not_toml_in_utf_8_is_reported_with_its_place(
    content: bytes, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "renditions.toml"
    file.write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: {told}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "[renditions.größe]",
            "'[renditions.größe]' (with 'ö' it isn't a name of a-z, 0-9, - and _, with no ",
        ),
        (
            "[renditions.my thumb]",
            "(with a space it isn't a name of a-z, 0-9, - and _, with no - or _ first)",
        ),
        ("[[notify]]\nbücher = 1", "'bücher = 1' (a name with 'ü' must stand in quotes)"),
        ("[output.überschrift]", "(a name with 'ü' must stand in quotes)"),
        ("äpfel = 1", "(a name with 'ä' must stand in quotes)"),
        ("[output.headers.Cache Control]", "(a name with a space must stand in quotes)"),
        ("[output\nstore = 1", "'[output' (Expected ']' at the end of a table declaration)"),
        ("[output]\nstore 1", "'store 1' (Expected '=' after a key in a key/value pair)"),
    ],
)
def test_a_name_with_a_character_that_toml_allows_only_in_quotes_is_reported_as_such(
    text: str, found: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        read(text)
    assert found in str(caught.value)


def test_a_template_that_lets_pictures_share_an_output_gets_a_warning() -> None:
    (warning,) = read(pipeline_text('key = "{dir}{stem}.jpg"')).warnings
    assert "photo.jpg and photo.jpeg" in warning
    (warning,) = read(pipeline_text('key = "thumb_{name}"')).warnings
    assert "a/photo.jpg and b/photo.jpg" in warning
    assert read(pipeline_text('key = "{dir}thumb_{name}"')).warnings == ()


def test_a_store_with_a_reference_to_a_variable_gets_a_warning() -> None:
    """Only [[notify]] has references. The store would be a folder with this name."""
    (warning,) = read(pipeline_text(output="${HOME}/out")).warnings
    assert warning.startswith(
        "line 4: output.store: '${HOME}/out' stays as it is written: ${HOME} stands for"
    )
    (warning,) = read(pipeline_text(more='[catalog]\nstore = "sqlite:${DATA}/renditions.db"')).warnings
    assert "catalog.store: 'sqlite:${DATA}/renditions.db'" in warning


def test_an_accepted_format_without_a_pattern_gets_a_warning() -> None:
    accept = '[accept]\nformats = ["jpeg", "svg"]'
    (warning,) = read(pipeline_text(more=accept)).warnings
    assert "source.match has no pattern such as '*.svg'" in warning
    matched = pipeline_text(more=accept).replace('"./inbox"', '"./inbox"\nmatch = ["*.jpg", "*.svg"]')
    assert read(matched).warnings == ()


def test_an_accepted_format_is_refused_if_its_library_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (problem,) = problems(pipeline_text(more='[accept]\nformats = ["jpeg", "heic"]')).items()
    assert problem == (
        "accept.formats",
        ("the extra heic for 'heic' (pip install 'renditions[heic]')", "none"),
    )
    assert read(pipeline_text()).warnings == ()


class TestEnvironment:
    def test_the_variables_for_buckets_replace_the_stores_and_keep_the_prefixes(self) -> None:
        environ = {"SOURCE_BUCKET": "from-here", "OUTPUT_BUCKET": "to-there", "TABLE_NAME": "Records"}
        text = pipeline_text(source="s3://photos/in/", output="./processed")
        pipeline = read(text, environ).pipeline
        assert pipeline.source.store == "s3://from-here/in/"
        assert pipeline.output.store == "s3://to-there/"
        assert pipeline.catalog.store == "dynamodb:Records"

    def test_environment_variables_replace_the_prefixes_of_both_stores_and_the_key_of_the_catalog(
        self,
    ) -> None:
        environ = {"SOURCE_BUCKET": "here", "SOURCE_PREFIX": "in/", "OUTPUT_BUCKET": "there",
                   "OUTPUT_PREFIX": "processed/", "TABLE_KEY": "image_id"}  # fmt: skip
        pipeline = read(pipeline_text(), environ).pipeline
        assert (pipeline.source.store, pipeline.output.store) == ("s3://here/in/", "s3://there/processed/")
        assert pipeline.catalog.key == "image_id"
        text = pipeline_text(output="s3://photos-out/made/")
        assert read(text, {"OUTPUT_PREFIX": "other/"}).pipeline.output.store == "s3://photos-out/other/"

    def test_the_variable_for_the_prefix_has_no_effect_on_a_store_in_a_folder(self) -> None:
        assert read(pipeline_text(), {"SOURCE_PREFIX": "in/"}).pipeline.source.store == "./inbox"

    def test_a_catalog_key_with_the_name_of_a_record_attribute_is_refused(self) -> None:
        assert "catalog.key" in problems(pipeline_text(), {"TABLE_KEY": "status"})
        assert "TABLE_KEY" in problems(pipeline_text(), {"TABLE_KEY": "image id"})

    def test_the_topic_variable_replaces_the_sns_targets_or_adds_a_target(self) -> None:
        arn = "arn:aws:sns:eu-west-1:123456789012:topic"
        pipeline = read(pipeline_text(), {"SNS_TOPIC_ARN": arn}).pipeline
        assert pipeline.notify == (Notify(on=("removals_held", "output_held"), to=f"sns:{arn}"),)
        text = pipeline_text(more='[[notify]]\non = ["failed"]\nto = "log:"')
        log, topic = read(text, {"SNS_TOPIC_ARN": arn}).pipeline.notify
        assert (log, topic) == (Notify(on=("failed",), to="log:"), Notify(on=("failed",), to=f"sns:{arn}"))
        text = pipeline_text(more='[[notify]]\non = ["done"]\nto = "sns:arn:aws:sns:other"')
        assert read(text, {"SNS_TOPIC_ARN": arn}).pipeline.notify == (Notify(on=("done",), to=f"sns:{arn}"),)

    def test_empty_environment_variables_count_as_unset(self) -> None:
        assert read(pipeline_text(), {"SOURCE_BUCKET": ""}).pipeline.source.store == "./inbox"

    def test_the_problem_with_a_variable_names_the_variable(self) -> None:
        assert "SOURCE_BUCKET" in problems(pipeline_text(), {"SOURCE_BUCKET": "Not A Bucket"})


def test_the_url_of_a_bucket_and_the_path_of_a_folder_are_parsed() -> None:
    assert parse_store("s3://photos/in", HERE) == S3Place("photos", "in/")
    assert parse_store("s3://photos", HERE) == S3Place("photos", "")
    assert parse_store("./inbox", HERE) == FolderPlace(HERE / "inbox")
    assert parse_store("/abs", HERE) == FolderPlace(Path("/abs"))


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_is_valid_without_warnings(name: str) -> None:
    assert read(read_preset(name)).warnings == ()
    assert schema_accepts(read_preset(name))


def test_exactly_the_documented_presets_exist_and_a_similar_name_is_suggested() -> None:
    assert preset_names() == ["base64", "gallery", "shop", "square", "thumbnail", "web"]
    with pytest.raises(UsageError, match="did you mean 'square'"):
        read_preset("sqaure")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 70_000) | st.floats(allow_nan=False) | st.text(max_size=9)
    | st.sampled_from(["cover", "jpeg", "auto", "base64", "webp", "50 MB", "white", "{key}", "log:"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_loader_and_schema_agree_on_files_changed_at_random(data: Any) -> None:
    """The loader may refuse more, but only by rules that the schema doesn't have."""
    document = copy.deepcopy(tomllib.loads(GOOD))
    for _ in range(data.draw(st.integers(1, 3))):
        table: Any = document
        while True:
            places = list(table) if isinstance(table, dict) else list(range(len(table)))
            place = data.draw(st.sampled_from(places) if places else st.nothing())
            if not isinstance(table[place], dict | list) or not table[place] or data.draw(st.booleans()):
                break
            table = table[place]
        if data.draw(st.booleans()):
            table[place] = data.draw(values.filter(lambda value: value is not None))
        elif isinstance(table, dict):
            table[
                data.draw(
                    st.sampled_from(["width", "widths", "fit", "format", "formats", "qualty", "effort"])
                )
            ] = table.pop(place)
        if not document:
            break
    accepted = bool(jsonschema.Draft202012Validator(json_schema()).is_valid(document))
    try:
        check(document, "renditions.toml", HERE, {})
    except PipelineError as error:
        assert error.problems  # noqa: PT017 - either outcome is allowed
        if accepted:
            beyond = (
                "a key of its own", "a key other than", "a key that isn't", "outputs outside the source",
                "at least the", "at most", "left and width", "top and height",
                "a file outside the source", "a path that the file system can have",
                "names that renditions.",
            )  # fmt: skip
            assert any(  # noqa: PT017 - as above
                problem.expected.startswith(beyond) for problem in error.problems
            ), str(error)
    else:
        assert accepted
