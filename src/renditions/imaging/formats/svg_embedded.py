"""Check the pictures that a drawing embeds, and convert GIF and WebP.

Embedded pictures are ``data:`` URLs (RFC 2397).
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.probe import sniff
from renditions.imaging.vips import load, translated

MAX_PIXELS = 50_000_000
_ACCEPTED = ("png", "jpeg", "gif", "webp")
_CONVERTED = ("gif", "webp")


class Embedded:
    """The embedded pictures of one drawing."""

    def __init__(self) -> None:
        self._pixels = 0

    def read(self, url: str) -> str:
        """Return a URL of the same picture that librsvg can read.

        Raises:
            NotAccepted: The picture's format isn't supported, or the embedded pictures together have too many
                pixels.
            Undecodable: The picture can't be read, or isn't valid Base64. The pixels of a PNG or JPEG aren't
                checked.
            Failed: Memory ran out.

        """
        kind, _, text = url[len("data:") :].partition(",")
        data = unquote_to_bytes(text)
        if kind.lower().endswith(";base64"):
            try:
                data = base64.b64decode(data)
            except binascii.Error as error:
                raise Undecodable(
                    f"an embedded picture isn't valid Base64 ({error})", "Embed the picture again"
                ) from error
        source_format = sniff(data)
        if source_format not in _ACCEPTED:
            raise NotAccepted(
                f"an embedded picture is in {source_format or 'an unknown format'}. Embed it in "
                f"{', '.join(_ACCEPTED[:-1])} or {_ACCEPTED[-1]}"
            )
        with translated(Undecodable, "an embedded picture is damaged", "Embed an undamaged copy"):
            image = load(source_format, data)
            self._pixels += image.width * image.height
            if self._pixels > MAX_PIXELS:
                raise NotAccepted(
                    f"the drawing's embedded pictures have {self._pixels:,} pixels, more than the "
                    f"{MAX_PIXELS:,} that are allowed. Embed smaller pictures"
                )
            if source_format not in _CONVERTED:
                return url
            png = image.pngsave_buffer(compression=1)
        return "data:image/png;base64," + base64.b64encode(png).decode()
