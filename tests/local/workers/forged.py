"""Answers that a worker could give after an attacker took it over.

Most are honest answers, changed at random.
"""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from renditions.local.workers.messages import Job, encode_rendering
from renditions.local.workers.wire import pack
from renditions.model.original import Analysis, DominantColour, Exif, Original, Position
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering
from renditions.model.warning import PictureWarning

PICTURE = b"a picture"
LIMITS = Limits(memory=1_000_000)
JOB = Job(
    Accept(),
    {
        "thumb": Rendition(width=20),
        "own": Rendition(format="auto"),
        "photo-9": Rendition(width=9, widths=(9, 8), format="png"),
    },
    Analyze(exif=True),
    LIMITS,
)
HONEST = Rendering(
    Original(
        len(PICTURE),
        "webp",
        30,
        20,
        1,
        Analysis(
            exif=Exif(make="Kamera 山田", exposure_seconds=0.01, iso=100),
            position=Position(-1.5, 2.5),
            colours=(DominantColour("#ff0000", 0.5),),
            perceptual_hash="0123456789abcdef",
            transparency=False,
        ),
    ),
    made={"thumb": Rendered(b"\xff\xd8thumb", "jpeg", 20, 13), "own": Rendered(b"own", "webp", 30, 20)},
    errors={},
    stand_ins={"photo-9": "photo-8", "photo-8": "photo-8"},
    warnings=(PictureWarning("damaged", "two rows are missing", ("thumb",)),),
)
REJECTED = Rendering(Original(len(PICTURE)), rejected=Reason("no picture", "source-unreadable"))
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**64, -(2**64), 10**400, 0.5, -0.0, 1e-320, 1e300, "",
    "thumb", "photo-8", "../../etc/passwd", "jpeg", "svg", "x" * 20_000, "\x1b[2J", "\u202e", "\0", "é" * 100,
    [], {}, [[]], {"": {}}, [1] * 20_000, {"thumb": None}, {"__class__": "os.system"}, "key-taken",
    "superseded", [["a", "{"]], "made", "broken", "ready",
)  # fmt: skip
_RAW = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"\\ud800"', b"9" * 5000, b"[" * 100_000, b"\xff\xfe",
    b'{"a":' * 50_000, b"", b"\0" * 100, b"}", b"null", b'{"content": {}, "parts": []}', b"\x80\x04N.",
)  # fmt: skip


def forge(random: Random) -> bytes:
    """Return the bytes of a random answer, which may be malformed."""
    content, parts = encode_rendering(random.choice((HONEST, HONEST, REJECTED)))
    if random.random() < 0.1:
        content = {"broken": {"text": "x", "trace": "y", "is_expected": random.random() < 0.5}}
    raw = b"".join(pack(content, parts))
    return random.choice(_WAYS)(random, raw)


def _change_values(random: Random, raw: bytes) -> bytes:
    text, rest = _split(raw)
    message = json.loads(text)
    for _ in range(random.randint(1, 3)):
        _change(random, message)
    return _join(json.dumps(message).encode(), rest)


def _change(random: Random, message: Any) -> None:
    """Change, remove or add one value somewhere in the message."""
    where = message
    while True:
        places = list(where) if isinstance(where, dict) else list(range(len(where)))
        if not places:
            break
        place = random.choice(places)
        if not isinstance(where[place], (dict, list)) or not where[place] or random.random() < 0.15:
            if random.random() < 0.2:
                del where[place]
                return
            break
        where = where[place]
    value = copy.deepcopy(random.choice(_VALUES))
    if isinstance(where, list):
        where.insert(random.randint(0, len(where)), value)
    elif places and random.random() < 0.8:
        where[place] = value
    else:
        where[random.choice(("thumb", "other", "unknown", "__init__", "photo-8"))] = value


def _change_lengths(random: Random, raw: bytes) -> bytes:
    text, parts = struct.unpack(">IQ", raw[:12])
    lengths = (0, 1, text - 1, text + 1, parts + 1, 2**31, 2**32 - 1)
    more = (0, 1, parts - 1, parts + 1, 2**31, 2**63, 2**64 - 1)
    return struct.pack(">IQ", random.choice(lengths) % 2**32, random.choice(more) % 2**64) + raw[12:]


def _change_text(random: Random, raw: bytes) -> bytes:
    text, rest = _split(raw)
    at = random.randint(0, len(text))
    return _join(text[:at] + random.choice(_RAW) + text[at + random.randint(0, 9) :], rest)


def _replace_text(random: Random, raw: bytes) -> bytes:
    return _join(random.choice(_RAW), _split(raw)[1])


def _change_bytes(random: Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(random: Random, raw: bytes) -> bytes:
    return raw[: random.randrange(len(raw))]


def _repeat(random: Random, raw: bytes) -> bytes:
    text, rest = _split(raw)
    return _join(text, rest * random.randint(2, 4))


def _invent(random: Random, raw: bytes) -> bytes:
    return random.randbytes(random.randint(0, 300))


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _change_values, _change_values, _change_values, _change_values, _change_lengths, _change_text,
    _replace_text, _change_bytes, _cut, _repeat, _invent,
)  # fmt: skip


def _split(raw: bytes) -> tuple[bytes, bytes]:
    length = struct.unpack(">I", raw[:4])[0]
    return raw[12 : 12 + length], raw[12 + length :]


def _join(text: bytes, rest: bytes) -> bytes:
    return struct.pack(">IQ", len(text), len(rest)) + text + rest
