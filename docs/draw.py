"""``make pictures``: draws the documents' pictures, and writes ``fields.md``.

The pictures come from the engine itself.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import pyvips
from examples import EXAMPLES, Example, View
from PIL import ExifTags, Image, ImageCms, ImageDraw, ImageFile, ImageFont, ImageOps, ImageSequence
from pypdfium2 import PdfDocument

from renditions.demo.scenery import draw_pictures
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered
from renditions.pipeline_file.reading import parse

DOCUMENTS = Path(__file__).parent
IMAGES = DOCUMENTS / "images"
PAPER = "#f6f6f4"
INK = "#303030"
GAP_PIXELS = 16
TEXT_PIXELS = 13
_PAPER_SCALE = 0.25
"""Pixels per point of a PDF's page."""

SHEET_PICTURES = ("mountains.jpg", "portrait.jpg", "leaf.png", "sea.jpg")
SHEET_RECIPES = (
    Rendition(width=220, height=165),
    Rendition(width=220, height=220, fit="cover", gravity="attention"),
    Rendition(width=220, height=140, fit="contain", background="#20242c", sepia=True),
)
INTRODUCTION = """\
# What each field of a rendition does

Drawn by the engine itself (`make pictures`), from the pictures of `renditions demo`. Types, defaults and
the order of operations are in [pipeline-file.md](pipeline-file.md).
"""


def main() -> None:
    """Draw every picture again."""
    with tempfile.TemporaryDirectory() as folder:
        draw_originals(Path(folder))
        rows = [
            [_open(_make(Path(folder, name).read_bytes(), recipe)) for name in SHEET_PICTURES]
            for recipe in SHEET_RECIPES
        ]
        _save(lay_out(rows), "renditions")
        for field, example in EXAMPLES.items():
            _save(draw_example(Path(folder), example), f"fields/{field}")
    (DOCUMENTS / "fields.md").write_text(fields_page())


def draw_originals(folder: Path) -> None:
    """Draw the pictures that the examples are made of."""
    draw_pictures(folder)
    _sign(folder / "sea.jpg", folder / "signed.jpg")
    _widen(folder / "sea.jpg", folder / "wide.jpg")
    Image.open(folder / "sea.jpg").resize((320, 180)).save(folder / "small.jpg", quality=80)
    _bind([folder / name for name in SHEET_PICTURES[:3]], folder / "album.tif")


def fields_page() -> str:
    """Return the text of ``fields.md``."""
    hints = get_type_hints(Rendition, include_extras=True)
    parts = [INTRODUCTION]
    for spec in fields(Rendition):
        hint = hints[spec.name]
        sentence = get_args(hint)[-1] if get_origin(hint) is Annotated else ""
        parts.append(f"## `{spec.name}`\n\n{sentence}\n\n![{spec.name}](images/fields/{spec.name}.webp)\n")
    return "\n".join(parts)


def parse_example(lines: str) -> Pipeline:
    """Return a pipeline of one rendition or family, ``thumb``, from these lines."""
    head = '[source]\nstore = "in"\n[output]\nstore = "out"\n[renditions.thumb]\n'
    return parse(head + lines, "examples.py", DOCUMENTS, {}).pipeline


def draw_example(folder: Path, example: Example) -> Image.Image:
    """Return the example's renditions side by side, each with its first line below."""
    file = folder / example.picture
    content = file.read_bytes()
    cells = []
    for lines in example.lines:
        pipeline = parse_example(lines)
        caption = lines.partition("\n")[0] or "(default)"
        if example.view == "key":
            keys = pipeline.output_keys(f"2026/{file.name}", "").values()
            cell = _write([*keys] or ["(nothing yet)"], 280)
        else:
            rendered = _make(content, pipeline.renditions["thumb"])
            cell = _show(rendered, example.view)
            if rendered.format != "base64":
                caption += f"\n{rendered.width} by {rendered.height}, {_size(len(rendered.content))}"
        cells.append(_caption(cell, caption))
    return lay_out([cells])


def lay_out(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return the pictures side by side on paper, each in the middle of its cell."""
    widths = [
        max(row[at].width for row in rows if at < len(row)) for at in range(max(len(row) for row in rows))
    ]
    heights = [max(picture.height for picture in row) for row in rows]
    size = sum(widths) + (len(widths) + 1) * GAP_PIXELS, sum(heights) + (len(rows) + 1) * GAP_PIXELS
    sheet = Image.new("RGB", size, PAPER)
    top = GAP_PIXELS
    for row, height in zip(rows, heights, strict=True):
        left = GAP_PIXELS
        for width, picture in zip(widths, row, strict=False):
            sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
            left += width + GAP_PIXELS
        top += height + GAP_PIXELS
    return sheet


def _make(content: bytes, recipe: Rendition) -> Rendered:
    """Return what the recipe makes of the picture."""
    rendering = render(content, Accept(), {"it": recipe})
    if "it" not in rendering.made:
        raise SystemExit(f"{recipe}: {rendering.rejected or rendering.errors['it']}")
    return rendering.made["it"]


def _show(rendered: Rendered, view: View) -> Image.Image:
    """Return the view of one rendition."""
    content = rendered.content
    match view:
        case "text":
            text = content[:120].decode()
            return _write([text[at : at + 30] for at in range(0, len(text), 30)] + ["…"], 280)
        case "metadata":
            return _write(_describe(content), 280)
        case "frames":
            frames = [
                frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))
            ]
            return lay_out([frames[:: max(1, len(frames) // 3)][:3]])
        case "half a file":
            ImageFile.LOAD_TRUNCATED_IMAGES = True
            half = Image.open(io.BytesIO(content[: len(content) // 2])).convert("RGB")
            ImageFile.LOAD_TRUNCATED_IMAGES = False
            return half
        case "paper":
            with PdfDocument(rendered.content) as document:
                page: Image.Image = document[0].render(scale=_PAPER_SCALE).to_pil()
                return page.convert("RGB")
        case "detail":
            picture = _open(rendered)
            width, height = picture.width // 8, picture.height // 8
            left, top = int(picture.width * 0.42), int(picture.height * 0.3)
            part = picture.crop((left, top, left + width, top + height))
            return part.resize((width * 4, height * 4), Image.Resampling.NEAREST)
        case _:
            return _open(rendered)


def _open(rendered: Rendered) -> Image.Image:
    """Return the file's picture on a chequered background."""
    picture = Image.open(io.BytesIO(rendered.content)).convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    draw = ImageDraw.Draw(ground)
    for top in range(0, picture.height, 8):
        for left in range(top // 8 % 2 * 8, picture.width, 16):
            draw.rectangle((left, top, left + 7, top + 7), "#dcdcdc")
    return Image.alpha_composite(ground, picture).convert("RGB")


def _describe(content: bytes) -> list[str]:
    exif = Image.open(io.BytesIO(content)).getexif()
    told = [f"{ExifTags.TAGS[tag]}: {value}" for tag, value in exif.items() if isinstance(value, str)]
    told += ["GPSLatitude: …"] if exif.get_ifd(ExifTags.IFD.GPSInfo) else []
    if profile := Image.open(io.BytesIO(content)).info.get("icc_profile"):
        told.append(f"ICC profile: {ImageCms.getProfileDescription(io.BytesIO(profile)).strip()}")
    return told or ["(nothing)"]


def _sign(source: Path, target: Path) -> None:
    """Write the picture again with metadata."""
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright], exif[ExifTags.Base.Artist] = "2026 Ann Example", "Ann Example"
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 0.0)
    Image.open(source).save(target, exif=exif, quality=92)


def _widen(source: Path, target: Path) -> None:
    """Write the picture again in Display P3, with its profile."""
    pixels = Image.open(source).convert("RGB")
    wide = pyvips.Image.new_from_array(pixels).icc_transform("p3", input_profile="srgb")
    target.write_bytes(wide.jpegsave_buffer(Q=92))


def _bind(sources: Sequence[Path], target: Path) -> None:
    """Write the pictures as the pages of one TIFF."""
    first, *others = [ImageOps.exif_transpose(Image.open(source)).convert("RGB") for source in sources]
    first.save(target, save_all=True, append_images=others)


def _write(lines: Iterable[str], width: int) -> Image.Image:
    """Return a card with lines of text."""
    lines = list(lines)
    card = Image.new("RGB", (width, len(lines) * (TEXT_PIXELS + 6) + 16), "white")
    font = ImageFont.load_default(TEXT_PIXELS)
    for number, line in enumerate(lines):
        ImageDraw.Draw(card).text((10, 8 + number * (TEXT_PIXELS + 6)), line, INK, font)
    return card


def _caption(picture: Image.Image, text: str) -> Image.Image:
    """Return the picture with text below it."""
    font = ImageFont.load_default(TEXT_PIXELS)
    left, _, right, bottom = ImageDraw.Draw(picture).multiline_textbbox((0, 0), text, font)
    card = Image.new(
        "RGB", (max(picture.width, int(right - left) + 2), picture.height + int(bottom) + 10), PAPER
    )
    card.paste(picture, ((card.width - picture.width) // 2, 0))
    ImageDraw.Draw(card).multiline_text((0, picture.height + 6), text, INK, font)
    return card


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1000:.1f} kB"


def _save(picture: Image.Image, name: str) -> None:
    file = IMAGES / f"{name}.webp"
    file.parent.mkdir(exist_ok=True)
    picture.save(file, quality=90, method=6)


if __name__ == "__main__":
    main()
