"""Ways to damage a file: some change any bytes, and some know the file's format.

The functions take a generator of random numbers. A generator with the same seed gives the same file, so one
number is enough to make the file again.
"""

from __future__ import annotations

import zlib
from random import Random

from fuzz.parts import png_chunks, spans, with_right_checksums

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 64
_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MAX_FILE_BYTES = 1_000_000
_MAX_INFLATED_BYTES = 10_000_000


def damaged(seeds: dict[str, bytes], random: Random) -> tuple[str, bytes]:
    """Return a seed's name and its content, damaged one to four times."""
    names = sorted(seeds)
    name = random.choice(names)
    content = seeds[name]
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        if len(content) < 2:
            break
        if random.random() < 0.1:
            other = seeds[random.choice(names)]
            content = _splice(content, other, random)
        elif content.startswith(_PNG_SIGNATURE) and random.random() < 0.3:
            content = _spoil_inflated(content, random)
        else:
            content = random.choice(_KINDS)(content, random)[:_MAX_FILE_BYTES]
    # Without valid checksums hardly any damaged PNG passes the first check.
    if content.startswith(_PNG_SIGNATURE) and random.random() < 0.8:
        content = with_right_checksums(content)
    return name, content


def _flip_bits(content: bytes, random: Random) -> bytes:
    spoilt = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def _overwrite_run(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    size = random.choice((1, 2, 4, 16, 64, 512))
    run = random.choice((bytes(size), b"\xff" * size, random.randbytes(size)))
    return content[:at] + run + content[at + size :]


def _insert_run(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + random.randbytes(random.choice((1, 2, 4, 16, 256))) + content[at:]


def _remove_run(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + content[at + random.choice((1, 2, 4, 16, 64, 512)) :]


def _truncate(content: bytes, random: Random) -> bytes:
    end = random.randrange(len(content)) if random.random() < 0.5 else len(content) - random.randrange(1, 16)
    return content[: max(0, end)]


def _splice(content: bytes, other: bytes, random: Random) -> bytes:
    """Insert a part of another picture, or end with the other picture's bytes."""
    at = random.randrange(len(content))
    parts = spans(other)
    if parts and random.random() < 0.5:
        start, end = random.choice(parts)
        return content[:at] + other[start:end] + content[at:]
    return content[:at] + other[at:]


def _set_extreme(content: bytes, random: Random) -> bytes:
    """Set a whole number somewhere in the file to an extreme value.

    It may be a dimension, a length, an offset or a count.
    """
    parts = spans(content)
    if parts and random.random() < 0.7:
        start, end = random.choice(parts)
        at = start + random.randrange(min(end - start, 32))
    else:
        at = random.randrange(min(len(content), _HEADER_BYTES))
    size = random.choice((1, 2, 4, 4, 8))
    value = (random.choice(_EXTREMES) + random.choice((0, 0, 0, -1, 1))) % (1 << 8 * size)
    return content[:at] + value.to_bytes(size, random.choice(("big", "little"))) + content[at + size :]


def _repeat_part(content: bytes, random: Random) -> bytes:
    parts = spans(content) or [(0, len(content))]
    start, end = random.choice(parts)
    times = random.choice((1, 1, 2, 50)) if end - start < 5000 else 1
    return content[:end] + content[start:end] * times + content[end:]


def _remove_part(content: bytes, random: Random) -> bytes:
    parts = spans(content) or [(0, len(content) // 2)]
    start, end = random.choice(parts)
    return content[:start] + content[end:]


def _exchange_parts(content: bytes, random: Random) -> bytes:
    parts = spans(content)
    if len(parts) < 2:
        return _flip_bits(content, random)
    (start, end), (later, last) = sorted(random.sample(parts, 2))
    if end > later:
        return content[:start] + content[later:last] + content[start:]
    return content[:start] + content[later:last] + content[end:later] + content[start:end] + content[last:]


def _spoil_inflated(content: bytes, random: Random) -> bytes:
    """Damage the inflated pixels of a PNG; keep all checksums valid.

    If the pixels can't be inflated, flip bits of the file instead.
    """
    parts = [(start, end) for start, end in png_chunks(content) if content[start + 4 : start + 8] == b"IDAT"]
    if not parts:
        return _flip_bits(content, random)
    stream = zlib.decompressobj()
    try:
        data = b"".join(
            stream.decompress(content[start + 8 : end - 4], _MAX_INFLATED_BYTES) for start, end in parts
        )
    except zlib.error:
        return _flip_bits(content, random)
    if not data:
        return content
    spoilt = zlib.compress(
        random.choice((_flip_bits, _overwrite_run, _remove_run, _insert_run))(data, random)
    )
    chunk = len(spoilt).to_bytes(4, "big") + b"IDAT" + spoilt + bytes(4)
    return with_right_checksums(content[: parts[0][0]] + chunk + content[parts[-1][1] :])


_KINDS = (
    _flip_bits, _overwrite_run, _insert_run, _remove_run, _truncate, _set_extreme, _set_extreme,
    _set_extreme, _repeat_part, _remove_part, _exchange_parts,
)  # fmt: skip
