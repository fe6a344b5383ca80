"""Pipelines that are written into a bundle and read back without a validator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.test_pipeline import OTHER
from renditions.model.catalog_place import CatalogPlace
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Analyze, Limits, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.source import Source
from renditions.pipeline_file.plain import from_plain, to_plain
from renditions.pipeline_file.reading import parse, preset_names, read_preset

RENDITIONS = st.fixed_dictionaries(
    {},
    optional={name: st.just(value) for name, value in OTHER.items()}
    | {"key": st.just("{dir}{stem}é.x"), "widths": st.just((9, 8)), "formats": st.just(("png",))},
).map(lambda values: Rendition(**values))
PIPELINES = st.builds(
    Pipeline,
    source=st.builds(Source, store=st.text(), match=st.lists(st.text(), max_size=3).map(tuple)),
    output=st.builds(
        OutputPlace,
        store=st.text(),
        cache_control=st.none() | st.text(),
        cors_origins=st.lists(st.text(), max_size=2).map(tuple),
        engine=st.none() | st.just(1),
    ),
    renditions=st.dictionaries(st.text(), RENDITIONS, max_size=3),
    accept=st.builds(Accept, formats=st.lists(st.text()).map(tuple), min_width=st.none() | st.integers(1, 9)),
    analyze=st.builds(Analyze, exif=st.booleans(), colours=st.none() | st.integers(1, 10)),
    limits=st.builds(Limits, seconds=st.integers(1, 900)),
    catalog=st.builds(CatalogPlace, store=st.text(), key=st.text()),
    notify=st.lists(st.builds(Notify, on=st.just(("done", "failed")), to=st.text()), max_size=2).map(tuple),
)


@settings(deadline=None)
@given(PIPELINES)
def test_any_pipeline_is_read_back_unchanged_from_a_bundle(pipeline: Pipeline) -> None:
    again = from_plain(json.loads(json.dumps(to_plain(pipeline))))
    assert again == pipeline
    assert again.fingerprints() == pipeline.fingerprints()
    assert list(again.renditions) == list(pipeline.renditions)


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_is_read_back_unchanged_from_a_bundle(name: str) -> None:
    pipeline = parse(read_preset(name), name, Path(), {}).pipeline
    assert from_plain(json.loads(json.dumps(to_plain(pipeline)))) == pipeline


def test_a_bundle_leaves_out_fields_that_have_their_default() -> None:
    pipeline = Pipeline(
        source=Source(store="in"), output=OutputPlace(store="out"), renditions={"a": Rendition(width=200)}
    )
    assert to_plain(pipeline) == {
        "source": {"store": "in"},
        "output": {"store": "out"},
        "renditions": {"a": {"width": 200}},
        "accept": {},
        "limits": {},
        "catalog": {},
    }


def test_reading_a_bundled_pipeline_imports_no_msgspec_pyvips_botocore_or_watchfiles() -> None:
    code = (
        "import sys; from renditions.pipeline_file import checks, environment, plain; "
        "print({'msgspec', 'pyvips', 'botocore', 'watchfiles'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
