"""Render one damaged file in the pool of worker processes, and check the answer."""

from __future__ import annotations

import io
import json
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pypdfium2
from PIL import Image

from fuzz.damage import damaged
from fuzz.seeds import seeds
from imaging.dicoms import SECRET
from imaging.fonts import make_collection, make_font
from imaging.pictures import encoded, photo
from renditions.errors import Failed, RenderTimedOut, WorkerDied
from renditions.imaging.typeface import default_font
from renditions.local.workers.pool import START_SECONDS, RenderPool
from renditions.model.fields import Attachment
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.original import Analysis
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Region, Rendition, Watermark
from renditions.model.rendering import Rendered, Rendering

MARGIN_SECONDS = START_SECONDS + 5.0
"""How much later than the time limit the answer may arrive, because a worker may have to start first."""
LIMITS = Limits(memory=800_000_000)
SECONDS = float(LIMITS.seconds)
"""The time limit of one picture."""
MEMORY_BYTES = LIMITS.memory + 200_000_000
"""The most memory that a worker process may ever hold: more than the limit, which is checked at intervals."""
_STRICT = Accept(formats=tuple(SOURCE_FORMATS), max_pixels=30_000_000)
_ACCEPTS = (
    _STRICT,
    replace(_STRICT, damaged="lenient"),
    replace(_STRICT, min_sharpness=20.0),
)
"""The rules, which the files use in turn. One of them accepts damaged files."""
_ANALYZES = tuple(
    Analyze(
        exif=True, position=True, colours=5, placeholder=placeholder, perceptual_hash=True, sharpness=True,
        transparency=True,
    )
    for placeholder in ("thumbhash", "blurhash")
)  # fmt: skip
MAX_ANALYSIS_CHARACTERS = 3_000
"""How long the JSON of an analysis may be, so that records stay small for any file."""
_FONTS = Attachment(
    "boxes.ttc",
    make_collection(
        make_font(dict.fromkeys("our", (600, 700))),
        make_font({"\U0001f600": (900, 900), "s": (500, 500)}, layers={"\U0001f600": [("s", (1, 0, 0, 1))]}),
    ),
)
_LOGO = Attachment("logo.png", encoded(photo(24, 16), "png"))
RECIPES = (
    {"thumb": Rendition(width=48, height=48), "tiny": Rendition(width=16, format="avif", effort=0)},
    {"cover": Rendition(width=32, height=24, fit="cover", gravity="attention", format="webp", effort=0)},
    {
        "page": Rendition(width=40, format="pdf", page_size="a5"),
        "png": Rendition(width=30, metadata="copyright", format="png"),
    },
    {
        "own": Rendition(width=24, format="auto", animation="keep", metadata="all"),
        "kept": Rendition(width=24, format="avif", effort=0, profile="keep"),
        "kept png": Rendition(width=24, format="png", profile="keep"),
    },
    {
        "moving": Rendition(width=24, format="webp", effort=0, animation="keep", metadata="copyright"),
        "trimmed": Rendition(width=24, format="gif", animation="keep", trim=5),
    },
    {
        "copy": Rendition(skip_if_larger=True, metadata="all"),
        "copy png": Rendition(format="png", skip_if_larger=True, metadata="all", profile="keep"),
        "copy webp": Rendition(format="webp", skip_if_larger=True),
    },
    {
        "searched": Rendition(width=40, quality="auto", metadata="copyright"),
        "few bytes": Rendition(width=40, format="webp", effort=0, max_bytes=700),
        "text": Rendition(format="base64", data_uri=True),
    },
    {
        "drawn": Rendition(
            width=40, height=30, fit="contain", padding=2, background="#8090a0", rotate=90, flip="both",
            tint="#a0b0c0", watermark=Watermark(text="ours 山"),
        ),
        "palette": Rendition(width=40, format="png", palette=16),
    },
    {
        "part": Rendition(width=30, crop=Region(left=20, top=10, width=50, height=60), trim=10),
        "pages": Rendition(width=30, format="tiff", pages="all", profile="keep", metadata="all"),
        "document": Rendition(width=30, format="pdf", pages="1-2", dpi=100),
    },
    {
        "large": Rendition(
            width=64, height=64, fit="cover", gravity="attention", enlarge=True, format="gif",
            animation="keep",
        ),
        "softer": Rendition(width=24, format="png", profile="keep", blur=1.0),
    },
    {
        "marked": Rendition(
            width=40, format="webp", effort=0, watermark=Watermark(text="our 山\u2003", font=_FONTS, size=60),
        ),
        "smiling": Rendition(
            width=40, format="png", watermark=Watermark(text="\U0001f600 ours", font=_FONTS, face=1),
        ),
        "logo": Rendition(width=40, watermark=Watermark(image=_LOGO, tile=True)),
    },
    {
        "plain": Rendition(width=40, format="png"),
        # These renditions can't be made of any picture.
        "huge": Rendition(width=16_000, height=16_000, fit="contain", format="webp"),
        "late page": Rendition(width=40, format="tiff", pages="70-71"),
        "no font": Rendition(
            width=40, format="png",
            watermark=Watermark(text="ours", font=Attachment("cut off.ttf", default_font()[:300])),
        ),
    },
)  # fmt: skip
"""The recipes, which the files use in turn."""


@dataclass(frozen=True, slots=True)
class Order:
    """The settings that a trial renders one file with."""

    accept: Accept
    recipes: dict[str, Rendition]
    analyze: Analyze


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one file."""

    seed: str
    content: bytes
    kind: str
    """``made``, ``partly made``, ``rejected``, ``too slow``, ``worker died`` or ``failed``."""
    seconds: float
    message: str = ""
    broken_promise: str = ""
    """A description of a broken promise; empty if there is none."""


def file_of(number: int) -> tuple[str, bytes]:
    """Return the seed's name and the damaged file of this number.

    They depend only on the number.
    """
    return damaged(seeds(), Random(number))  # noqa: S311 - nothing here is secret


def order_of(number: int) -> Order:
    """Return the settings that the file of this number is rendered with."""
    turn, at = divmod(number, len(RECIPES))
    return Order(_ACCEPTS[turn % len(_ACCEPTS)], RECIPES[at], _ANALYZES[turn % len(_ANALYZES)])


def try_file(pool: RenderPool, number: int) -> Verdict:
    """Render the file of this number; return a verdict on the answer."""
    seed, content = file_of(number)
    order = order_of(number)
    began = time.monotonic()
    broken = ""
    try:
        rendering = pool(content, order.accept, order.recipes, order.analyze)
    except RenderTimedOut as error:
        kind, message = "too slow", str(error)
    except WorkerDied as error:
        kind, message = "worker died", str(error)
    except Failed as error:
        # The pool's message for an unexpected exception: a bug.
        kind, message, broken = "failed", "", f"a failure that isn't time or a worker's death: {error}"
    else:
        kind, message = _kind_of(rendering)
        broken = _find_fault(rendering, order.recipes)
    seconds = time.monotonic() - began
    if seconds > SECONDS + MARGIN_SECONDS:
        broken = broken or f"an answer after {seconds:.1f} s"
    if not broken and (used := peak_memory_bytes()) > MEMORY_BYTES:
        broken = f"a worker process of {used:,} bytes"
    return Verdict(seed, content, kind, seconds, message, broken)


def _kind_of(rendering: Rendering) -> tuple[str, str]:
    if rendering.rejected is not None:
        return "rejected", rendering.rejected.text
    if rendering.errors:
        return "partly made", "; ".join(map(str, rendering.errors.values()))
    return "made", ""


def _find_fault(rendering: Rendering, recipes: dict[str, Rendition]) -> str:
    """Return the promise that an answer breaks, or an empty text."""
    if rendering.original.format == "dicom" and SECRET in repr(rendering):
        return "the patient's name in an answer"
    if rendering.rejected is not None:
        text = rendering.rejected.text
        is_reason = text != "" and text.isprintable()
        return "" if is_reason and not rendering.made else f"refused as {text!r}"
    if set(rendering.made) | set(rendering.errors) != set(recipes):
        return f"{sorted(rendering.made)} and {sorted(rendering.errors)} of {sorted(recipes)}"
    if fault := _find_fault_in(rendering.original.analysis):
        return fault
    original = rendering.original.width or 0, rendering.original.height or 0
    is_drawn = SOURCE_FORMATS[rendering.original.format or ""].shrink_on_load == "drawn"
    for name, made in rendering.made.items():
        recipe = recipes[name]
        if recipe.format == "base64":
            continue  # the file itself
        try:
            size = _decode(made)
        except Exception as error:  # noqa: BLE001 - whatever another decoder says of it
            return f"{name}: {made.format} that doesn't decode: {error}"
        pixels = made.width or 0, made.height or 0
        if size != _on_paper(pixels, recipe) or not _is_promised(original, recipe, pixels, is_drawn=is_drawn):
            return f"{name}: {size} of {original}, reported as {made.width} by {made.height}"
    return ""


def _find_fault_in(analysis: Analysis | None) -> str:
    if analysis is None:
        return "a picture without an analysis"
    try:
        told = json.dumps(analysis.to_item(), allow_nan=False)
    except ValueError as error:
        return f"{analysis}, which has no JSON: {error}"
    return f"{len(told):,} characters of analysis" if len(told) > MAX_ANALYSIS_CHARACTERS else ""


def _on_paper(size: tuple[int, int], recipe: Rendition) -> tuple[int, int]:
    """Return the size of a PDF's page in points, and of other files in pixels."""
    if recipe.page_size:
        return (420, 595) if size[0] <= size[1] else (595, 420)  # A5
    scale = 72 / recipe.dpi if recipe.dpi else 1
    return round(size[0] * scale), round(size[1] * scale)


def _is_promised(
    original: tuple[int, int], recipe: Rendition, size: tuple[int, int], *, is_drawn: bool
) -> bool:
    """Return whether the recipe can give this size, apart from rounding."""
    if recipe.crop or recipe.trim is not None:
        return True  # the size of the part isn't known here
    box = recipe.width or original[0], recipe.height or original[1]
    if recipe.fit == "contain":
        return size == tuple(side + 2 * recipe.padding for side in box)
    if recipe.fit == "cover":
        return size == box if recipe.enlarge else size[0] <= box[0] and size[1] <= box[1]
    scale = min(box[0] / original[0], box[1] / original[1]) if recipe.height else box[0] / original[0]
    scale = scale if is_drawn else min(scale, 1)
    return all(abs(side - max(1, whole * scale)) <= 0.51 for side, whole in zip(size, original, strict=True))


def _decode(made: Rendered) -> tuple[int, int]:
    """Decode every frame, or the first page of a PDF, with another decoder.

    Return the picture's size.
    """
    if made.format == "pdf":
        document = pypdfium2.PdfDocument(made.content)
        width, height = document[0].get_size()
        document[0].render(scale=1)
        document.close()
        return round(width), round(height)
    with Image.open(io.BytesIO(made.content)) as picture:
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            picture.load()
        return picture.size


def peak_memory_bytes() -> int:
    """Return the most memory that a running worker process has used so far.

    Only workers that the main thread started count. The result is 0 on other systems than Linux.
    """
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    pids = children.read_text().split() if children.exists() else []
    return max(map(_peak_of, pids), default=0)


def _peak_of(pid: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
