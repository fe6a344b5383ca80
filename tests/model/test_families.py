"""Families: one table of widths and formats stands for several renditions.

There is one rendition for each pair of a width and a format.
"""

from __future__ import annotations

from renditions.model.families import among, expand, family_of, widths_of
from renditions.model.recipe import Rendition

PHOTO = Rendition(widths=(960, 480), formats=("avif", "jpeg"), quality=50)


def test_a_table_of_widths_and_formats_gives_a_rendition_for_each_pair() -> None:
    members = expand("photo", PHOTO)
    assert {name: (each.width, each.format) for name, each in members.items()} == {
        "photo-960-avif": (960, "avif"),
        "photo-960-jpeg": (960, "jpeg"),
        "photo-480-avif": (480, "avif"),
        "photo-480-jpeg": (480, "jpeg"),
    }
    assert next(iter(members)) == "photo-960-avif"
    assert {each.quality for each in members.values()} == {50}


def test_a_table_with_only_widths_or_only_formats_is_also_a_family() -> None:
    assert list(expand("a", Rendition(widths=(1, 2), format="png"))) == ["a-1", "a-2"]
    assert list(expand("a", Rendition(width=9, formats=("png", "gif")))) == ["a-png", "a-gif"]


def test_a_table_without_widths_and_formats_gives_one_rendition_with_the_name_of_the_table() -> None:
    assert expand("photo-480-avif", Rendition(width=480)) == {"photo-480-avif": Rendition(width=480)}
    assert family_of("photo-480-avif", Rendition(width=480)) == "photo-480-avif"


def test_the_name_and_the_recipe_of_a_member_give_its_family_and_the_widths_in_its_format() -> None:
    for name, member in expand("photo-9", PHOTO).items():
        assert family_of(name, member) == "photo-9"
        assert list(widths_of(name, member)) == [f"photo-9-{width}-{member.format}" for width in (480, 960)]
        assert widths_of(name, member)[name] == member


def test_a_member_of_a_family_has_the_fingerprint_of_a_single_rendition_with_the_same_recipe() -> None:
    member = expand("photo", PHOTO)["photo-480-avif"]
    assert member.fingerprint() == Rendition(width=480, format="avif", quality=50).fingerprint()


def test_the_widths_of_a_recipe_can_be_limited_to_those_of_the_wanted_renditions() -> None:
    member = expand("photo", PHOTO)["photo-960-avif"]
    assert among("photo-960-avif", member, {"photo-960-avif", "photo-480-jpeg"}).widths == (960,)
    assert among("x", Rendition(width=3), ()) == Rendition(width=3)
