"""One declared rendition: its fields, their operations, and its fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, Literal

from renditions.model.fields import (
    ByteCount,
    Colour,
    FontFile,
    KeyTemplate,
    Line,
    NotEmpty,
    OneOf,
    OpaqueColour,
    PageChoice,
    Percent,
    PictureFile,
    Range,
    RangeOr,
    Side,
    declared_in,
    hash_of,
    parse_template,
)
from renditions.model.formats import AUTO, OUTPUT_FORMATS, OutputName

Fit = Literal["inside", "cover", "contain", "fill", "outside"]
Gravity = Literal[
    "center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest",
    "attention", "entropy", "focus",
]  # fmt: skip
Compass = Literal[
    "center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest",
]  # fmt: skip
Rotation = Literal[0, 90, 180, 270]
Flip = Literal["none", "horizontal", "vertical", "both"]
PageSize = Literal["a3", "a4", "a5", "letter", "legal"]
Animation = Literal["first", "keep"]
Metadata = Literal["none", "copyright", "all"]
Chroma = Literal["420", "444"]
Profile = Literal["srgb", "keep"]

FamilyFormat = Annotated[
    str, OneOf(tuple(each.name for each in OUTPUT_FORMATS.values() if each.browser_rank))
]
"""A format that browsers show."""

NOT_OF_THE_BYTES = ("key", "on_demand", "widths", "formats")
"""The fields of a rendition that don't affect its content."""

OF_THE_ENCODER = (
    "quality", "target", "effort", "lossless", "metadata", "progressive", "chroma", "palette", "dpi",
    "page_size", "data_uri", "max_bytes", "skip_if_larger",
)  # fmt: skip
"""The fields that change how the finished pixels are encoded, but not the pixels before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A picture or a text that is drawn over a rendition."""

    image: Annotated[
        PictureFile | None,
        'A picture file, relative to the folder of the pipeline file, or "source:KEY" in the source store.',
    ] = None
    text: Annotated[Line | None, "A line of text, drawn with a thin outline of the opposite tone."] = None
    font: Annotated[
        FontFile | None,
        "A TrueType or OpenType font file or collection, relative to the folder of the pipeline file. The "
        "bundled Open Sans draws the characters that the font lacks, and all text if no font is named.",
    ] = None
    face: Annotated[
        Annotated[int, Range(0, 255)] | None,
        "The number of the font in a collection, from 0. By default, the first of the fonts that lack the "
        "fewest characters.",
    ] = None
    colour: Annotated[Colour, "The text's colour."] = "white"
    size: Annotated[
        Annotated[float, Range(1, 100)],
        "The mark's width, in percent of the rendition's width. A mark is never higher than the rendition.",
    ] = 25.0
    gravity: Annotated[Compass, "Where the mark is."] = "southeast"
    offset: Annotated[
        Annotated[float, Range(0, 50)],
        "How far the mark is from the edges, in percent of the rendition's shorter side.",
    ] = 2.0
    opacity: Annotated[
        Annotated[float, Range(1, 100)],
        "How opaque the mark is, in percent: 100 hides the rendition below it.",
    ] = 60.0
    tile: Annotated[bool, "Whether the mark is repeated over the whole rendition."] = False
    gap: Annotated[
        Annotated[float, Range(0, 100)],
        "The distance between repeated marks, in percent of the rendition's shorter side.",
    ] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part within a picture, in percent of its width and height."""

    left: Annotated[Percent, "The left edge, in percent of the picture's width."] = 0.0
    top: Annotated[Percent, "The top edge, in percent of the picture's height."] = 0.0
    width: Annotated[Annotated[float, Range(0.01, 100)], "The width, in percent of the picture's width."]
    height: Annotated[Annotated[float, Range(0.01, 100)], "The height, in percent of the picture's height."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """A point of a picture, in percent of its width and height."""

    x: Annotated[Percent, "The distance from the left edge, in percent."]
    y: Annotated[Percent, "The distance from the top edge, in percent."]

    def within(self, region: Region) -> Focus:
        """Return the point relative to a part of the picture.

        For a point outside the part, return the nearest point of the part.
        """
        return Focus(
            x=_bounded((self.x - region.left) / region.width),
            y=_bounded((self.y - region.top) / region.height),
        )

    def turned(self, rotate: Rotation, flip: Flip) -> Focus:
        """Return the point's place after a clockwise rotation and then a mirroring."""
        x, y = self.x, self.y
        for _ in range(rotate // 90):
            x, y = 100 - y, x
        return Focus(
            x=100 - x if flip in ("horizontal", "both") else x,
            y=100 - y if flip in ("vertical", "both") else y,
        )


def _bounded(share: float) -> float:
    return min(max(100 * share, 0.0), 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One declared result, made from pictures.

    The order of operations is fixed, and doesn't depend on the order of the fields in the file: orient,
    crop, trim, rotate, flip, resize, cut (cover), adjust (grayscale, sepia, brightness, contrast,
    saturation, gamma, negate), tint, blur, sharpen, pixelate, pad (contain), corners, padding, watermark,
    flatten, encode.
    """

    key: Annotated[
        KeyTemplate,
        "The output's key, from {key} {dir} {name} {stem} (of the picture) and {rendition} {format} {ext} "
        "{width} {height} (as declared). Also from {hash} (of the picture's content), {version} (of its "
        "content and this recipe) and {etag} (the picture's ETag in the source store).",
    ] = "{dir}{name}/{rendition}.{ext}"
    on_demand: Annotated[
        bool, "Whether the rendition is made only when a client requests it, at /i/RENDITION/NAME."
    ] = False
    format: Annotated[
        OutputName,
        'The format; "auto" keeps the picture\'s own (JPEG for HEIC and PDF, PNG for SVG and DICOM).',
    ] = "jpeg"
    formats: Annotated[
        tuple[FamilyFormat, ...],
        NotEmpty(),
        "Several formats instead of one. The table is then a family: one rendition for each format, such as "
        "photo-avif.",
    ] = ()
    width: Annotated[Side | None, "The box's width, in pixels."] = None
    widths: Annotated[
        tuple[Side, ...],
        NotEmpty(),
        "Several widths instead of one. The table is then a family: one rendition for each width, such as "
        "photo-480. Widths that would give the same picture share one file.",
    ] = ()
    height: Annotated[Side | None, "The box's height, in pixels."] = None
    fit: Annotated[
        Fit,
        "How the picture fits the box. inside: the whole picture, no larger than the box. cover: fills the "
        "box; the rest is cut off. contain: the whole picture, padded to the box. fill: stretched to the "
        "box. outside: the whole picture, no smaller than the box.",
    ] = "inside"
    gravity: Annotated[
        Gravity,
        "The part that cover keeps, and the place where contain puts the picture. focus: the point in the "
        "picture's record, or the center if there is none.",
    ] = "center"
    focus: Annotated[Focus | None, "The point that cover keeps as near to the middle as possible."] = None
    background: Annotated[
        Colour, "The colour of padding, and of transparent parts if the format has no transparency."
    ] = "white"
    enlarge: Annotated[bool, "Whether smaller pictures are enlarged. SVG and PDF always are."] = False
    pixel_ratio: Annotated[
        Annotated[float, Range(1, 5)],
        "Multiplies width, height, blur, pixelate, corners and padding, for high-resolution screens.",
    ] = 1.0
    crop: Annotated[
        Region | None, "The part of the upright picture to use: left, top, width and height in percent."
    ] = None
    trim: Annotated[
        Annotated[int, Range(0, 255)] | None,
        "Cuts off borders whose pixels differ from the upper left pixel by at most this much in each colour.",
    ] = None
    rotate: Annotated[Rotation, "How many degrees the picture is rotated clockwise."] = 0
    flip: Annotated[
        Flip, "How the rotated picture is mirrored: left to right (horizontal), top to bottom, or both."
    ] = "none"
    grayscale: Annotated[bool, "Whether colours become greys of the same luminance."] = False
    sepia: Annotated[bool, "Whether colours become the browns of an old photo."] = False
    brightness: Annotated[Annotated[float, Range(0, 10)], "Multiplies every colour by this factor."] = 1.0
    contrast: Annotated[
        Annotated[float, Range(0, 10)], "Multiplies every colour's distance from middle grey by this factor."
    ] = 1.0
    saturation: Annotated[
        Annotated[float, Range(0, 10)],
        "Multiplies every colour's distance from the grey of the same luminance by this factor.",
    ] = 1.0
    gamma: Annotated[
        Annotated[float, Range(0.1, 10)], "Above 1 makes middle tones lighter, below 1 darker."
    ] = 1.0
    negate: Annotated[bool, "Whether every colour becomes its opposite."] = False
    tint: Annotated[
        OpaqueColour | None,
        "Turns colours into tones from black through this colour to white, by their luminance.",
    ] = None
    blur: Annotated[
        Annotated[float, Range(0, 100)], "The standard deviation of a Gaussian blur, in pixels."
    ] = 0.0
    sharpen: Annotated[
        Annotated[float, Range(0, 10)],
        "The standard deviation of an unsharp mask on the luminance, in pixels.",
    ] = 0.0
    pixelate: Annotated[
        Annotated[int, Range(1, 1000)],
        "The side of the squares that each get a single colour, in pixels; 1 changes nothing.",
    ] = 1
    corners: Annotated[
        Annotated[int | Literal["circle"], RangeOr(0, 65_535, "circle")],
        'The radius of round corners, in pixels, or "circle" for the largest circle in the middle.',
    ] = 0
    padding: Annotated[
        Annotated[int, Range(0, 10_000)], "How many pixels of the background are added on each side."
    ] = 0
    watermark: Annotated[Watermark | None, "A picture or a text drawn over the rendition."] = None
    quality: Annotated[
        Annotated[int | Literal["auto"], RangeOr(1, 100, "auto")] | None,
        "1 to 100; the default is 82 for JPEG and PDF, 80 for WebP, 60 for AVIF. auto: about the "
        "lowest that reaches the target, for each picture.",
    ] = None
    target: Annotated[
        Annotated[float, Range(1, 99)],
        'How similar the result of quality = "auto" is to the resized original: 100 is identical, 80 looks '
        "identical side by side.",
    ] = 80.0
    effort: Annotated[
        Annotated[int, Range(0, 9)] | None,
        "How hard the encoder tries: WebP 0 to 6 (default 4), AVIF 0 to 9 (default 1).",
    ] = None
    lossless: Annotated[bool, "Whether WebP or AVIF keep every pixel unchanged."] = False
    animation: Annotated[
        Animation, 'Whether the rendition keeps an animation ("keep", GIF and WebP) or shows its first frame.'
    ] = "first"
    pages: Annotated[
        PageChoice,
        'The pages of a PDF or TIFF, or frames of a DICOM, to use: "first", "all", or a list such as '
        '"1-3,5". Several pages need the format pdf or tiff.',
    ] = "first"
    metadata: Annotated[
        Metadata,
        "The EXIF, XMP and IPTC data to keep. copyright: the creator and the rights, never the position. "
        "all: everything except previews and data that describes only the source's file.",
    ] = "none"
    profile: Annotated[
        Profile,
        "srgb: converts colours to sRGB. keep: keeps colours and their ICC profile or CICP; CMYK is still "
        "converted to sRGB.",
    ] = "srgb"
    progressive: Annotated[bool, "Whether JPEG is progressive and PNG interlaced."] = False
    chroma: Annotated[
        Chroma, "Whether JPEG and AVIF halve the resolution of colours (420) or keep it (444)."
    ] = "420"
    palette: Annotated[
        Annotated[int, Range(2, 256)] | None,
        "The most colours of a PNG; the encoder uses the largest of 2, 4, 16 and 256 that fits.",
    ] = None
    dpi: Annotated[
        Annotated[int, Range(10, 2400)] | None,
        "The resolution of a PDF's pictures, in pixels per inch. Without it, a page keeps the size on paper "
        "that the source's resolution gives.",
    ] = None
    page_size: Annotated[
        PageSize | None,
        "The paper size of a PDF's pages, in portrait or landscape like the picture. The picture is centred "
        "and fills the page. With dpi, the picture has that resolution instead, if it then fits.",
    ] = None
    data_uri: Annotated[bool, "Whether Base64 text is a data: URI (RFC 2397)."] = False
    max_bytes: Annotated[
        ByteCount | None,
        'The largest file, in bytes or as "100 kB". If the declared quality makes a larger file, the highest '
        "quality that fits is used.",
    ] = None
    skip_if_larger: Annotated[
        bool,
        "Whether a copy of the source replaces a rendition in JPEG, PNG or WebP that is larger than the "
        "source. The copy must have everything that the recipe declares.",
    ] = False

    @property
    def needs_pixels(self) -> bool:
        """Whether the picture must be decoded for this rendition."""
        return self.format == AUTO or not OUTPUT_FORMATS[self.format].holds_file

    def focused_on(self, point: Focus | None) -> Rendition:
        """Return the recipe for a picture with this focus: a point of its upright form."""
        if self.gravity != "focus":
            return self
        if point and self.crop:
            point = point.within(self.crop)
        return replace(self, gravity="center", focus=point and point.turned(self.rotate, self.flip))

    def multiplied(self, pixels: int) -> int:
        """Return a declared length times the pixel ratio, in pixels, halves rounded up."""
        return int(pixels * Fraction(str(self.pixel_ratio)) + Fraction(1, 2))

    def fingerprint(self, raised: Sequence[int] = ()) -> str:
        """Return a hash over the fields and the revisions that affect the output.

        Fields at their default don't count. So a new field with a default changes no existing fingerprint.

        Args:
            raised: The numbers of the revisions that affect this recipe's outputs, see ``REVISIONS``.

        """
        declared = declared_in(self)
        fields = {name: declared[name] for name in declared if name not in NOT_OF_THE_BYTES}
        # Without revisions, the hash must stay the one that version 0.1 wrote into catalogs.
        return hash_of([1, fields, list(raised)] if raised else [1, fields])

    def key_template(self, name: str) -> str:
        """Return ``key`` with values for the fields that don't depend on the picture."""
        constants: dict[str, str] = {"rendition": name, "key": "{dir}{name}"}
        if self.format != AUTO:
            constants |= {"format": self.format, "ext": OUTPUT_FORMATS[self.format].extension}
        if self.width:
            constants["width"] = str(self.width)
        if self.height:
            constants["height"] = str(self.height)
        return "".join(
            literal.replace("{", "{{").replace("}", "}}")
            + (constants.get(name, f"{{{name}}}") if name else "")
            for literal, name in parse_template(self.key)
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """One step in making a rendition."""

    name: str
    is_used: Callable[[Rendition], bool]
    """Returns whether a recipe needs this step."""


_ADJUSTMENTS = ("grayscale", "sepia", "brightness", "contrast", "saturation", "gamma", "negate")


def _always(_: Rendition) -> bool:
    return True


def _may_have_to_be_opaque(recipe: Rendition) -> bool:
    return recipe.format == AUTO or not OUTPUT_FORMATS[recipe.format].has_transparency


OPERATIONS = (
    Operation("orient", _always),
    Operation("crop", lambda recipe: recipe.crop is not None),
    Operation("trim", lambda recipe: recipe.trim is not None),
    Operation("rotate", lambda recipe: recipe.rotate != 0),
    Operation("flip", lambda recipe: recipe.flip != "none"),
    Operation("resize", lambda recipe: recipe.width is not None or recipe.height is not None),
    Operation("cut", lambda recipe: recipe.fit == "cover"),
    Operation("adjust", lambda recipe: not declared_in(recipe).keys().isdisjoint(_ADJUSTMENTS)),
    Operation("tint", lambda recipe: recipe.tint is not None),
    Operation("blur", lambda recipe: recipe.blur > 0),
    Operation("sharpen", lambda recipe: recipe.sharpen > 0),
    Operation("pixelate", lambda recipe: recipe.pixelate > 1),
    Operation("pad", lambda recipe: recipe.fit == "contain"),
    Operation("corners", lambda recipe: recipe.corners != 0),
    Operation("padding", lambda recipe: recipe.padding > 0),
    Operation("watermark", lambda recipe: recipe.watermark is not None),
    Operation("flatten", _may_have_to_be_opaque),
    Operation("encode", _always),
)
"""All operations, in their order. Each operation works on the result of the previous operation."""
