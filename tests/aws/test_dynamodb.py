"""The catalog in DynamoDB beyond the contract: items, claims, limits and errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws.answers import Answer, answering
from contract.catalogs import NOW, make_record, names
from contract.cloud import CLIENTS, make_table, name_of
from contract.test_catalog import FULL
from renditions.aws import dynamodb, notice_items, reading
from renditions.aws.clients import Clients
from renditions.aws.dynamodb import DynamoCatalog, open_catalog
from renditions.aws.table import (
    BINDING,
    BY_STATUS,
    CLAIM,
    MAX_CLAIMS,
    SHOWN,
    claim_key,
    item_to_record,
    record_to_item,
)
from renditions.aws.transactions import transact
from renditions.core.catalog import SameContent
from renditions.core.ports import Unreadable
from renditions.errors import CatalogFailed, CatalogRefused, Conflict, KeyTaken, RecordUnreadable, UsageError
from renditions.imaging.analysis.exif import MAX_CHARACTERS
from renditions.model.backends import CATALOGS
from renditions.model.binding import Binding
from renditions.model.catalog_place import CatalogPlace
from renditions.model.folding import EXACT, Folding
from renditions.model.kept import KeptWishes
from renditions.model.notices import UnsentNotice
from renditions.model.original import Analysis, DominantColour, Exif, Original, Position
from renditions.model.reason import Reason
from renditions.model.record import ATTRIBUTES, MOST_EVENTS, MOST_REASON_LENGTH, Event, Output, Record, Status
from renditions.model.registry import Shared
from renditions.model.retired import Retired
from renditions.model.wishes import NO_WISHES
from world import World

DYNAMODB = next(backend for backend in CATALOGS if backend.prefix == "dynamodb:")
pytestmark = pytest.mark.usefixtures("aws")

KEY = "image_name"
PASSING = {"Code": "TransactionConflict"}


@pytest.fixture
def table(tmp_path: Path) -> str:
    return make_table(name_of(tmp_path), KEY)


@pytest.fixture
def catalog(table: str) -> DynamoCatalog:
    return DynamoCatalog(CLIENTS.dynamodb, table, KEY)


def open_over(folding: Folding, *, read_only: bool) -> None:
    declared = CatalogPlace(store="dynamodb:catalog")
    with open_catalog(declared, Path(), Shared(), read_only=read_only, folding=lambda: folding):
        pass


@pytest.mark.parametrize(
    ("folding", "ignored"),
    [
        (Folding(ignores_case=True), "upper and lower case"),
        (Folding(ignores_form=True), "Unicode forms"),
        (Folding(ignores_case=True, ignores_form=True), "upper and lower case and Unicode forms"),
    ],
)
def test_a_table_refuses_an_output_folder_that_treats_different_keys_as_one(
    folding: Folding, ignored: str
) -> None:
    with pytest.raises(UsageError, match=f"the output folder ignores {ignored} in names"):
        open_over(folding, read_only=False)


def test_a_read_only_table_accepts_an_output_folder_that_ignores_case() -> None:
    open_over(EXACT, read_only=False)
    open_over(Folding(ignores_case=True), read_only=True)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)


def count_items(table: str) -> int:
    return len(CLIENTS.dynamodb.scan(TableName=table)["Items"])


def ok(**fields: Any) -> Answer:
    return Answer(200, json.dumps(fields))


def refusal(code: str, **fields: Any) -> Answer:
    """Return an error in the form of DynamoDB's answers."""
    return Answer(400, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"} | fields))


def cancelled(*reasons: dict[str, Any]) -> Answer:
    return refusal("TransactionCanceledException", Message="cancelled", CancellationReasons=list(reasons))


@pytest.mark.parametrize("key_name", ["image_name", "image_id"])
def test_an_item_has_the_documented_attributes_for_queries(tmp_path: Path, key_name: str) -> None:
    table = make_table(name_of(tmp_path / key_name), key_name)
    DynamoCatalog(CLIENTS.dynamodb, table, key_name).write(FULL)
    item = CLIENTS.dynamodb.get_item(TableName=table, Key={key_name: {"S": FULL.name}})["Item"]
    assert item["original_width"] == {"N": "4"}
    assert item["original_size_bytes"] == {"N": "123456789012"}
    assert item["processed_height"] == {"N": "1"}
    assert item["timestamp"] == {"S": "2026-01-02T03:04:05.678901Z"}
    assert item["status"] == {"S": "rejected"}
    assert item["renditions"]["M"]["small"]["M"]["size_bytes"] == {"N": "10"}


def test_the_index_by_status_has_the_documented_attributes_for_queries(
    catalog: DynamoCatalog, table: str
) -> None:
    catalog.write(FULL)
    catalog.write(make_record("b.jpg"))
    (row,) = CLIENTS.dynamodb.query(
        TableName=table,
        IndexName=BY_STATUS,
        KeyConditionExpression="#s = :rejected",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":rejected": {"S": "rejected"}},
    )["Items"]
    assert row[KEY] == {"S": FULL.name}
    assert set(SHOWN) <= row.keys() <= {*SHOWN, KEY, "status", "timestamp"}


def test_a_record_keeps_the_order_of_its_outputs_in_a_dynamodb_map() -> None:
    record = replace(
        FULL,
        outputs=tuple(Output(name, f"{name}.jpg", "o", "s", "f", "jpeg", 1) for name in "zay"),
        errors=(("x", Reason("1", "unrenderable")), ("b", Reason("2"))),
    )
    item = record_to_item(record, KEY)
    for name in ("renditions", "errors"):
        item[name] = {"M": dict(sorted(item[name]["M"].items()))}
    assert item_to_record(item, KEY) == record


def test_the_names_refused_for_a_table_key_include_every_attribute_of_a_record() -> None:
    full = replace(FULL, original=replace(FULL.original, frames=2) if FULL.original else None, revision=1)
    assert record_to_item(full, KEY).keys() - {KEY} == ATTRIBUTES | (
        DYNAMODB.own_attributes - {"owner", "output_key", "kept", "notice"}
    )


def test_a_pipeline_allows_as_many_renditions_as_one_transaction_can_claim() -> None:
    assert DYNAMODB.most_renditions == MAX_CLAIMS


def test_a_picture_in_progress_is_listed_and_counted(catalog: DynamoCatalog) -> None:
    """The index contains pictures in progress, although this costs more writes."""
    done = catalog.write(make_record("a.jpg", status="done"))
    catalog.write(replace(done, status="processing"))
    catalog.write(make_record("stuck.jpg", status="processing"))
    for query in (catalog.query("processing"), catalog.query()):
        assert sorted(record.name for record in query) == ["a.jpg", "stuck.jpg"]
    assert {status: totals.pictures for status, totals in catalog.count().items() if totals.pictures} == {
        "processing": 2
    }


def test_a_listing_of_records_does_not_show_claims(catalog: DynamoCatalog, table: str) -> None:
    first = catalog.write(make_record(outputs=("k",), pending_keys=("l",)))
    assert count_items(table) == 3
    assert names(catalog) == ["a.jpg"]
    assert list(catalog.query()) == [first]
    catalog.delete(first)
    assert count_items(table) == 0


@pytest.mark.parametrize("name", [CLAIM + "k", claim_key("k"), BINDING, "", "é" * 513, "é" * 1025])
def test_a_name_that_the_table_can_not_hold_has_no_record_and_is_refused_for_writing(
    catalog: DynamoCatalog, name: str
) -> None:
    catalog.write(make_record(outputs=("k",)))
    catalog.write_binding(Binding("id", "renditions.toml", "s3://in/", "s3://out/", "g"))
    unreadable: list[Unreadable] = []
    assert catalog.get(name) is None
    assert catalog.repair(name) is None
    assert catalog.get_all([name], unreadable.append) == {}
    assert unreadable == []
    with pytest.raises(CatalogRefused, match="expected a name"):
        catalog.write(make_record(name))
    with pytest.raises(CatalogRefused, match="expected a name"):
        catalog.rename(make_record(), name)


def test_each_use_of_a_name_or_key_that_is_not_text_is_refused(catalog: DynamoCatalog) -> None:
    name = "\udcff.jpg"
    unsent = UnsentNotice("removed", "t", name, NOW, NOW)
    uses: tuple[Callable[[], object], ...] = (
        lambda: catalog.get(name),
        lambda: catalog.get_all([name], lambda _: None),
        lambda: catalog.repair(name),
        lambda: catalog.write(make_record(name)),
        lambda: catalog.write(make_record(outputs=(name,))),
        lambda: catalog.rename(make_record(), name),
        lambda: catalog.owner_of(name),
        lambda: catalog.keep_wishes(KeptWishes(name, "", NO_WISHES, NOW)),
        lambda: catalog.find_wishes(name),
        lambda: catalog.drop_wishes(name),
        lambda: catalog.keep_notice(unsent),
        lambda: catalog.drop_notice(unsent),
        lambda: list(catalog.unsent_notices(name)),
    )
    for use in uses:
        with pytest.raises(CatalogRefused, match=r"can't hold '\\udcff.jpg': it isn't Unicode text"):
            use()


def test_a_record_with_as_many_and_as_long_keys_as_possible_fits_into_an_item(catalog: DynamoCatalog) -> None:
    """Every output's key changes, and half of the renditions have an error too.

    The texts of the EXIF data and the history have their greatest length.
    """
    text = "é" * MAX_CHARACTERS
    analysis = Analysis(
        exif=Exif(text, text, text, text, 1 / 3, 1 / 3, 100, 1 / 3),
        position=Position(-33.8567844, 151.2152967, 1 / 3),
        colours=(DominantColour("#ffffff", 1 / 3),) * 16,
        thumbhash="x" * 40,
        blurhash="x" * 100,
        perceptual_hash="0" * 16,
        sharpness=1 / 3,
        transparency=True,
    )
    history = (Event(NOW, "failed", "é" * MOST_REASON_LENGTH),) * MOST_EVENTS

    def keys_of(version: str) -> tuple[str, ...]:
        return tuple(f"{version}{number:02}".ljust(1024, "x") for number in range(MAX_CLAIMS))

    first = catalog.write(make_record(pending_keys=keys_of("v1")))
    made = catalog.write(replace(make_record(outputs=keys_of("v1")), revision=first.revision))
    record = replace(
        made,
        pending_keys=keys_of("v2"),
        errors=tuple((f"rendition {number}", Reason("why " * 100, "unrenderable")) for number in range(50)),
        reason="; ".join(["why " * 100] * 50),
        original=Original(10**12, "jpeg", 10**5, 10**5, 10**4, analysis),
        history=history,
    )
    written = catalog.write(record)
    assert catalog.get("a.jpg") == written
    assert len(json.dumps(record_to_item(written, KEY))) < 400_000


def test_a_record_with_more_new_keys_than_a_transaction_holds_is_refused(
    catalog: DynamoCatalog, table: str
) -> None:
    with pytest.raises(CatalogRefused, match="at most 99 new output keys"):
        catalog.write(make_record(pending_keys=tuple(map(str, range(100)))))
    assert count_items(table) == 0


@pytest.fixture
def hoarder(catalog: DynamoCatalog, monkeypatch: pytest.MonkeyPatch) -> Record:
    """Return a record with more keys than one transaction can free.

    Here a transaction can free only ten.
    """
    monkeypatch.setattr(dynamodb, "MAX_CLAIMS", 10)
    record = make_record()
    for count in (9, 18, 27):
        record = catalog.write(replace(record, pending_keys=tuple(map(str, range(count))), goal="g"))
    return record


def test_one_write_can_free_more_keys_than_a_transaction_holds(
    catalog: DynamoCatalog, table: str, hoarder: Record
) -> None:
    written = catalog.write(replace(hoarder, pending_keys=("0", "new")))
    assert written.revision > hoarder.revision
    assert catalog.get("a.jpg") == written
    assert count_items(table) == 3


def test_a_taken_key_leaves_a_record_unchanged_that_would_free_more_keys_than_a_transaction_holds(
    catalog: DynamoCatalog, hoarder: Record
) -> None:
    catalog.write(make_record("other.jpg", pending_keys=("taken",)))
    with pytest.raises(KeyTaken) as refusal:
        catalog.write(replace(hoarder, pending_keys=("0", "new", "taken")))
    assert (refusal.value.key, refusal.value.owner) == ("taken", "other.jpg")
    assert catalog.get("a.jpg") == hoarder
    assert {catalog.owner_of(key) for key in hoarder.pending_keys} == {"a.jpg"}


def test_a_key_that_is_taken_while_keys_are_freed_changes_the_record_and_forgets_no_former_output(
    catalog: DynamoCatalog, hoarder: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outputs stay in a former store for a while.

    The record has other keys in the new store.
    """
    here = catalog.write(replace(hoarder, place="s3://former/"))
    left = tuple(Retired(key, "", NOW, here.place) for key in here.pending_keys)
    moved = replace(here, place="s3://new/", pending_keys=("new", "taken"), retired=left)
    transact, count = catalog._transact, iter(range(9))

    def transact_late(*args: Any) -> None:
        if next(count) == 1:
            transact(["b.jpg"], [{"Put": catalog._put(make_record("b.jpg").raised(), 0)},
                                 catalog._claim("taken", "b.jpg")], ["taken"])  # fmt: skip
        transact(*args)

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "_transact", transact_late)
        with pytest.raises(Conflict, match=r"the record of 'a.jpg' changed"):
            catalog.write(moved)
    found = catalog.get("a.jpg")
    assert found
    assert (found.goal, found.place, found.revision > here.revision) == ("", "s3://former/", True)
    freed = {key for key in here.pending_keys if catalog.owner_of(key) is None}
    assert freed
    assert freed == set(here.pending_keys) - found.claimed_keys()
    assert set(found.retired) == {old for old in left if old.key in freed}
    with pytest.raises(KeyTaken):
        catalog.write(replace(moved, revision=found.revision))
    written = catalog.write(replace(moved, revision=found.revision, pending_keys=("new",)))
    assert catalog.get("a.jpg") == written


def test_a_record_with_more_keys_than_a_transaction_holds_can_be_deleted(
    catalog: DynamoCatalog, table: str, hoarder: Record
) -> None:
    catalog.delete(hoarder)
    assert count_items(table) == 0


@pytest.mark.parametrize("is_retired", [False, True])
def test_a_record_can_be_deleted_after_a_crash_that_interrupted_freeing_its_keys(
    catalog: DynamoCatalog, hoarder: Record, monkeypatch: pytest.MonkeyPatch, *, is_retired: bool
) -> None:
    """The remaining record lists exactly the keys that it still claims.

    The record's goal is empty, so the picture would be processed again.
    """
    if is_retired:
        retired = tuple(Retired(key, "e", NOW) for key in hoarder.pending_keys)
        hoarder = catalog.write(replace(hoarder, pending_keys=(), retired=retired))
    transact, count = catalog._transact, iter(range(2))

    def transact_once(*args: Any) -> None:
        if next(count):
            raise CatalogFailed("the line is cut")
        transact(*args)

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "_transact", transact_once)
        with pytest.raises(CatalogFailed):
            catalog.delete(hoarder)
    left = catalog.get("a.jpg")
    assert left
    assert left.goal == ""
    with pytest.raises(Conflict):  # otherwise a worker with the older record would trust freed keys
        catalog.write(hoarder)
    assert len(left.claimed_keys()) == 27 - 10
    for key in map(str, range(0, 27, 3)):
        try:
            catalog.write(make_record(f"{key}.jpg", pending_keys=(key,)))
        except KeyTaken:
            assert key in left.claimed_keys()
        else:
            assert key not in left.claimed_keys()
    catalog.delete(left)
    assert catalog.get("a.jpg") is None


def test_large_notices_are_kept_in_transactions_below_the_limit_of_dynamodb(
    catalog: DynamoCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tuple(f"{number:02}".ljust(1024, "x") for number in range(99))
    notices = [UnsentNotice("removed", "t", f"{number}.jpg", NOW, NOW, deleted=keys) for number in range(90)]
    lengths: list[int] = []

    def measure(client: Any, reader: Any, names: Any, operations: Sequence[dict[str, Any]]) -> None:
        lengths.append(len(json.dumps(operations)))
        transact(client, reader, names, operations)

    monkeypatch.setattr(notice_items, "transact", measure)
    catalog.keep_notice(*notices)
    assert sorted(each.name for each in catalog.unsent_notices()) == sorted(each.name for each in notices)
    assert len(lengths) == 3
    assert max(lengths) < 4 * 2**20


def test_writing_a_record_that_is_too_large_is_refused(catalog: DynamoCatalog) -> None:
    with pytest.raises(CatalogRefused, match="maximum allowed size"):
        catalog.write(replace(make_record(), reason="x" * 410_000))


def test_reading_an_item_that_is_not_a_record_raises_an_error(catalog: DynamoCatalog, table: str) -> None:
    CLIENTS.dynamodb.put_item(TableName=table, Item={KEY: {"S": "a.jpg"}, "kind": {"S": "picture"}})
    with pytest.raises(RecordUnreadable, match=f"the record of 'a.jpg' in dynamodb:{table} can't be read"):
        catalog.get("a.jpg")
    with pytest.raises(RecordUnreadable):
        list(catalog.list())
    assert catalog.repair("a.jpg")


def test_a_repaired_record_can_claim_the_key_that_the_damaged_record_had_lost(
    catalog: DynamoCatalog, table: str
) -> None:
    catalog.write(make_record(outputs=("k",)))
    CLIENTS.dynamodb.update_item(
        TableName=table,
        Key={KEY: {"S": "a.jpg"}},
        UpdateExpression="REMOVE renditions SET #status = :odd, revision = :odd",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":odd": {"S": "odd"}},
    )
    repaired = catalog.repair("a.jpg")
    assert repaired
    assert repaired.claimed_keys() == frozenset()
    with pytest.raises(KeyTaken):
        catalog.write(make_record("b.jpg", outputs=("k",)))
    assert catalog.write(replace(repaired, pending_keys=("k",))).claimed_keys() == {"k"}


def test_the_error_about_a_missing_table_names_the_table() -> None:
    with pytest.raises(CatalogRefused, match="dynamodb:no-such-table"):
        DynamoCatalog(CLIENTS.dynamodb, "no-such-table").get("a.jpg")


@pytest.fixture
def stored() -> Record:
    return replace(make_record(outputs=("k",)), revision=7, timestamp=NOW)


def read(record: Record) -> Answer:
    return ok(Item=record_to_item(record, KEY))


def test_a_retried_write_recognises_the_revision_that_it_wrote_before_its_answer_was_lost(
    stored: Record,
) -> None:
    ours = record_to_item(replace(stored, revision=8), KEY)
    lost, refused = Answer(500, "{}"), refusal("ConditionalCheckFailedException", Item=ours)
    with answering([read(stored), lost, refused]) as (clients, seen):
        assert DynamoCatalog(clients.dynamodb, "table", KEY).write(stored).revision == 8
    assert len(seen) == 3


def test_a_retried_write_recognises_its_record_although_dynamodb_writes_numbers_in_another_way(
    stored: Record,
) -> None:
    """DynamoDB trims zeroes and writes out exponents."""
    analysis = Analysis(exif=Exif(f_number=8.0, exposure_seconds=0.00005))
    photo = replace(stored, original=Original(1, "jpeg", 2, 2, 1, analysis))
    kept = json.dumps(record_to_item(replace(photo, revision=8), KEY))
    assert '"8.0"' in kept
    assert '"5e-05"' in kept
    ours = json.loads(kept.replace('"8.0"', '"8"').replace('"5e-05"', '"0.00005"'))
    lost, refused = Answer(500, "{}"), refusal("ConditionalCheckFailedException", Item=ours)
    with answering([read(photo), lost, refused]) as (clients, _):
        assert DynamoCatalog(clients.dynamodb, "table", KEY).write(photo).revision == 8


def test_writing_an_outdated_record_raises_a_conflict(stored: Record) -> None:
    ours = record_to_item(replace(stored, revision=8), KEY)
    theirs = record_to_item(replace(stored, revision=8, reason="theirs"), KEY)
    for answers in (
        [Answer(500, "{}"), refusal("ConditionalCheckFailedException", Item=theirs)],
        # The stored item equals ours, but our client sent its write only once.
        [refusal("ConditionalCheckFailedException", Item=ours)],
    ):
        with answering([read(stored), *answers]) as (clients, _), pytest.raises(Conflict):
            DynamoCatalog(clients.dynamodb, "table", KEY).write(stored)


@pytest.fixture
def moved(stored: Record) -> Record:
    """Return the stored record with another key.

    Writing the changed record takes a transaction.
    """
    return replace(stored, pending_keys=("l",))


@pytest.mark.usefixtures("no_pauses")
def test_a_write_that_conflicts_with_a_transaction_is_retried(stored: Record, moved: Record) -> None:
    met = [cancelled({"Code": "None"}, PASSING), cancelled({"Code": "ThrottlingError"}, {"Code": "None"})]
    with answering([read(stored), *met, ok()]) as (clients, seen):
        assert DynamoCatalog(clients.dynamodb, "table", KEY).write(moved).revision == 8
    assert len(seen) == 4
    met = [refusal("TransactionConflictException")] * 2
    with answering([read(stored), *met, ok()]) as (clients, seen):
        assert DynamoCatalog(clients.dynamodb, "table", KEY).write(stored).revision == 8
    assert len(seen) == 4


@pytest.mark.usefixtures("no_pauses")
def test_a_write_that_conflicts_with_transactions_at_every_attempt_raises_a_retryable_error(
    stored: Record, moved: Record
) -> None:
    for record, answer in ((moved, cancelled(PASSING)), (stored, refusal("TransactionConflictException"))):
        with answering([read(stored), answer]) as (clients, _), pytest.raises(CatalogFailed) as failure:
            DynamoCatalog(clients.dynamodb, "table", KEY).write(record)
        assert failure.value.retryable


def test_a_write_reports_a_changed_record_rather_than_a_taken_key(stored: Record, moved: Record) -> None:
    failed = {"Code": "ConditionalCheckFailed", "Item": {KEY: {"S": "k"}, "owner": {"S": "b.jpg"}}}
    for first, error in ((failed, Conflict), ({"Code": "None"}, KeyTaken)):
        with answering([read(stored), cancelled(first, failed)]) as (clients, _), pytest.raises(error):
            DynamoCatalog(clients.dynamodb, "table", KEY).write(moved)


@pytest.mark.usefixtures("no_pauses")
def test_keys_that_dynamodb_leaves_unprocessed_are_read_again(stored: Record) -> None:
    other = replace(stored, name="b.jpg")
    rows = [{KEY: {"S": name}, "kind": {"S": "picture"}} for name in ("a.jpg", "b.jpg", "gone.jpg")]
    left = {"table": {"Keys": [{KEY: {"S": "b.jpg"}}]}}
    answers = [
        ok(Items=rows),
        ok(Responses={"table": [record_to_item(stored, KEY)]}, UnprocessedKeys=left),
        ok(Responses={}, UnprocessedKeys=left),
        ok(Responses={"table": [record_to_item(other, KEY)]}, UnprocessedKeys={}),
    ]
    with answering(answers) as (clients, _):
        assert list(DynamoCatalog(clients.dynamodb, "table", KEY).list()) == [stored, other]


@pytest.mark.usefixtures("no_pauses")
def test_reading_fails_if_keys_stay_unprocessed(stored: Record) -> None:
    left = {"table": {"Keys": [{KEY: {"S": "b.jpg"}}]}}
    rows = ok(Items=[{KEY: {"S": "b.jpg"}}], Responses={}, UnprocessedKeys=left)
    with (
        answering([rows]) as (clients, _),
        pytest.raises(CatalogFailed, match="can't read all items in 8 attempts: DynamoDB left 1 unprocessed"),
    ):
        list(DynamoCatalog(clients.dynamodb, "table", KEY).list())


def test_query_skips_a_record_that_changed_after_the_index_was_read(stored: Record) -> None:
    row = {KEY: {"S": "a.jpg"}, "status": {"S": "done"}, "timestamp": {"S": "2020-01-01T00:00:00.000000Z"}}
    found = ok(Responses={"table": [record_to_item(stored, KEY)]}, UnprocessedKeys={})
    with answering([ok(Items=[row]), found]) as (clients, _):
        assert list(DynamoCatalog(clients.dynamodb, "table", KEY).query("done")) == []


def test_query_lists_a_record_once_that_an_index_shows_with_its_former_and_its_new_status(
    catalog: DynamoCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index lags behind its table, and its partitions are read one by one."""
    record = catalog.write(make_record(timestamp=NOW))
    shown = catalog._reader.query_status

    def lagging(status: Status, before: Any, **options: Any) -> Iterator[tuple[str, str, Status]]:
        former = [("2020-01-01T00:00:00.000000Z", record.name, status)] if status == "processing" else []
        return iter([*shown(status, before, **options), *former])

    monkeypatch.setattr(catalog._reader, "query_status", lagging)
    assert list(catalog.query()) == [record]


def test_query_reports_an_unreadable_record_and_yields_the_readable_records(stored: Record) -> None:
    items = [record_to_item(replace(stored, name=name), KEY) for name in ("a.jpg", "b.jpg")]
    items[0]["lease"] = {"S": "damaged"}
    rows = [
        {KEY: item[KEY], "status": item["status"], "timestamp": item["timestamp"]} for item in reversed(items)
    ]
    answers = [ok(Items=rows), ok(Responses={"table": items}, UnprocessedKeys={})]
    unreadable: list[Unreadable] = []
    with answering(answers) as (clients, _):
        catalog = DynamoCatalog(clients.dynamodb, "table", KEY)
        found = list(catalog.query(stored.status, on_unreadable=unreadable.append))
    assert [record.name for record in found] == ["b.jpg"]
    assert [part.prefix for part in unreadable] == ["a.jpg"]
    with answering(answers) as (clients, _), pytest.raises(CatalogFailed):
        list(DynamoCatalog(clients.dynamodb, "table", KEY).query(stored.status))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("AccessDeniedException", Message="no"), CatalogRefused),
        (refusal("UnrecognizedClientException"), CatalogRefused),
        (refusal("ResourceNotFoundException"), CatalogRefused),
        (refusal("ValidationException"), CatalogRefused),
    ],
    ids=lambda value: value.body[:70] if isinstance(value, Answer) else "",
)
def test_errors_of_dynamodb_are_raised_as_errors_of_this_package(
    answer: Answer, error: type[Exception]
) -> None:
    with answering([answer]) as (clients, _), pytest.raises(error, match="dynamodb:table") as raised:
        DynamoCatalog(clients.dynamodb, "table", KEY).get("a.jpg")
    assert type(raised.value) is error


def test_a_new_picture_costs_one_query_of_the_index_by_content(table: str) -> None:
    """The query finds records and kept wishes for the picture's content."""
    client = Clients().dynamodb
    queried: list[str] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.Query", lambda params, **_: queried.append(params["IndexName"])
    )
    world = World()
    world.upload("a.jpg", b"one")
    catalog = DynamoCatalog(client, table, KEY)
    assert world.processor(catalog=catalog).process("a.jpg").result == "done"
    assert queried == ["by-content"]


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_a_table_without_the_index_by_content_finds_no_equal_pictures_and_logs_a_warning(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A table or a policy of version 0.1 doesn't have this index."""

    class Client:
        def get_paginator(self, _: str) -> Client:
            return self

        def paginate(self, **_: object) -> Iterator[object]:
            raise ClientError({"Error": {"Code": code, "Message": "no such index"}}, "Query")

    assert DynamoCatalog(Client(), "pictures").find_content("1" * 64) == SameContent()
    assert "by-content" in caplog.text
