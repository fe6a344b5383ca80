"""Messages between the pool and a worker: a JSON object, and bytes beside it.

    length of the JSON text    4 bytes, big-endian
    length of all the parts    8 bytes, big-endian
    the JSON text              in UTF-8: {"content": …, "parts": [length of each part, …]}
    the parts                  pictures and files, one after the other

Nothing in a message says which code to run or how to build an object, as a pickle would. The pool trusts no
message: it checks both lengths against limits before it reads on, and it takes memory only for bytes that
have really arrived.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from typing import Any, NoReturn

MOST_TEXT_BYTES = 4_000_000
"""The longest JSON text."""
MOST_PARTS = 100_000

_LENGTHS = struct.Struct(">IQ")
_READ_BYTES = 1 << 20


class MalformedError(Exception):
    """An invalid message, which only a faulty or attacked process sends."""


def pack(content: Any, parts: Sequence[bytes] = ()) -> list[bytes]:
    """Return a message as the pieces to write.

    Raises:
        TypeError: The content can't be written as JSON.
        ValueError: The content has a number that JSON lacks, or a text that UTF-8 lacks.

    """
    lengths = [len(part) for part in parts]
    message = {"content": content, "parts": lengths}
    text = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    return [_LENGTHS.pack(len(text), sum(lengths)) + text, *parts]


def send(descriptor: int, pieces: Sequence[bytes]) -> None:
    """Write a message that :func:`pack` returned; raise OSError if the peer ended."""
    for piece in pieces:
        left = memoryview(piece)
        while left:
            left = left[os.write(descriptor, left) :]


def receive(descriptor: int, most_bytes: int) -> tuple[Any, list[bytes]]:
    """Read a message; return its content and its parts.

    Args:
        descriptor: The socket.
        most_bytes: How many bytes all the parts together may have.

    Raises:
        EOFError: The other process has closed its end.
        OSError: The socket can't be read.
        MalformedError: The message is invalid. Part of it may still be in the socket.

    """
    text_bytes, part_bytes = _LENGTHS.unpack(_read(descriptor, _LENGTHS.size))
    if text_bytes > MOST_TEXT_BYTES or part_bytes > most_bytes:
        raise MalformedError(f"its lengths of {text_bytes:,} and {part_bytes:,} bytes exceed the limits")
    message = _parse(_read(descriptor, text_bytes))
    if not (isinstance(message, dict) and message.keys() == {"content", "parts"}):
        raise MalformedError("it lacks its content or its parts")
    lengths = message["parts"]
    if not (isinstance(lengths, list) and all(type(length) is int and length >= 0 for length in lengths)):
        raise MalformedError("the lengths of its parts aren't whole numbers")
    if len(lengths) > MOST_PARTS or sum(lengths) != part_bytes:
        raise MalformedError("the lengths of its parts don't add up")
    return message["content"], [_read(descriptor, length) for length in lengths]


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text.decode(), parse_constant=_refuse_constant)
    # RecursionError: thousands of brackets. ValueError: also texts that aren't UTF-8 and very long numbers.
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"its text isn't JSON ({type(error).__name__})") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _read(descriptor: int, length: int) -> bytes:
    pieces = []
    while length:
        piece = os.read(descriptor, min(length, _READ_BYTES))
        if not piece:
            raise EOFError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
