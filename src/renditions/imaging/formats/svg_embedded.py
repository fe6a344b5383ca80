"""Check the pictures that a drawing embeds, and convert GIF and WebP.

Embedded pictures are ``data:`` URLs (RFC 2397). They can be drawings, too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

from renditions.errors import NotAccepted, Rejected, Undecodable
from renditions.imaging.formats.svg_size import to_pixels
from renditions.imaging.probe import sniff
from renditions.imaging.vips import load, translated

MAX_PIXELS = 50_000_000
_ACCEPTED = ("png", "jpeg", "gif", "webp")
_BASE64 = ";base64"
_FAILURE = "an embedded drawing can't be drawn"
_ReadDrawing = Callable[[bytes], tuple[bytes, tuple[float, float]]]
_CSS_SIZE = re.compile("width|height", re.IGNORECASE)
_CONVERTED = ("gif", "webp")


class Embedded:
    """The embedded pictures of one drawing."""

    def __init__(self) -> None:
        self._pixels = 0
        self.size: tuple[float, float] | None = None
        """The size of the last picture; the reader of the drawing can forget it."""

    def read(self, url: str, read_drawing: _ReadDrawing | None) -> str:
        """Return a URL of the same picture that librsvg can read.

        ``read_drawing`` returns the safe version of an embedded drawing and its size; None refuses drawings.

        Raises:
            NotAccepted: The picture's format isn't supported, or the embedded pictures together have too many
                pixels, or a drawing has content that isn't allowed.
            Undecodable: The picture can't be read, or isn't valid Base64. The pixels of a PNG or JPEG aren't
                checked.
            Failed: Memory ran out.

        """
        kind, _, text = url[len("data:") :].partition(",")
        if kind.lower().endswith(_BASE64):
            text = text.partition("#")[0]
        data = unquote_to_bytes(text)
        if kind.lower().endswith(_BASE64):
            try:
                data = base64.b64decode(data)
            except binascii.Error as error:
                raise Undecodable(
                    f"an embedded picture isn't valid Base64 ({error})", "Embed the picture again"
                ) from error
        source_format = sniff(data)
        accepted = (*_ACCEPTED, *(("svg",) if read_drawing else ()))
        if source_format is None or source_format not in accepted:
            raise NotAccepted(
                f"an embedded picture is in {source_format or 'an unknown format'}",
                f"Embed it in {', '.join(accepted[:-1])} or {accepted[-1]}",
            )
        if read_drawing and source_format == "svg":
            content, self.size = _read_drawing(data, read_drawing)
            return f"data:image/svg+xml;base64,{_encode(content)}"
        with translated(Undecodable, "an embedded picture is damaged", "Embed an undamaged copy"):
            image = load(source_format, data)
            self.size = float(image.width), float(image.height)
            self._pixels += image.width * image.height
            if self._pixels > MAX_PIXELS:
                raise NotAccepted(
                    f"the drawing's embedded pictures have {self._pixels:,} pixels, more than the "
                    f"{MAX_PIXELS:,} that are allowed. Embed smaller pictures"
                )
            if source_format not in _CONVERTED:
                return url
            png = image.pngsave_buffer(compression=1)
        return f"data:image/png;base64,{_encode(png)}"

    def find_missing_side(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Return the width or the height that the last picture's element lacks.

        Return nothing if it lacks none or both. The side follows from the other one and the picture's
        proportions (SVG 2, 12.3). librsvg would take the picture's own side. It handles sizes in CSS itself.
        """
        sides = {name: attributes[name].strip() for name in ("width", "height") if name in attributes}
        if (
            not self.size
            or min(self.size) <= 0
            or len(sides) != 1
            or _CSS_SIZE.search(attributes.get("style", ""))
        ):
            return {}
        ((name, text),) = sides.items()
        length = to_pixels(text)
        if length is None:
            return {}
        ratio = self.size[1] / self.size[0]
        return {"height": f"{length * ratio:.9g}"} if name == "width" else {"width": f"{length / ratio:.9g}"}


def _read_drawing(data: bytes, read_drawing: _ReadDrawing) -> tuple[bytes, tuple[float, float]]:
    whole, end, rest = data.rpartition(b">")
    try:
        # "#…" at the end of a URL names a part of the drawing.
        return read_drawing(whole + end if rest.startswith(b"#") else data)
    except Rejected as error:
        why = error.why if error.why.startswith(_FAILURE) else f"{_FAILURE}: {error.why}"
        raise type(error)(why, error.advice) from error


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()
