"""Set up libvips, and translate its errors. Only this module imports pyvips.

This module lets libvips use only the loaders that the format tables name. libvips uses one thread for each
picture, because whole pictures are processed in parallel. libvips' operation cache is off, because no later
picture could use a cached result.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntFlag
from pathlib import Path
from typing import Any

import pyvips

from renditions.errors import Failed, NotAccepted, Rejected, Undecodable
from renditions.model.formats import SOURCE_FORMATS

Image = pyvips.Image
GValue = pyvips.GValue
Interpolate = pyvips.Interpolate
Error = pyvips.Error


class Keep(IntFlag):
    """libvips' ``VipsForeignKeep``: the metadata that an encoder writes."""

    NONE = 0
    EXIF = 1
    XMP = 2
    IPTC = 4
    ICC = 8


# libvips reads these variables when it draws the first text. With them, it uses no font of the machine, and
# finds fonts by fontconfig on every system.
os.environ["FONTCONFIG_FILE"] = str(Path(__file__).with_name("fonts.conf"))
os.environ["PANGOCAIRO_BACKEND"] = "fontconfig"

pyvips.block_untrusted_set(True)
pyvips.operation_block_set("VipsForeignLoad", True)
for _format in SOURCE_FORMATS.values():
    if _format.loader:
        _class = pyvips.type_find("VipsForeignLoad", _format.loader)
        pyvips.operation_block_set(pyvips.type_name(_class), False)
pyvips.concurrency_set(1)
pyvips.cache_set_max(0)

_ENDS_EARLY = re.compile(
    r"premature end|unexpected end|end of (?:file|stream|data|image)|truncated|too short|not enough",
    re.IGNORECASE,
)
"""Matches the error messages of libraries about a file that was cut off."""
_UNSUPPORTED = re.compile(
    r"support is not configured|is not implemented|not a whole number of bytes|bad labq format"
    r"|(?:planes|DNL) not supported|not SGI-compressed|unsupported JPEG data precision"
    r"|maximum supported image dimension|unsupported tiff image type|cannot handle different",
    re.IGNORECASE,
)
"""Matches the error messages of libraries about a valid file that they can't decode."""
_MOST_QUOTED = 300


def load(source_format: str, content: bytes, **options: Any) -> Any:
    """Return a lazy image of the bytes, by the format's own loader.

    Call this function, and use the image, within :func:`translated`.
    """
    return pyvips.Operation.call(SOURCE_FORMATS[source_format].loader, content, **options)


def get_int(image: Any, name: str, default: int) -> int:
    """Return the number that the image has under this name, or the default."""
    return int(image.get(name)) if image.get_typeof(name) else default


class _Recorder(logging.Handler):
    """A log handler that keeps the texts of messages in a list."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().removeprefix("VIPS: "))


@contextmanager
def warnings_of_libraries() -> Iterator[list[str]]:
    """Yield a list of the warnings of libvips and its decoders in the block.

    pyvips logs these warnings.
    """
    recorder = _Recorder()
    logger = logging.getLogger("pyvips")
    logger.addHandler(recorder)
    try:
        yield recorder.texts
    finally:
        logger.removeHandler(recorder)


@contextmanager
def translated(refusal: type[Rejected], failure: str, advice: str = "") -> Iterator[None]:
    """Raise libvips' errors as ``refusal``, or as ``Failed`` if memory ran out.

    ``failure`` says what failed; see :func:`explain`. ``advice`` says what to do. If ``refusal`` is
    ``Undecodable``, an error about a valid file that the libraries can't decode is raised as
    ``NotAccepted``: such a file isn't damaged.
    """
    pyvips.vips_lib.vips_error_clear()  # an earlier picture may have left messages although it didn't fail
    try:
        yield
    except (Error, UnicodeDecodeError) as error:
        detail = _describe(error)
        if "out of memory" in detail:
            raise Failed(
                f"not enough memory for the picture ({detail}). Free or add memory, or use fewer workers"
            ) from error
        if refusal is Undecodable and _UNSUPPORTED.search(detail):
            reason = f"this way to store pixels isn't supported ({detail[:_MOST_QUOTED]})"
            raise NotAccepted(reason, "Save the picture in another way") from error
        raise refusal(explain(failure, detail), advice) from error


def raise_if_warned(refusal: type[Rejected], failure: str, decoder: str) -> None:
    """Raise ``refusal`` if the decoder has warned although nothing failed.

    Only warnings since :func:`translated` began count. libvips checks the JPEG decoder's warnings before it
    asks for the next rows. So it never checks the warnings about the last rows, but it keeps these warnings
    as long as the image exists. Other parts of libvips keep messages in the same place, for example about a
    colour profile. This function ignores such messages, because they say nothing about the pixels.

    Args:
        refusal: The error to raise.
        failure: What failed.
        decoder: The name that the decoder's messages begin with.
    """
    said: bytes = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer())
    lines = said.decode(errors="replace").splitlines()
    if own := [line for line in lines if line.startswith(f"{decoder}:")]:
        raise refusal(explain(failure, _tidy("\n".join(own))))


def explain(failure: str, detail: str) -> str:
    """Return a text: what failed, and why if the library's words show it.

    The library's words follow in brackets.
    """
    why = ": the file ends too early" if _ENDS_EARLY.search(detail) else ""
    return f"{failure}{why} ({detail[:_MOST_QUOTED]})"


def _describe(error: pyvips.Error | UnicodeDecodeError) -> str:
    """Return the libraries' own messages.

    The messages quote the file, so their bytes may not be UTF-8.
    """
    text = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else error.detail
    return _tidy(text)


def _tidy(text: str) -> str:
    """Return the libraries' messages as one printable line."""
    # "bad seek" means nothing: the HEIF reader logs it when it searches the end of the file.
    lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
    telling = dict.fromkeys(line for line in lines if line and "bad seek" not in line)
    return "; ".join(telling) or "damaged data"
