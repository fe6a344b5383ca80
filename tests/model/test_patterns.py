"""The patterns that decide which keys are pictures."""

from __future__ import annotations

import pytest

from renditions.imaging.probe import sniff
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.patterns import FORMER_DEFAULTS, find_exclusion
from renditions.model.source import Source

DEFAULT = Source(store="in")


@pytest.mark.parametrize(
    "key",
    [
        "@eaDir/photo.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "holiday/@eaDir/a.jpg",
        "SYNOPHOTO_THUMB_M.jpg",
        "#recycle/a.jpg",
        "share/#snapshot/daily/a.jpg",
        "@Recycle/a.jpg",
        "@Recently-Snapshot/a.jpg",
        ".@__thumb/a.jpg",
        "__MACOSX/._a.jpg",
        "__macosx/a.jpg",
        ".thumbnails/a.jpg",
        "deep/.stversions/a.jpg",
        "$RECYCLE.BIN/S-1-5-21/a.jpg",
        "System Volume Information/a.jpg",
        "lost+found/a.jpg",
        ".Trash-1000/files/a.jpg",
        "._a.jpg",
        "holiday/.a.jpg",
        ".git/a.jpg",
    ],
)
def test_hidden_files_and_files_of_operating_systems_and_nas_devices_are_not_pictures(key: str) -> None:
    assert not DEFAULT.matches(key)


@pytest.mark.parametrize(
    "key", ["a.jpg", "2024/summer/a.JPG", "eaDir/a.jpg", "my.folder/a.jpg", "@home/a.jpg"]
)
def test_files_in_ordinary_folders_are_pictures(key: str) -> None:
    assert DEFAULT.matches(key)


def test_the_default_patterns_match_every_suffix_of_the_default_formats() -> None:
    suffixes = [
        suffix for each in SOURCE_FORMATS.values() if each.is_default for suffix in each.suffixes
    ]  # fmt: skip
    assert {"jfif", "jpe", "hif", "heics", "avifs", "apng"} <= set(suffixes)
    assert all(DEFAULT.matches(f"a.{suffix}") for suffix in suffixes)
    assert not any(DEFAULT.matches(f"a.{suffix}") for suffix in ("txt", "xmp", "nef", "mov", "bmp", "svg"))


def test_image_sequences_are_recognised_as_the_formats_of_their_suffixes() -> None:
    assert sniff(b"\x00\x00\x00\x18ftypavis\x00\x00\x00\x00avismsf1") == "avif"
    assert sniff(b"\x00\x00\x00\x18ftyphevc\x00\x00\x00\x00hevcmsf1") == "heic"


@pytest.mark.parametrize(
    ("pattern", "excluded", "kept"),
    [
        ("drafts/", ["drafts/a.jpg", "b/Drafts/c/a.jpg"], ["drafts", "drafts.jpg", "my drafts/a.jpg"]),
        ("drafts", ["drafts/a.jpg", "b/drafts"], ["drafts.jpg"]),
        ("*.bak", ["a.bak", "old.bak/a.jpg", "b/c.bak/d/a.jpg"], ["bak/a.jpg"]),
        ("a*c", ["abc/x.jpg", "x/ac"], ["a/c.jpg", "a/b/c"]),
        ("/drafts/", ["drafts/a.jpg"], ["b/drafts/a.jpg"]),
        ("2024/raw/", ["2024/raw/a.jpg", "2024/raw/b/a.jpg"], ["x/2024/raw/a.jpg", "2024/raw"]),
        ("2024/*.png", ["2024/a.png", "2024/b/a.png"], ["2024/a.jpg", "a.png"]),
        ("copy ?.jpg", ["copy 1.jpg", "b/COPY 2.jpg"], ["copy 10.jpg"]),
    ],
)
def test_an_exclude_pattern_matches_a_part_of_a_key_or_the_start_of_a_key(
    pattern: str, excluded: list[str], kept: list[str]
) -> None:
    assert [find_exclusion((pattern,), key) for key in excluded] == [pattern] * len(excluded)
    assert [find_exclusion((pattern,), key) for key in kept] == [None] * len(kept)


def test_an_exclude_pattern_matches_below_a_folder_whose_lower_case_is_longer() -> None:
    assert len("İzmir".lower()) > len("İzmir")
    assert find_exclusion(("drafts/",), "İzmir/drafts/a.jpg") == "drafts/"
    assert DEFAULT.patterns.why_not("İzmir/.trash/a.jpg") == "it is excluded by '.*/' in [source] exclude"


def test_a_key_in_many_folders_is_compared_with_the_patterns() -> None:
    """S3 allows keys of 1,024 bytes, which is room for 500 folders."""
    assert DEFAULT.matches("a/" * 500 + "b.jpg")
    assert not DEFAULT.matches(".a/" + "a/" * 500 + "b.jpg")
    assert not DEFAULT.matches("a/" * 500 + ".a/b.jpg")


def test_the_reason_for_leaving_a_file_out_names_the_pattern_or_says_that_no_pattern_matches() -> None:
    patterns = Source(store="in", exclude=("drafts/", "*.bak")).patterns
    assert patterns.why_not("x/drafts/a.jpg") == "it is excluded by 'drafts/' in [source] exclude"
    assert patterns.why_not("notes.txt") == "it matches no pattern in [source] match"
    assert patterns.why_not(".a.jpg") == "its name starts with a dot"
    assert patterns.why_not("x/a.jpg") is None


def test_declared_patterns_replace_the_default_patterns() -> None:
    source = Source(store="in", match=("*.tif",), exclude=())
    assert source.matches("@eaDir/a.tif")
    assert source.matches(".hidden/a.tif")
    assert not source.matches("a.jpg")


def test_the_default_patterns_of_version_0_1_exclude_no_folder() -> None:
    source = DEFAULT.with_former_defaults()
    assert source.patterns == FORMER_DEFAULTS
    assert source.matches("@eaDir/a.jpg")
    assert not source.matches("a.jfif")
