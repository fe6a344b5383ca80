"""The contract of every catalog: see ``renditions.core.catalog.Catalog``."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.catalogs import (
    CATALOGS,
    DAMAGING,
    NOW,
    SHARED_CATALOGS,
    claim_each,
    make_record,
    names,
    write_each,
    write_one,
)
from contract.cloud import scaled
from contract.races import race_processes, race_threads
from renditions.core.catalog import Catalog, SameContent
from renditions.core.ports import Unreadable
from renditions.errors import Conflict, KeyTaken, RecordUnreadable
from renditions.model.binding import Binding, Held
from renditions.model.kept import KeptWishes
from renditions.model.lease import Lease
from renditions.model.notices import UnsentNotice
from renditions.model.original import Analysis, DominantColour, Exif, Original, Position
from renditions.model.reason import Reason
from renditions.model.recipe import Focus
from renditions.model.record import STATUSES, Event, Output, OwedNotice, Record, Status
from renditions.model.retired import Retired
from renditions.model.totals import Totals
from renditions.model.warning import PictureWarning
from renditions.model.wishes import Wishes

FULL = Record(
    name="a/é 🖼.jpg",
    status="rejected",
    timestamp=NOW,
    reason='large: it\'s too "half"\n',
    etag="e1",
    sha256="0a" * 32,
    goal="g",
    rules="r",
    original=Original(
        123_456_789_012,
        "jpeg",
        4,
        3,
        1,
        Analysis(
            exif=Exif("é", taken="2026-01-02T03:04:05+02:00", exposure_seconds=0.000125, iso=100),
            position=Position(-33.856784, 151.215297),
            colours=(DominantColour("#010203", 0.6), DominantColour("#ffffff", 0.4)),
            thumbhash="3OcRJYB4d3h/iIeHeEh3eIhw+j2w",
            perceptual_hash="00ff00ff00ff00ff",
            sharpness=12.25,
            transparency=False,
        ),
    ),
    wishes=Wishes(Focus(x=33.3, y=100), ("large", "text")),
    outputs=(
        Output("small", "a/é 🖼.jpg/small.jpg", "o1", "e1", "f1", "jpeg", 10, 2, 1, focus=Focus(x=12.5, y=0)),
        Output("text", "a/é 🖼.jpg/text.txt", "o2", "e1", "f2", "base64", 0, sha256="ab", is_restored=True),
    ),
    stand_ins=(("wide", "small"), ("wider", "small")),
    code="unrenderable",
    warnings=(PictureWarning("animation-dropped", "one frame", ("moving",)), PictureWarning("of-2.0", "é\n")),
    errors=(("large", Reason("too half", "unrenderable")), ("text", Reason("of version 0.1"))),
    pending_keys=("b", "old/large.jpg"),
    attempts=2,
    setbacks=3,
    blocked_by="other.jpg",
    owed=(OwedNotice("rejected", "t1"), OwedNotice("rejected", "t2")),
    lease=Lease("me", NOW + timedelta(minutes=5)),
    history=(Event(NOW, "processing", "it is new"), Event(NOW, "rejected")),
    place="s3://out/é/",
    headers="max-age=60",
    generation=3,
    retired=(Retired("old", "e0", NOW, "s3://former/"), Retired("undeclared", "e2")),
    missing_since=NOW,
    refused_keys=("not ours",),
    removable_until=NOW,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
numbers = st.integers(0, 2**53)
times = st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
keys = st.lists(texts, max_size=3, unique=True)
outputs = st.lists(
    st.builds(
        Output, texts, texts, texts, texts, texts, texts, numbers, st.none() | numbers, st.none() | numbers
    ),
    max_size=3,
    unique_by=(lambda output: output.rendition, lambda output: output.key),
)
measures = st.floats(-1e9, 1e9).filter(lambda value: not value or abs(value) > 1e-9)
reasons = st.builds(Reason, texts, st.just("") | texts)
analyses = st.builds(
    Analysis,
    exif=st.none() | st.builds(Exif, model=texts, f_number=st.none() | measures),
    position=st.none() | st.builds(Position, measures, measures, st.none() | measures),
    colours=st.lists(st.builds(DominantColour, texts, measures), max_size=2).map(tuple),
    thumbhash=texts,
    blurhash=st.none() | texts,
    perceptual_hash=st.none() | texts,
    sharpness=st.none() | measures,
    transparency=st.none() | st.booleans(),
)
records = st.builds(
    Record,
    name=texts,
    status=st.sampled_from(["processing", "done", "rejected", "failed"]),
    timestamp=times,
    reason=st.none() | texts,
    etag=st.text(max_size=5),
    goal=texts,
    rules=texts,
    original=st.none()
    | st.builds(Original, numbers, st.none() | texts, st.none() | numbers, analysis=st.none() | analyses),
    wishes=st.builds(
        Wishes,
        st.none() | st.builds(Focus, x=st.integers(0, 100), y=st.floats(0, 100).map(lambda y: round(y, 9))),
        st.lists(texts, max_size=2).map(tuple),
    ),
    outputs=outputs.map(tuple),
    stand_ins=st.dictionaries(texts, texts, max_size=2).map(lambda served: tuple(served.items())),
    code=st.just("") | texts,
    errors=st.dictionaries(texts, reasons, max_size=2).map(lambda errors: tuple(errors.items())),
    warnings=st.lists(
        st.builds(PictureWarning, texts, texts, st.lists(texts, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    pending_keys=keys.map(tuple),
    attempts=st.integers(0, 3),
    blocked_by=st.none() | texts,
    owed=st.lists(st.builds(OwedNotice, st.sampled_from(["done", "rejected", "failed"]), texts)).map(tuple),
    lease=st.none() | st.builds(Lease, texts, times),
    history=st.lists(st.builds(Event, times, st.sampled_from(["processing", "done"]), texts), max_size=2).map(
        tuple
    ),
)


pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(params=CATALOGS)
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalog(which: str, tmp_path: Path) -> Iterator[Catalog]:
    with CATALOGS[which](tmp_path) as opened:
        yield opened


def test_an_empty_catalog_has_no_records(catalog: Catalog) -> None:
    assert catalog.get("a.jpg") is None
    assert list(catalog.list()) == []
    assert list(catalog.query()) == []
    assert list(catalog.query("done")) == []


def test_a_written_record_is_read_back_unchanged(catalog: Catalog) -> None:
    written = catalog.write(FULL)
    assert written == replace(FULL, revision=written.revision)
    assert catalog.get(FULL.name) == written
    assert list(catalog.list()) == [written]
    assert list(catalog.query("rejected")) == [written]


@pytest.mark.parametrize("which", CATALOGS)
@settings(deadline=None, max_examples=60)
@given(record=records)
def test_a_record_with_any_values_is_read_back_unchanged(which: str, record: Record) -> None:
    with tempfile.TemporaryDirectory() as folder, CATALOGS[which](Path(folder)) as catalog:
        written = catalog.write(record)
        assert written == replace(record, revision=written.revision)
        assert catalog.get(record.name) == written


def test_each_write_of_a_record_raises_its_revision(catalog: Catalog) -> None:
    first = catalog.write(make_record())
    second = catalog.write(replace(first, status="failed"))
    assert 0 < first.revision == second.revision - 1
    assert catalog.get("a.jpg") == second
    assert names(catalog) == ["a.jpg"]


def test_a_write_of_a_record_with_another_revision_is_refused(catalog: Catalog) -> None:
    first = catalog.write(make_record())
    second = catalog.write(replace(first, status="failed"))
    for revision in (0, first.revision, second.revision + 1):
        with pytest.raises(Conflict):
            catalog.write(replace(first, revision=revision))
    assert catalog.get("a.jpg") == second


def test_writing_a_later_revision_of_a_missing_record_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Conflict):
        catalog.write(make_record(revision=1))
    assert catalog.get("a.jpg") is None


def test_a_deleted_record_can_be_written_again(catalog: Catalog) -> None:
    first = catalog.write(make_record())
    catalog.delete(first)
    assert catalog.get("a.jpg") is None
    assert list(catalog.list()) == list(catalog.query()) == []
    assert catalog.write(make_record()).revision != first.revision, "the holder of the first one lost it"


def test_deleting_an_older_revision_is_refused(catalog: Catalog) -> None:
    first = catalog.write(make_record(outputs=("a",)))
    second = catalog.write(first)
    with pytest.raises(Conflict):
        catalog.delete(first)
    assert catalog.get("a.jpg") == second
    with pytest.raises(KeyTaken):
        catalog.write(make_record("b.jpg", outputs=("a",)))


def test_deleting_a_deleted_record_is_refused(catalog: Catalog) -> None:
    first = catalog.write(make_record())
    catalog.delete(first)
    with pytest.raises(Conflict):
        catalog.delete(first)


@pytest.mark.parametrize("claimed", [((), ("k", "x")), (("x", "k"), ())], ids=["pending", "output"])
@pytest.mark.parametrize("wanted", [((), ("j", "k")), (("k", "j"), ())], ids=["pending", "output"])
def test_a_write_is_refused_if_another_record_claims_one_of_its_keys(
    catalog: Catalog, claimed: tuple[tuple[str, ...], ...], wanted: tuple[tuple[str, ...], ...]
) -> None:
    catalog.write(make_record("a.jpg", outputs=claimed[0], pending_keys=claimed[1]))
    with pytest.raises(KeyTaken) as refusal:
        catalog.write(make_record("b.jpg", outputs=wanted[0], pending_keys=wanted[1]))
    assert (refusal.value.key, refusal.value.owner) == ("k", "a.jpg")
    assert names(catalog) == ["a.jpg"]


def test_a_refused_write_changes_nothing(catalog: Catalog) -> None:
    catalog.write(make_record("a.jpg", outputs=("k",)))
    before = catalog.write(make_record("b.jpg", outputs=("old",)))
    with pytest.raises(KeyTaken):
        catalog.write(replace(before, outputs=(), pending_keys=("a new one", "k")))
    assert catalog.get("b.jpg") == before
    catalog.write(make_record("c.jpg", outputs=("a new one",)))
    with pytest.raises(KeyTaken):
        catalog.write(make_record("d.jpg", outputs=("old",)))


def test_a_write_of_an_older_revision_with_a_taken_key_is_reported_as_a_conflict(catalog: Catalog) -> None:
    """The caller must read the record again, even if the key becomes free."""
    catalog.write(make_record("a.jpg", outputs=("k",)))
    catalog.write(make_record("b.jpg"))
    with pytest.raises(Conflict):
        catalog.write(make_record("b.jpg", outputs=("k",)))


def test_a_record_keeps_the_claims_of_its_own_keys_when_it_is_written_again(catalog: Catalog) -> None:
    first = catalog.write(make_record(outputs=("k", "l")))
    second = catalog.write(replace(first, outputs=first.outputs[:1], pending_keys=("l",)))
    third = catalog.write(replace(second, outputs=(), pending_keys=("k", "l")))
    for key in ("k", "l"):
        with pytest.raises(KeyTaken):
            catalog.write(make_record("b.jpg", outputs=(key,)))
    assert catalog.get("a.jpg") == third


def test_the_key_of_an_output_may_also_be_a_pending_key_of_the_same_record(catalog: Catalog) -> None:
    first = catalog.write(make_record(outputs=("k",), pending_keys=("k",)))
    catalog.delete(first)
    catalog.write(make_record("b.jpg", outputs=("k",)))


def test_writing_a_record_frees_the_keys_that_the_record_no_longer_has(catalog: Catalog) -> None:
    first = catalog.write(make_record(outputs=("k", "l")))
    catalog.write(replace(first, outputs=first.outputs[:1]))
    catalog.write(make_record("b.jpg", outputs=("l",)))
    with pytest.raises(KeyTaken):
        catalog.write(make_record("c.jpg", outputs=("k",)))


def test_deleting_a_record_frees_its_keys(catalog: Catalog) -> None:
    catalog.delete(catalog.write(make_record(outputs=("k",), pending_keys=("l",))))
    catalog.write(make_record("b.jpg", outputs=("l",), pending_keys=("k",)))


def test_a_renamed_record_keeps_its_claims_and_all_other_fields(catalog: Catalog) -> None:
    stored = catalog.write(FULL)
    renamed = catalog.rename(stored, "b/new.jpg")
    assert renamed
    assert catalog.get(FULL.name) is None
    assert catalog.get("b/new.jpg") == renamed == replace(stored, name="b/new.jpg", revision=renamed.revision)
    assert {catalog.owner_of(key) for key in FULL.claimed_keys()} == {"b/new.jpg"}
    assert [record.name for record in catalog.list()] == ["b/new.jpg"]
    assert sum(totals.pictures for totals in catalog.count().values()) == 1
    assert catalog.write(replace(renamed, outputs=(), pending_keys=()))


def test_renaming_from_or_to_a_record_that_another_process_wrote_changes_nothing_and_names_the_record(
    catalog: Catalog,
) -> None:
    first = catalog.write(make_record("a.jpg", outputs=("1",)))
    second = catalog.write(replace(first, status="done"))
    other = catalog.write(make_record("b.jpg", outputs=("2",)))
    with pytest.raises(Conflict, match=r"a\.jpg"):
        catalog.rename(first, "c.jpg")
    with pytest.raises(Conflict, match=r"b\.jpg"):
        catalog.rename(second, "b.jpg")
    assert list(catalog.list()) == [second, other]
    assert (catalog.owner_of("1"), catalog.owner_of("2")) == ("a.jpg", "b.jpg")


def test_a_worker_that_read_a_record_before_it_was_renamed_can_not_write_the_record(catalog: Catalog) -> None:
    stored = catalog.write(make_record("a.jpg", outputs=("1",)))
    catalog.rename(stored, "b.jpg")
    with pytest.raises(Conflict):
        catalog.write(stored)


def test_records_are_found_by_their_content(catalog: Catalog) -> None:
    one, two = "1" * 64, "2" * 64
    catalog.write(replace(make_record("b.jpg"), sha256=one))
    changed = catalog.write(replace(make_record("a.jpg"), sha256=one))
    catalog.write(replace(make_record("c.jpg"), sha256=two))
    catalog.write(make_record("d.jpg"))
    assert sorted(catalog.find_content(one).names) == ["a.jpg", "b.jpg"]
    catalog.write(replace(changed, sha256=two))
    assert sorted(catalog.find_content(two).names) == ["a.jpg", "c.jpg"]
    assert catalog.find_content("3" * 64) == SameContent()


def make_notice(name: str = "a/é.jpg", event: str = "done", target: str = "t1") -> UnsentNotice:
    return UnsentNotice(event, target, name, NOW, NOW + timedelta(minutes=5), 1, "no such topic")


def test_an_unsent_notice_is_kept_replaced_or_dropped_by_its_id(catalog: Catalog) -> None:
    assert list(catalog.unsent_notices()) == []
    first, other = make_notice(), make_notice(target="t2")
    held = UnsentNotice("removals_held", "t1", "", NOW, None, 10, "no such topic")
    for notice in (first, other, held, make_notice("a/é.jpg.png")):
        catalog.keep_notice(notice)
    assert set(catalog.unsent_notices()) == {first, other, held, make_notice("a/é.jpg.png")}
    assert set(catalog.unsent_notices("a/é.jpg")) == {first, other}
    later = replace(first, attempts=2, again_at=None, deleted=("x", "y"))
    catalog.keep_notice(later)
    catalog.drop_notice(other)
    catalog.drop_notice(other)
    assert list(catalog.unsent_notices("a/é.jpg")) == [later]
    assert names(catalog) == []


def test_unsent_notices_on_several_pages_are_each_listed_once(which: str, catalog: Catalog) -> None:
    count = scaled(which, 250)
    for number in range(count):
        catalog.keep_notice(make_notice(f"{number}.jpg"))
    assert sorted(each.name for each in catalog.unsent_notices()) == sorted(f"{n}.jpg" for n in range(count))


def test_many_records_are_read_in_one_call(catalog: Catalog) -> None:
    written = {
        name: catalog.write(make_record(name)) for name in (f"{number:03}.jpg" for number in range(230))
    }
    unreadable: list[Unreadable] = []
    assert catalog.get_all([*written, "none.jpg"], unreadable.append) == written
    assert catalog.get_all([], unreadable.append) == {}
    assert unreadable == []


def test_many_unsent_notices_are_kept_and_dropped_in_one_call(catalog: Catalog) -> None:
    notices = [make_notice(f"{number:03}.jpg") for number in range(230)]
    catalog.keep_notice(*notices)
    assert set(catalog.unsent_notices()) == set(notices)
    later = [replace(notice, attempts=2, is_collected=True, reason="é") for notice in notices]
    catalog.keep_notice(*later)
    assert set(catalog.unsent_notices()) == set(later)
    catalog.drop_notice(*later[:101])
    assert set(catalog.unsent_notices()) == set(later[101:])
    catalog.keep_notice()
    catalog.drop_notice()


def test_a_record_is_deleted_and_its_unsent_notices_are_kept_in_one_step(catalog: Catalog) -> None:
    record = catalog.write(make_record(outputs=("k",)))
    notice = make_notice("a.jpg", "removed")
    with pytest.raises(Conflict):
        catalog.delete(replace(record, revision=record.revision + 1), [notice])
    assert list(catalog.unsent_notices()) == []
    catalog.delete(record, [notice])
    assert (catalog.get("a.jpg"), catalog.owner_of("k")) == (None, None)
    assert list(catalog.unsent_notices()) == [notice]


def test_kept_wishes_are_found_by_name_and_by_content(catalog: Catalog) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    kept = KeptWishes("a/é.jpg", "1" * 64, Wishes(Focus(x=1, y=2), ("large",)), later)
    other = KeptWishes("b.jpg", "", Wishes(Focus(x=3, y=4)), later)
    catalog.keep_wishes(kept)
    catalog.keep_wishes(other)
    newer = KeptWishes("c.jpg", "1" * 64, Wishes(Focus(x=7, y=8)), later + timedelta(days=1))
    assert catalog.find_wishes("a/é.jpg") == kept
    assert catalog.find_wishes("b.jpg") == other
    assert catalog.find_wishes("new.jpg") is None
    assert catalog.find_content("1" * 64) == SameContent((), (kept,))
    catalog.keep_wishes(newer)
    assert catalog.find_content("1" * 64).kept == (newer, kept)
    assert list(catalog.list()) == []
    catalog.keep_wishes(replace(kept, wishes=Wishes(Focus(x=5, y=6))))
    catalog.drop_wishes("a/é.jpg")
    catalog.drop_wishes("a/é.jpg")
    assert catalog.find_wishes("a/é.jpg") is None
    assert catalog.find_content("1" * 64).kept == (newer,)


def test_names_and_keys_are_compared_by_their_bytes(catalog: Catalog) -> None:
    alike = ["a", "A", "a ", "é", "e\u0301", "\uff41"]
    for name in alike:
        catalog.write(make_record(name, outputs=(f"out/{name}",)))
    assert names(catalog) == sorted(alike, key=str.encode)
    for name in alike:
        record = catalog.get(name)
        assert record
        assert record.outputs[0].key == f"out/{name}"


def test_list_yields_records_in_the_order_of_the_utf_8_bytes_of_their_names(catalog: Catalog) -> None:
    some = ["a", "a-b", "a.jpg", "a/b", "a0", "Z", "z", "é", "\uffff", "🖼", "a b", "\x7f", "1", "10", "2"]
    for name in some:
        catalog.write(make_record(name))
    in_order = sorted(some, key=str.encode)
    assert names(catalog) == in_order
    for number, name in enumerate(in_order, 1):
        assert [record.name for record in catalog.list(name)] == in_order[number:]
    assert [record.name for record in catalog.list("a/a")] == in_order[in_order.index("a/b") :]


def test_list_and_query_yield_every_one_of_many_records(which: str, catalog: Catalog) -> None:
    many = [
        make_record(f"{number:04}", timestamp=NOW + timedelta(seconds=number * 7 % 601))
        for number in range(scaled(which, 601))
    ]
    for record in many:
        catalog.write(record)
    assert names(catalog) == [record.name for record in many]
    newest_first = sorted(many, key=lambda record: record.timestamp, reverse=True)
    assert [record.name for record in catalog.query()] == [record.name for record in newest_first]


def test_query_lists_each_of_many_records_with_the_same_time_once(which: str, catalog: Catalog) -> None:
    count = scaled(which, 450)
    for number in range(count):
        catalog.write(make_record(f"{number}", status="failed"))
    found = [record.name for record in catalog.query("failed")]
    assert sorted(found) == sorted(f"{number}" for number in range(count))


def test_query_continues_after_any_given_time_and_name(which: str, catalog: Catalog) -> None:
    """Several records may have this time.

    There may be no record with this time and name.
    """
    for number in range(scaled(which, 60)):
        status: Status = "failed" if number % 2 else "done"
        moment = NOW + timedelta(microseconds=number // 7)
        catalog.write(make_record(f"{number * 17 % 61:02}é", status=status, timestamp=moment))
    wanted: tuple[Status | None, ...] = (None, "done")
    for each in wanted:
        records = list(catalog.query(each))
        places = [(record.timestamp, record.name) for record in records]
        assert places == sorted(places, reverse=True)
        for at, place in enumerate(places):
            assert list(catalog.query(each, place)) == records[at + 1 :]
    assert list(catalog.query(None, (NOW - timedelta(days=1), "x"))) == []
    assert len(list(catalog.query(None, (NOW + timedelta(days=1), "x")))) == scaled(which, 60)


def test_query_lists_records_of_a_status_newest_first(catalog: Catalog) -> None:
    second = timedelta(seconds=1)
    catalog.write(make_record("old", timestamp=NOW - second))
    catalog.write(make_record("new", timestamp=NOW + timedelta(microseconds=1)))
    catalog.write(make_record("bad", status="rejected", timestamp=NOW + second))
    moved = catalog.write(make_record("moved", status="rejected", timestamp=NOW - 9 * second))
    assert [record.name for record in catalog.query("rejected")] == ["bad", "moved"]
    catalog.write(replace(moved, status="done", timestamp=NOW))
    assert [record.name for record in catalog.query()] == ["bad", "new", "moved", "old"]
    assert [record.name for record in catalog.query("done")] == ["new", "moved", "old"]
    assert [record.name for record in catalog.query("rejected")] == ["bad"]
    assert list(catalog.query("failed")) == []


PREFIXES = ("", "a", "a/", "a%", "a_", "a*", "é", "\uffff", "🖼", "\U0010ffff", "b")


def test_query_of_a_prefix_yields_only_records_with_that_prefix(catalog: Catalog) -> None:
    """The prefix may have any characters.

    The query may also have a status and a place to continue from.
    """
    some = ("a", "a/b", "a/c", "a%b", "a_b", "A/b", "a*b", "aé", "é", "éa", "\uffffx", "🖼", "🖼\U0010ffffx")
    for number, name in enumerate((*some, "\U0010ffff", "\U0010ffffa")):
        status: Status = "failed" if number % 3 else "done"
        catalog.write(make_record(name, status=status, timestamp=NOW + timedelta(seconds=number * 7 % 5)))
    wanted: tuple[Status | None, ...] = (None, "failed")
    for prefix in PREFIXES:
        for each in wanted:
            records = [record for record in catalog.query(each) if record.name.startswith(prefix)]
            assert list(catalog.query(each, None, prefix)) == records
            if records:
                at = len(records) // 2
                place = (records[at].timestamp, records[at].name)
                assert list(catalog.query(each, place, prefix)) == records[at + 1 :]


def test_query_finds_all_records_of_a_prefix_among_many(which: str, catalog: Catalog) -> None:
    count = scaled(which, 600)
    for number in range(count):
        name = f"{'rare' if number % 50 == 7 else 'often'}/{number:03}"
        catalog.write(make_record(name, timestamp=NOW + timedelta(seconds=number)))
    rare = [f"rare/{number:03}" for number in range(7, count, 50)]
    assert [record.name for record in catalog.query(None, None, "rare/")] == rare[::-1]
    assert len(list(catalog.query("done", None, "often/"))) == count - len(rare)


def test_the_totals_of_an_empty_catalog_are_zero(catalog: Catalog) -> None:
    assert catalog.count() == dict.fromkeys(STATUSES, Totals())


def test_totals_count_the_records_of_each_status(catalog: Catalog) -> None:
    full = catalog.write(FULL)
    catalog.write(make_record("a", outputs=("x", "y")))
    catalog.write(replace(make_record("b", outputs=("z",)), original=Original(7)))
    bytes_of_full = FULL.original.size_bytes if FULL.original else 0
    assert catalog.count() == {
        "processing": Totals(),
        "done": Totals(2, 7, 3, 3, 7, 0),
        "rejected": Totals(1, bytes_of_full, 2, 10, 2 * bytes_of_full, 0),
        "failed": Totals(),
    }
    later = NOW + timedelta(seconds=1)
    begun = Event(NOW + timedelta(microseconds=5), "processing")
    events = (Event(NOW, "processing"), begun, Event(later, "done"), Event(later + timedelta(9), "done"))
    done = catalog.write(replace(full, status="done", history=events))
    assert catalog.count()["done"] == Totals(3, 7 + bytes_of_full, 5, 13, 7 + 2 * bytes_of_full, 999_995)
    catalog.delete(done)
    assert catalog.count()["done"] == Totals(2, 7, 3, 3, 7, 0)
    assert catalog.count()["rejected"] == Totals()


@pytest.mark.parametrize("which", CATALOGS)
@settings(deadline=None, max_examples=10)
@given(written=st.lists(st.tuples(st.sampled_from("ab"), records, st.booleans()), max_size=5))
def test_totals_match_the_records_after_any_writes_and_deletions(
    which: str, written: list[tuple[str, Record, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, CATALOGS[which](Path(folder)) as catalog:
        for name, record, is_kept in written:
            there = catalog.get(name)
            new = replace(record, name=name, outputs=(), revision=there.revision if there else 0)
            stored = catalog.write(new)
            if not is_kept:
                catalog.delete(stored)
        totals = dict.fromkeys(STATUSES, Totals())
        for record in catalog.list():
            totals[record.status] += Totals.of(record)
        assert catalog.count() == totals


def test_query_orders_records_of_different_time_zones_by_time(catalog: Catalog) -> None:
    zone = datetime.fromisoformat("2026-01-02T05:04:05+02:00")  # 03:04:05 in UTC, before NOW
    catalog.write(make_record("zone", timestamp=zone))
    catalog.write(make_record("utc"))
    assert [record.name for record in catalog.query()] == ["utc", "zone"]


def test_a_listing_has_each_remaining_record_once_despite_writes_and_deletions(
    which: str, catalog: Catalog
) -> None:
    """No write waits for the listing."""
    count = scaled(which, 500)
    for number in range(count):
        catalog.write(make_record(f"{number:03}"))
    seen = []
    for record in catalog.list():
        seen.append(record.name)
        if record.name.endswith("1"):
            catalog.delete(record)
        elif record.name.isdigit():
            catalog.write(record)
            catalog.write(make_record(f"{record.name}-new"))
    assert [name for name in seen if name.isdigit()] == [f"{number:03}" for number in range(count)]
    assert seen == sorted(set(seen))


def test_a_query_has_each_record_once_despite_writes(which: str, catalog: Catalog) -> None:
    count = scaled(which, 500)
    for number in range(count):
        catalog.write(make_record(f"{number:03}", timestamp=NOW + timedelta(seconds=number)))
    seen = []
    for record in catalog.query():
        seen.append(record.name)
        catalog.write(replace(record, timestamp=NOW + timedelta(days=1)))
    assert seen == [f"{number:03}" for number in reversed(range(count))]


def test_a_listing_succeeds_while_another_thread_writes(which: str, catalog: Catalog) -> None:
    stay = [f"{number:03}" for number in range(scaled(which, 300))]
    for name in stay:
        catalog.write(make_record(name))
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            catalog.delete(catalog.write(make_record("020x", outputs=("k",))))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            assert [name for name in names(catalog) if name != "020x"] == stay
    finally:
        stop.set()
        thread.join()


def test_only_one_of_many_threads_that_write_the_same_revision_succeeds(catalog: Catalog) -> None:
    record = make_record()
    for _ in range(10):
        tries = [replace(record, etag=f"{record.revision} {number}") for number in range(8)]
        before = record.revision
        winners = race_threads(partial(write_one, catalog, tries))
        assert len(winners) == 1
        there = catalog.get("a.jpg")
        assert there
        assert there == replace(tries[winners[0]], revision=there.revision)
        assert before in (0, there.revision - 1)
        record = there


def test_only_one_of_many_threads_that_claim_the_same_key_succeeds(catalog: Catalog) -> None:
    for key in map(str, range(10)):
        tries = [make_record(f"{key} for {number}", outputs=(key,)) for number in range(8)]
        winners = race_threads(partial(write_one, catalog, tries))
        assert len(winners) == 1
        assert [name for name in names(catalog) if name.startswith(f"{key} ")] == [tries[winners[0]].name]


def test_only_one_of_many_threads_that_write_or_delete_the_same_revision_succeeds(catalog: Catalog) -> None:
    for _ in range(10):
        record = catalog.write(catalog.get("a.jpg") or make_record(outputs=("k",)))

        def step(number: int, record: Record = record) -> None:
            if number % 2:
                catalog.write(record)
            else:
                catalog.delete(record)

        winners = race_threads(step)
        assert len(winners) == 1
        assert (catalog.get("a.jpg") is None) == (winners[0] % 2 == 0)


@pytest.mark.parametrize("which", SHARED_CATALOGS)
def test_only_one_of_several_processes_that_write_the_same_revision_succeeds(
    which: str, tmp_path: Path
) -> None:
    """The processes also create the catalog at the same time."""
    assert sorted(race_processes(write_each, tmp_path, which)) == list(range(60))
    with SHARED_CATALOGS[which](tmp_path) as catalog:
        assert len(names(catalog)) == 60


@pytest.mark.parametrize("which", SHARED_CATALOGS)
def test_only_one_of_several_processes_that_claim_the_same_key_succeeds(which: str, tmp_path: Path) -> None:
    assert sorted(race_processes(claim_each, tmp_path, which)) == list(range(60))
    with SHARED_CATALOGS[which](tmp_path) as catalog:
        assert sorted(int(name.split()[0]) for name in names(catalog)) == list(range(60))


@pytest.mark.parametrize("which", SHARED_CATALOGS)
def test_a_reopened_catalog_has_its_records(which: str, tmp_path: Path) -> None:
    with SHARED_CATALOGS[which](tmp_path) as catalog:
        written = catalog.write(FULL)
    with SHARED_CATALOGS[which](tmp_path) as catalog:
        assert list(catalog.list()) == [written]
        with pytest.raises(KeyTaken):
            catalog.write(make_record("b.jpg", outputs=(FULL.outputs[0].key,)))


def test_the_owner_of_a_key_is_the_record_that_claims_it(catalog: Catalog) -> None:
    first = catalog.write(make_record("a.jpg", outputs=("k",), pending_keys=("é",)))
    assert [catalog.owner_of(key) for key in ("k", "é", "none", "a.jpg")] == ["a.jpg", "a.jpg", None, None]
    catalog.delete(first)
    assert catalog.owner_of("k") is None


BINDING = Binding(
    catalog_id="c",
    pipeline_file="é.toml",
    source="in",
    output="out",
    generation="g",
    former_outputs=("former",),
    held=(Held("removals", 3, "too many", NOW),),
)


def test_a_binding_is_read_back_unchanged(catalog: Catalog) -> None:
    assert catalog.read_binding() is None
    written = catalog.write_binding(BINDING)
    assert written == replace(BINDING, revision=1)
    assert catalog.read_binding() == written
    assert catalog.write_binding(replace(written, held=())) == replace(BINDING, held=(), revision=2)
    assert list(catalog.list()) == list(catalog.query()) == [], "it is no record"


def test_a_binding_of_another_revision_is_refused(catalog: Catalog) -> None:
    first = catalog.write_binding(BINDING)
    second = catalog.write_binding(first)
    for revision in (0, first.revision, second.revision + 1):
        with pytest.raises(Conflict, match="binding") as refused:
            catalog.write_binding(replace(first, revision=revision))
        assert "record" not in str(refused.value), "the message doesn't blame a picture's record"
    assert catalog.read_binding() == second


def test_list_of_a_prefix_yields_only_records_with_that_prefix(catalog: Catalog) -> None:
    some = ("a", "a/b", "a/c", "a%b", "a_b", "A/b", "é", "éa", "\uffffx", "🖼", "\U0010ffffa")
    for name in some:
        catalog.write(make_record(name))
    for prefix in PREFIXES:
        expected = sorted((name for name in some if name.startswith(prefix)), key=str.encode)
        assert [record.name for record in catalog.list(prefix=prefix)] == expected
        assert [record.name for record in catalog.list("a/b", prefix)] == [
            name for name in expected if name > "a/b"
        ]


def test_a_write_keeps_the_fields_of_a_record_that_a_newer_version_wrote(catalog: Catalog) -> None:
    newer = {"new": {"a": [1, 2.5, "é", True]}, "other": "x"}
    item = make_record(outputs=("k",)).to_item()
    item["renditions"]["rendition 0"] |= newer
    catalog.write(Record.from_item(item | newer))
    stored = catalog.get("a.jpg")
    assert stored
    written = catalog.write(replace(stored, status="failed")).to_item()
    assert catalog.get("a.jpg") == Record.from_item(written)
    assert written.items() >= newer.items()
    assert written["renditions"]["rendition 0"].items() >= newer.items()


@pytest.mark.parametrize("which", DAMAGING)
def test_a_damaged_record_is_reported_and_skipped(which: str, catalog: Catalog, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        catalog.write(make_record(name))
    DAMAGING[which](tmp_path, "b.jpg")
    unreadable: list[Unreadable] = []
    assert [record.name for record in catalog.list("", "", unreadable.append)] == ["a.jpg", "c.jpg"]
    assert [part.prefix for part in unreadable] == ["b.jpg"]
    assert "can't be read" in unreadable[0].reason
    with pytest.raises(RecordUnreadable, match=r"renditions retry b\.jpg.*renditions forget b\.jpg"):
        list(catalog.list())
    with pytest.raises(RecordUnreadable):
        catalog.get("b.jpg")


@pytest.mark.parametrize("which", DAMAGING)
def test_repair_replaces_a_damaged_record_with_a_record_that_claims_the_same_keys(
    which: str, catalog: Catalog, tmp_path: Path
) -> None:
    written = catalog.write(make_record("b.jpg", outputs=("b1", "b2"), pending_keys=("b3",)))
    other = catalog.write(make_record("a.jpg", outputs=("a1",)))
    assert catalog.repair("b.jpg") is catalog.repair("c.jpg") is None
    DAMAGING[which](tmp_path, "b.jpg")
    repaired = catalog.repair("b.jpg")
    assert repaired
    assert catalog.get("b.jpg") == repaired
    assert (repaired.status, repaired.goal, repaired.outputs) == ("processing", "", ())
    assert repaired.claimed_keys() == {"b1", "b2", "b3"}
    assert repaired.history[-1].reason == "its record could not be read"
    assert [catalog.owner_of(key) for key in ("b1", "b3", "a1")] == ["b.jpg", "b.jpg", "a.jpg"]
    assert catalog.count()["processing"] == Totals.of(repaired)
    assert catalog.count()["done"] == Totals.of(other)
    with pytest.raises(Conflict):
        catalog.write(written)
    catalog.delete(repaired)
    assert catalog.owner_of("b1") is None
    assert catalog.count()["processing"] == Totals()
