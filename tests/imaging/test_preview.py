"""The pictures that placeholders show, compared with other decoders."""

from __future__ import annotations

import base64
import io
from typing import Any

import blurhash
import numpy as np
import pytest
from PIL import Image

from renditions.imaging.analysis import preview
from renditions.imaging.analysis.placeholder import SmallPicture, make_blurhash, make_thumbhash
from renditions.imaging.analysis.preview import read_blurhash, read_thumbhash


def draw(width: int, height: int, bands: int, seed: int) -> SmallPicture:
    grain = np.random.default_rng(seed).integers(0, 256, (3, 4, bands), dtype=np.uint8)
    picture = Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC).convert("RGBA")
    return SmallPicture(width, height, picture.tobytes())


def pixels_of(data_uri: str) -> np.ndarray:
    head, _, data = data_uri.partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture.convert("RGBA"), int)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bands", [3, 4])
@pytest.mark.parametrize(("width", "height"), [(32, 24), (20, 32), (32, 5), (32, 32)])
def test_a_thumbhash_is_decoded_to_nearly_the_same_pixels_as_by_another_decoder(
    reference_thumbhash: Any, monkeypatch: pytest.MonkeyPatch, width: int, height: int, bands: int, seed: int
) -> None:
    text = make_thumbhash(draw(width, height, bands, seed))
    across, down, data = reference_thumbhash.thumb_hash_to_rgba(base64.b64decode(text))
    monkeypatch.setattr(preview, "_SIDE", 32)
    shown = read_thumbhash(text, across, down)
    assert shown is not None
    expected = np.frombuffer(bytes(data), np.uint8).reshape(down, across, 4).astype(int)
    visible = expected[..., 3:] > 0
    assert np.abs((pixels_of(shown.data_uri) - expected) * visible).max() <= 1
    assert shown.is_opaque == (bands == 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("width", "height"), [(32, 24), (20, 32)])
def test_a_blurhash_is_decoded_to_nearly_the_same_pixels_as_by_another_decoder(
    width: int, height: int, seed: int
) -> None:
    text = make_blurhash(draw(width, height, 3, seed))
    shown = read_blurhash(text, width, height)
    assert shown is not None
    pixels = pixels_of(shown.data_uri)
    expected = np.asarray(blurhash.decode(text, pixels.shape[1], pixels.shape[0]))
    assert np.abs(pixels[..., :3] - expected.reshape(pixels[..., :3].shape)).max() <= 1


def test_the_picture_of_a_placeholder_has_the_proportions_of_the_original_and_few_bytes() -> None:
    shown = read_thumbhash(make_thumbhash(draw(32, 24, 3, 1)), 4000, 3000)
    assert shown is not None
    assert pixels_of(shown.data_uri).shape == (12, 16, 4)
    assert len(shown.data_uri) < 1200
    tall = read_thumbhash(make_thumbhash(draw(2, 32, 3, 1)), 10, 4000)
    assert tall is not None
    assert pixels_of(tall.data_uri).shape == (16, 1, 4)


def test_the_placeholder_of_a_picture_of_one_colour_has_this_colour() -> None:
    grey = SmallPicture(32, 32, bytes((200, 100, 50, 255)) * 1024)
    for shown in (read_thumbhash(make_thumbhash(grey), 1, 1), read_blurhash(make_blurhash(grey), 1, 1)):
        assert shown is not None
        found = np.array([int(shown.colour[at : at + 2], 16) for at in (1, 3, 5)])
        assert np.abs(found - (200, 100, 50)).max() <= 6


@pytest.mark.parametrize("text", ["", "!", "AAAA", "AAAAAAA=", "LEHV6nWB2yk8pyo0adR*.7kCMdn", "ü" * 30])
def test_an_invalid_placeholder_gives_no_picture(text: str) -> None:
    assert read_thumbhash(text, 4, 3) is None
    assert read_blurhash(text, 4, 3) is None
