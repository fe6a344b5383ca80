"""``renditions.open``: planning, syncing and reading records from Python."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import renditions
from commands import draw, run, write_pipeline
from renditions import errors
from renditions.local.sqlite import SqliteCatalog


def test_the_command_plan_finds_nothing_to_do_after_a_sync_from_python(site: Path) -> None:
    seen: list[renditions.Outcome] = []
    with renditions.open(site / "renditions.toml") as pipeline:
        assert [each.action for each in pipeline.plan()] == ["create", "create"]
        summary = pipeline.sync(on_progress=seen.append)
        assert summary.all_done
        assert summary.results == {"done": 2}
        assert sorted(outcome.name for outcome in seen) == ["a.jpg", "more/b.png"]
        assert [each.action for each in pipeline.plan()] == ["keep", "keep"]
    assert run(site, "plan", "--exit-code").code == 0


def test_the_methods_plan_and_records_create_no_catalog(site: Path) -> None:
    before = sorted(site.rglob("*"))
    with renditions.open(site / "renditions.toml") as pipeline:
        assert len(list(pipeline.plan())) == 2
        assert pipeline.record("a.jpg") is None
        assert list(pipeline.records()) == []
    assert sorted(site.rglob("*")) == before


def test_an_open_pipeline_reads_the_records_that_its_own_sync_wrote(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        assert pipeline.record("a.jpg") is None
        pipeline.sync()
        record = pipeline.record("a.jpg")
        assert record is not None
        assert record.status == "done"
        assert record.outputs[0].key == "a.jpg/thumb.jpg"
        assert {each.name for each in pipeline.records()} == {"a.jpg", "more/b.png"}
        assert [each.name for each in pipeline.records(prefix="more")] == ["more/b.png"]
        assert list(pipeline.records("failed")) == []


def test_sync_processes_only_the_chosen_pictures(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        assert pipeline.sync(names=["a.jpg"]).results == {"done": 1}
        assert pipeline.record("more/b.png") is None
        assert pipeline.sync(prefix="more").results == {"done": 1}
        draw(site / "inbox" / "c.jpg", seed=3)
        assert pipeline.sync("c.jpg", renditions=["thumb"]).results == {"done": 1}
        record = pipeline.record("c.jpg")
        assert record is not None
        assert [output.rendition for output in record.outputs] == ["thumb"]


def test_an_empty_list_of_names_chooses_nothing(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        assert list(pipeline.plan(names=[])) == []
        assert pipeline.sync(names=[]).results == {}
        assert pipeline.record("a.jpg") is None


def test_a_name_that_matches_nothing_raises_a_usage_error(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        with pytest.raises(errors.UsageError, match=r"there is no picture 'x\.jpg'"):
            pipeline.sync(names=["x.jpg"])
        with pytest.raises(errors.UsageError, match="nothing matches 'none/'"):
            list(pipeline.plan(prefix="none"))


def test_process_makes_and_removes_the_outputs_of_one_picture(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        outcome = pipeline.process("a.jpg")
        assert outcome.result == "done"
        assert outcome.again_after is None
        assert (site / "processed" / "a.jpg" / "thumb.jpg").exists()
        assert pipeline.process("a.jpg").result == "unchanged"
        (site / "inbox" / "a.jpg").unlink()
        assert pipeline.process("a.jpg").result == "removed"
        assert not (site / "processed" / "a.jpg" / "thumb.jpg").exists()
        assert pipeline.process("a.jpg").result == "unchanged"


def test_the_method_process_reports_a_rejected_picture(site: Path) -> None:
    (site / "inbox" / "bad.jpg").write_bytes(b"no picture")
    with renditions.open(site / "renditions.toml") as pipeline:
        outcome = pipeline.process("bad.jpg")
    assert outcome.result == "rejected"
    assert outcome.code == "source-unreadable"


def test_an_unattended_program_can_not_apply_a_changed_pipeline_file(site: Path) -> None:
    file = site / "renditions.toml"
    with renditions.open(file) as pipeline:
        pipeline.sync()
    write_pipeline(site, "[renditions.thumb]\nwidth = 90")
    with renditions.open(file, unattended=True) as pipeline, pytest.raises(errors.Superseded):
        pipeline.process("a.jpg")
    with renditions.open(file) as pipeline:
        assert pipeline.sync().results == {"done": 2}
    with renditions.open(file, unattended=True) as pipeline:
        assert pipeline.process("a.jpg").result == "unchanged"


def test_load_accepts_a_mapping_in_place_of_a_pipeline_file(site: Path) -> None:
    tables = {
        "source": {"store": "inbox", "settle": "0.001 s"},
        "output": {"store": "other"},
        "renditions": {"thumb": {"width": 20}},
    }
    with renditions.open(renditions.load(tables, directory=site)) as pipeline:
        assert pipeline.sync().results == {"done": 2}
    assert (site / "other" / "a.jpg" / "thumb.jpg").exists()
    with pytest.raises(errors.PipelineError, match=r"pipeline: source.store: expected"):
        renditions.load({**tables, "source": {"store": ""}})
    with pytest.raises(errors.UsageError, match="directory is for mappings"):
        renditions.load(site / "renditions.toml", directory=site)


def test_watch_processes_new_files_until_it_is_stopped(site: Path) -> None:
    stop, names = threading.Event(), []

    def note(outcome: renditions.Outcome) -> None:
        names.append(outcome.name)
        if outcome.name == "more/b.png":
            draw(site / "inbox" / "new.jpg", seed=4)
        if outcome.name == "new.jpg" and outcome.again_after is None:
            stop.set()

    with renditions.open(site / "renditions.toml", workers=1) as pipeline:
        pipeline.watch(note, stop=stop)
        record = pipeline.record("new.jpg")
    assert record is not None
    assert record.status == "done"


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_stopped_sync_leaves_pictures_that_wait_for_a_worker_to_the_next_sync(
    site: Path, *, is_interrupted: bool
) -> None:
    """The program's main thread gets Ctrl-C, or another thread sets the event."""
    write_pipeline(site, '[renditions.slow]\nformat = "avif"\n')
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for number, name in enumerate(names):
        draw(site / "inbox" / name, 3200, 2400, seed=number)
    stop = threading.Event()

    def end() -> None:
        with SqliteCatalog(site / "renditions.db") as catalog:
            while len(list(catalog.list())) < len(names):
                time.sleep(0.01)
        if is_interrupted:
            signal.raise_signal(signal.SIGINT)
        else:
            stop.set()

    with renditions.open(site / "renditions.toml", workers=1) as pipeline:
        assert pipeline.record("a.jpg") is None  # the catalog exists
        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(KeyboardInterrupt) if is_interrupted else nullcontext():
            assert pipeline.sync(names, stop=stop).interrupted
        thread.join()
        assert len(list((site / "processed").rglob("*.avif"))) < len(names)
        assert {record.status for record in pipeline.records()} <= {"done"}
        assert pipeline.sync(names).all_done
        assert len(list((site / "processed").rglob("*.avif"))) == len(names)


def test_a_sync_whose_stop_event_is_set_is_interrupted(site: Path) -> None:
    stop = threading.Event()
    stop.set()
    with renditions.open(site / "renditions.toml") as pipeline:
        summary = pipeline.sync(stop=stop)
    assert summary.interrupted
    assert not summary.all_done


def test_a_closed_pipeline_can_be_opened_again(site: Path) -> None:
    pipeline = renditions.open(site / "renditions.toml")
    assert pipeline.sync().results == {"done": 2}
    pipeline.close()
    assert pipeline.sync().results == {}
    pipeline.close()


def test_a_single_text_names_one_rendition_and_an_empty_list_chooses_none(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        planned = list(pipeline.plan(["a.jpg"], renditions="thumb"))
        assert [each.make for each in planned] == [("thumb",)]
        assert list(pipeline.plan(renditions=[])) == []
        assert pipeline.sync(renditions=[]).results == {}


@pytest.mark.parametrize("workers", [0, -1, True, "2", 1.5])
def test_an_invalid_number_of_workers_raises_a_usage_error(site: Path, workers: Any) -> None:
    with pytest.raises(errors.UsageError, match="workers"):
        renditions.open(site / "renditions.toml", workers=workers)


def test_the_method_records_refuses_an_unknown_status_and_a_prefix_that_matches_nothing(site: Path) -> None:
    unknown: Any = "finished"
    with renditions.open(site / "renditions.toml") as pipeline:
        with pytest.raises(errors.UsageError, match="processing, done, rejected, failed, found 'finished'"):
            list(pipeline.records(status=unknown))
        with pytest.raises(errors.UsageError, match="nothing matches 'nowhere/'"):
            list(pipeline.records(prefix="nowhere"))
        assert list(pipeline.records(prefix="more")) == []


def test_a_mapping_can_have_paths_and_tuples(site: Path) -> None:
    tables = {
        "source": MappingProxyType({"store": site / "inbox", "exclude": ("more/",)}),
        "output": {"store": site / "elsewhere"},
        "renditions": {"photo": {"widths": (10, 20)}},
    }
    loaded = renditions.load(MappingProxyType(tables))
    assert list(loaded.pipeline.renditions) == ["photo-10", "photo-20"]
    with pytest.raises(errors.PipelineError, match=r"renditions\.5"):
        renditions.load(tables | {"renditions": {5: {"size": 1}}})


def test_an_iteration_that_goes_on_after_the_pipeline_was_closed_raises_an_error(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        pipeline.sync()
        records = pipeline.records()
        next(records)
    with pytest.raises(errors.CatalogFailed, match="Close a pipeline only when nothing reads from it"):
        list(records)


@pytest.mark.parametrize("name", [Path("a.jpg"), b"a.jpg", 5])
def test_a_name_that_is_not_a_text_raises_a_usage_error(site: Path, name: Any) -> None:
    """A path was once reported as a failure of the catalog."""
    with renditions.open(site / "renditions.toml") as pipeline:
        calls: list[Callable[[], object]] = [
            lambda: pipeline.process(name), lambda: pipeline.record(name), lambda: pipeline.sync(name),
            lambda: pipeline.sync([name]), lambda: list(pipeline.plan(prefix=name)),
            lambda: list(pipeline.records(prefix=name)), lambda: list(pipeline.manifest([name])),
            lambda: list(pipeline.plan(renditions=[name])),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(errors.UsageError, match="as a text"):
                call()


@pytest.mark.parametrize("pipeline", [None, 5, b"renditions.toml", [("thumb", {})]])
def test_a_pipeline_that_is_neither_a_path_nor_a_mapping_raises_a_usage_error(pipeline: Any) -> None:
    with pytest.raises(errors.UsageError, match="a pipeline as a path or a mapping"):
        renditions.load(pipeline)
    with pytest.raises(errors.UsageError, match="a pipeline as a path or a mapping"):
        renditions.open(pipeline)
    with pytest.raises(errors.UsageError, match="a pipeline as a path or a mapping"):
        renditions.render(b"", pipeline)


def test_the_methods_take_none_as_no_prefix(site: Path) -> None:
    with renditions.open(site / "renditions.toml") as pipeline:
        pipeline.sync(prefix=None)
        assert len(list(pipeline.records(None, None))) == len(list(pipeline.plan(None, None))) == 2
