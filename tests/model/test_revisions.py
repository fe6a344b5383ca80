"""The revisions of the engine, and the outputs that they make stale."""

from __future__ import annotations

import pytest

from renditions.model import revisions
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import OPERATIONS, Region, Rendition, Watermark
from renditions.model.revisions import FIRST_ENGINE, REVISIONS, Revision, revisions_of
from renditions.model.source import Source
from renditions.model.wishes import NO_WISHES

RAISED = (
    Revision(2, "source", "tiff", "Multipage files are read in full."),
    Revision(3, "output", "webp", "Alpha is kept exactly."),
    Revision(4, "operation", "sharpen", "Edges get no haloes."),
    Revision(5, "output", "jpeg", "Smaller files."),
)
NEARLY_ALL = (
    "orient crop trim rotate flip resize cut tint blur sharpen pixelate corners padding watermark encode"
)
KNOWN = {
    "source": SOURCE_FORMATS,
    "output": OUTPUT_FORMATS,
    "operation": [each.name for each in OPERATIONS],
    "metadata": ("copyright", "all"),
    "text": ("declared fonts",),
}


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "REVISIONS", RAISED)


def make(engine: int | None = None, **renditions: Rendition) -> Pipeline:
    place = OutputPlace(store="out", engine=engine)
    return Pipeline(source=Source(store="in"), output=place, renditions=renditions)


def numbers(recipe: Rendition, source_format: str | None) -> list[int]:
    return [each.number for each in revisions_of(recipe, source_format)]


def test_revisions_have_consecutive_numbers_and_known_names() -> None:
    assert [each.number for each in REVISIONS] == list(
        range(FIRST_ENGINE + 1, FIRST_ENGINE + 1 + len(REVISIONS))
    )
    for each in REVISIONS:
        assert each.name in KNOWN[each.kind]
        assert each.why.endswith(".")


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize(
    ("recipe", "source_format", "expected"),
    [
        (Rendition(format="png"), "png", []),
        (Rendition(format="png"), "tiff", [2]),
        (Rendition(format="webp", sharpen=1), "tiff", [2, 3, 4]),
        (Rendition(format="webp"), None, [3]),
        (Rendition(format="auto"), "webp", [3]),
        (Rendition(format="auto"), "heic", [5]),
        (Rendition(format="auto"), None, []),
        (Rendition(format="pdf"), "png", [5]),
        (Rendition(format="base64"), "tiff", []),
        (Rendition(format="png"), "bmp", []),
    ],
    ids=str,
)  # fmt: skip
def test_a_recipe_depends_on_the_revisions_of_its_formats_and_operations(
    recipe: Rendition, source_format: str | None, expected: list[int]
) -> None:
    assert numbers(recipe, source_format) == expected


@pytest.mark.parametrize(
    ("recipe", "used"),
    [
        (Rendition(), "orient flatten encode"),
        (Rendition(format="png", width=5), "orient resize encode"),
        (Rendition(format="auto", gamma=2.0), "orient adjust flatten encode"),
        (
            Rendition(
                format="webp", crop=Region(width=9, height=9), trim=0, rotate=90, flip="both", fit="cover",
                width=9, height=9, tint="black", blur=1, sharpen=1, pixelate=2, corners="circle", padding=1,
                watermark=Watermark(text="a"),
            ),
            NEARLY_ALL,
        ),
        (Rendition(format="png", fit="contain", width=9, height=9), "orient resize pad encode"),
    ],
)  # fmt: skip
def test_a_recipe_uses_exactly_the_operations_that_its_fields_need(recipe: Rendition, used: str) -> None:
    assert [each.name for each in OPERATIONS if each.is_used(recipe)] == used.split()


def test_a_new_revision_changes_the_fingerprints_that_depend_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = make(thumb=Rendition(format="png"), web=Rendition(format="webp"))
    first = before.fingerprints()
    monkeypatch.setattr(revisions, "REVISIONS", RAISED)
    after = make(thumb=Rendition(format="png"), web=Rendition(format="webp"))
    assert after.fingerprints(NO_WISHES, "png")["thumb"] == first["thumb"]
    assert after.fingerprints(NO_WISHES, "png")["web"] != first["web"]
    assert after.fingerprints(NO_WISHES, "tiff")["thumb"] != first["thumb"]


@pytest.mark.usefixtures("raised")
def test_a_revision_for_a_source_format_changes_only_the_goals_of_pictures_in_this_format() -> None:
    pipeline = make(thumb=Rendition(format="png"))
    goal = pipeline.goal_of("a", "1", NO_WISHES, "png")
    pinned = make(1, thumb=Rendition(format="png"))
    assert goal == pinned.goal_of("a", "1", NO_WISHES, "tiff")
    assert goal != pipeline.goal_of("a", "1", NO_WISHES, "tiff")


@pytest.mark.usefixtures("raised")
def test_an_output_is_stale_if_a_later_revision_up_to_the_declared_engine_affects_the_output() -> None:
    recipe = Rendition(format="webp", sharpen=1.0)

    def missed(engine: int | None, made_by: list[int]) -> list[int] | None:
        pipeline = make(engine, web=recipe)
        found = pipeline.revisions_since(recipe.fingerprint(made_by), "web", NO_WISHES, "tiff")
        return None if found is None else [each.number for each in found]

    assert missed(None, []) == [2, 3, 4]
    assert missed(None, [2, 3]) == [4]
    assert missed(None, [2, 3, 4]) == []
    assert missed(3, []) == [2, 3]
    assert missed(1, []) == []
    assert missed(1, [2, 3, 4]) == []
    assert missed(None, [3]) is None
    assert make(web=recipe).revisions_since(Rendition().fingerprint(), "web", NO_WISHES, "tiff") is None
