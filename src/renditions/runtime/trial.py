"""Try recipes on one picture.

A trial renders the picture without a store, measures the files, and shows how they look.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from renditions.core.ports import Renderer
from renditions.errors import UsageError
from renditions.local.workers.pool import RENDER_MEASURED, RenderPool
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.items import without_empty
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import NOT_OF_THE_BYTES, OF_THE_ENCODER, Region, Rendition
from renditions.model.rendering import Rendered
from renditions.model.warning import PictureWarning
from renditions.pipeline_file.reading import change_recipe
from renditions.runtime.alone import Recipes, read_picture, render_alone

SIDE = 320
"""The longest side of a detail, in pixels."""
_GAP, _LINE = 12, 20
_ACROSS = 4
"""How many details one row has at most."""


@contextmanager
def open_trial(limits: Limits) -> Iterator[Renderer]:
    """Yield a renderer that also measures each rendition.

    Its time limit is twice ``limits.seconds``, because measuring takes time.
    """
    with RenderPool(1, 2 * limits.seconds, RENDER_MEASURED, limits) as render:
        yield render


def parse_setting(text: str) -> tuple[str, Any]:
    """Return the field and the value of a setting such as ``quality=60``.

    A value is spelled as in the pipeline file. A text needs no quotes.

    Raises:
        UsageError: The text isn't a field and a value, or the field doesn't change the bytes.

    """
    field, value = _split(text, "--set quality=60")
    return field, _read_value(value)


def parse_comparison(text: str) -> tuple[str, Mapping[str, Any]]:
    """Return the field and the values of a text such as ``quality=50,60,70``.

    The keys of the mapping are the values as texts.

    Raises:
        UsageError: The text isn't a field with at least two values, or the field doesn't change the bytes.

    """
    example = "--compare quality=50,60,70"
    field, value = _split(text, example)
    values = {_spell(each): each for each in _read_values(value)}
    if len(values) < 2:
        raise UsageError(f"{text!r}: expected a field with at least two values, such as {example}")
    return field, values


def _split(text: str, example: str) -> tuple[str, str]:
    field, found, value = text.partition("=")
    if not (found and field.strip() and value.strip()):
        raise UsageError(f"expected a field and its value, such as {example}, found {text!r}")
    if (field := field.strip()) in NOT_OF_THE_BYTES:
        raise UsageError(
            f"{field} changes no byte of a rendition, so there is nothing to try. Choose another field"
        )
    return field, value.strip()


def _read_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _read_values(text: str) -> list[Any]:
    try:
        return list(tomllib.loads(f"values = [{text}]")["values"])
    except ValueError:
        return [_read_value(each.strip()) for each in text.split(",")]


def _spell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def change(recipes: Recipes, changes: Mapping[str, Any], directory: Path) -> Recipes:
    """Return the recipes with these fields changed in all renditions.

    Raises:
        PipelineError: A rendition can't have these values.

    """
    if not changes:
        return recipes
    changed = {
        name: change_recipe(name, recipe, changes, directory) for name, recipe in recipes.renditions.items()
    }
    return replace(recipes, renditions=changed)


@dataclass(frozen=True, slots=True)
class Tried:
    """One rendition with one setting: the file, or why there is none."""

    picture: str
    """The name of the picture's file."""
    rendition: str
    """The rendition's name; empty if the picture itself can't be rendered."""
    setting: str = ""
    """The compared value, such as ``quality=50``; empty without a comparison."""
    made: Rendered | None = None
    reason: str = ""
    """Why there is no file."""
    is_failed: bool = False
    """Whether something other than the picture failed, so that another try may help."""

    def file_name(self) -> str:
        """Return the name of the rendition's file, such as ``thumb.quality-50.jpg``."""
        assert self.made  # noqa: S101 - only finished renditions have files
        setting = re.sub(r"[^\w.]+", "-", self.setting).strip("-")
        parts = (self.rendition, setting, OUTPUT_FORMATS[self.made.format].extension)
        return ".".join(filter(None, parts))

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the result, for ``renditions try --json``."""
        item: dict[str, Any] = {"picture": self.picture, "rendition": self.rendition}
        item["setting"] = self.setting or None
        item["reason"] = self.reason or None
        if made := self.made:
            item |= {"format": made.format, "width": made.width, "height": made.height}
            item["size_bytes"] = len(made.content)
            if measured := made.measured:
                item |= {"quality": measured.quality, "score": measured.score}
            if made.seconds is not None:
                item["seconds"] = round(made.seconds, 4)
        return without_empty(item)


def try_picture(
    render: Renderer, path: Path, settings: Mapping[str, Recipes]
) -> tuple[list[Tried], list[PictureWarning]]:
    """Render a picture with each setting; return the results and the warnings.

    Raises:
        UsageError: The file can't be read.
        Rejected: The picture breaks a rule, is damaged, or isn't a picture.
        Failed: Something other than the picture failed.

    """
    tried: list[Tried] = []
    warnings: dict[PictureWarning, None] = {}
    for setting, recipes in settings.items():
        rendered = render_alone(render, read_picture(path, recipes.accept), recipes)
        warnings |= dict.fromkeys(rendered.warnings)
        for name in recipes.renditions:
            reason = rendered.errors[name].text if name in rendered.errors else ""
            tried.append(Tried(path.name, name, setting, rendered.outputs.get(name), reason))
    return tried, list(warnings)


@dataclass(frozen=True, slots=True)
class Panel:
    """One file in the picture that :func:`draw_details` draws, and its label."""

    label: str
    made: Rendered


def draw_details(
    render: Renderer, content: bytes, recipe: Rendition, panels: Sequence[Panel]
) -> bytes | None:
    """Return a PNG with the middle of each file side by side.

    The pixels before encoding come first, if they have the same dimensions as every file. Return None if a
    file can't be shown, such as a PDF. The worker decodes and draws everything: this process only writes the
    SVG around the details.

    Raises:
        Rejected: A detail or the drawing can't be rendered.
        Failed: Something other than the pictures failed.

    """
    if not all(_is_shown(panel.made) for panel in panels):
        return None
    panels = [*_find_reference(render, content, recipe, panels), *panels]
    details = [(panel.label, *_cut_detail(render, panel.made)) for panel in panels]
    drawing = _draw(details).encode()
    accept = Accept(formats=("svg",), max_bytes=max(len(drawing), Accept().max_bytes))
    sheet = Recipes({"details": Rendition(format="png")}, accept)
    return render_alone(render, drawing, sheet)["details"].content


def _is_shown(made: Rendered) -> bool:
    return OUTPUT_FORMATS[made.format].browser_rank is not None and made.format in SOURCE_FORMATS


def _find_reference(
    render: Renderer, content: bytes, recipe: Rendition, panels: Sequence[Panel]
) -> list[Panel]:
    """Return a panel with the pixels before encoding.

    Return no panel if a file has other dimensions.
    """
    plain = Rendition()
    lossless = replace(
        recipe, format="png", **{field: getattr(plain, field) for field in (*OF_THE_ENCODER, "animation")}
    )
    made = render_alone(render, content, Recipes({"reference": lossless}, _ANY))["reference"]
    is_same = all((each.made.width, each.made.height) == (made.width, made.height) for each in panels)
    return [Panel("before encoding", made)] if is_same else []


_ANY = Accept(formats=tuple(SOURCE_FORMATS), max_bytes=10**12, burned_in_annotation=True)
"""The rules for a picture that was accepted before, and for its renditions."""


def _cut_detail(render: Renderer, made: Rendered) -> tuple[bytes, int, int]:
    width, height = made.width or 1, made.height or 1
    side_x, side_y = min(SIDE, width), min(SIDE, height)
    left, top = (width - side_x) // 2, (height - side_y) // 2
    region = Region(
        left=100 * left / width,
        top=100 * top / height,
        width=100 * side_x / width,
        height=100 * side_y / height,
    )
    recipe = Rendition(format="png", crop=region)
    cut = render_alone(render, made.content, Recipes({"detail": recipe}, _ANY))["detail"]
    return cut.content, cut.width or side_x, cut.height or side_y


def _draw(details: Sequence[tuple[str, bytes, int, int]]) -> str:
    """Return the SVG with the details in rows, each above its label."""
    wide = max(width for _, _, width, _ in details)
    high = max(height for _, _, _, height in details)
    step_x, step_y = wide + _GAP, high + _LINE + 2 * _GAP
    across = min(_ACROSS, len(details))
    rows = -(-len(details) // across)
    parts = []
    for number, (label, content, width, height) in enumerate(details):
        x, y = _GAP + number % across * step_x, _GAP + number // across * step_y
        uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        parts.append(f'<image x="{x}" y="{y}" width="{width}" height="{height}" href="{uri}"/>')
        parts.append(f'<text x="{x}" y="{y + high + _LINE}" font-size="14">{escape(label)}</text>')
    size = f'width="{across * step_x + _GAP}" height="{rows * step_y}"'
    white = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{white}{"".join(parts)}</svg>'
