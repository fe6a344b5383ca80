"""libvips, set up once, and its errors translated: the one module that imports it.

Only the loaders that the format tables name can be used; libvips itself blocks all others. One thread for
each picture, because pictures are what runs in parallel; no operation cache, because no picture comes
twice.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntFlag
from pathlib import Path
from typing import Any

import pyvips

from renditions.errors import Failed, Rejected
from renditions.model.formats import SOURCE_FORMATS

Image = pyvips.Image
GValue = pyvips.GValue
Interpolate = pyvips.Interpolate
Error = pyvips.Error


class Keep(IntFlag):
    """libvips' ``VipsForeignKeep``: what an encoder writes beside the pixels."""

    NONE = 0
    EXIF = 1
    XMP = 2
    IPTC = 4
    ICC = 8


# Read when the first text is drawn: no font of the machine, with the same library everywhere.
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


def load(source_format: str, content: bytes, **options: Any) -> Any:
    """Return the lazy image that the one loader for this format makes of the bytes."""
    return pyvips.Operation.call(SOURCE_FORMATS[source_format].loader, content, **options)


def get_int(image: Any, name: str, default: int) -> int:
    """Return a number that the image has under this name."""
    return int(image.get(name)) if image.get_typeof(name) else default


class _Recorder(logging.Handler):
    """Keeps log messages."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().removeprefix("VIPS: "))


@contextmanager
def warnings_of_libraries() -> Iterator[list[str]]:
    """Yield a list that gets each warning of libvips and its decoders, which pyvips logs."""
    recorder = _Recorder()
    logger = logging.getLogger("pyvips")
    logger.addHandler(recorder)
    try:
        yield recorder.texts
    finally:
        logger.removeHandler(recorder)


@contextmanager
def translated(refusal: type[Rejected], expected: str) -> Iterator[None]:
    """Raise libvips' errors as ``refusal``, or as ``Failed`` if memory was missing."""
    pyvips.vips_lib.vips_error_clear()  # messages that an earlier picture left without failing
    try:
        yield
    except (Error, UnicodeDecodeError) as error:
        detail = _describe(error)
        if "out of memory" in detail:
            raise Failed(f"expected enough memory, found: {detail}") from error
        raise refusal(f"expected {expected}, found: {detail[:300]}") from error


def raise_if_warned(refusal: type[Rejected], expected: str) -> None:
    """Raise ``refusal`` if a library has warned since :func:`translated` began, though nothing failed.

    libvips checks the JPEG decoder's warnings before it asks for the next rows, so never those of the last
    rows. It keeps them as long as the image exists.
    """
    said: bytes = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer())
    if said:
        raise refusal(f"expected {expected}, found: {_tidy(said.decode(errors='replace'))[:300]}")


def _describe(error: pyvips.Error | UnicodeDecodeError) -> str:
    """Return the libraries' own messages. They quote files, so they may have any bytes, not only UTF-8."""
    text = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else error.detail
    return _tidy(text)


def _tidy(text: str) -> str:
    """Return the libraries' messages as one printable line."""
    # The first line only names the operation; the next ones are the library's own message. "bad seek" is
    # the HEIF reader's search for the end, and means nothing.
    lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
    telling = dict.fromkeys(line for line in lines if line and "bad seek" not in line)
    return "; ".join(telling) or "damaged data"
