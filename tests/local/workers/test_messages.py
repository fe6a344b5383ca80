"""The messages between the pool and its workers, and the pool's checks of them."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.workers.forged import HONEST, JOB, LIMITS, PICTURE, REJECTED, forge
from model.test_pipeline import OTHER
from renditions.errors import Failed, WorkerDied
from renditions.local.workers.confine import LayerState
from renditions.local.workers.messages import (
    Broken,
    Job,
    decode_answer,
    decode_ready,
    encode_error,
    encode_ready,
    encode_rendering,
)
from renditions.local.workers.pool import RenderPool
from renditions.local.workers.wire import MalformedError, pack, receive, send
from renditions.model.hidden import reveal
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering
from renditions.model.warning import PictureWarning

FORGED = int(os.environ.get("FORGED", "2000"))
"""How many forged answers to try."""


def deliver(raw: bytes) -> tuple[Any, list[bytes]]:
    """Return what the pool receives if a worker writes these bytes and ends."""
    ours, theirs = socket.socketpair()

    def write() -> None:
        with theirs:
            theirs.sendall(raw)

    writer = threading.Thread(target=write)
    with ours:
        writer.start()
        try:
            return receive(ours.fileno(), LIMITS.memory)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            writer.join()


def answer(content: Any, parts: list[bytes]) -> Rendering | Broken:
    return decode_answer(*deliver(b"".join(pack(content, parts))), PICTURE, JOB)


FOREIGN = replace(REJECTED, original=replace(REJECTED.original, format="camera RAW (MRW)"))


@pytest.mark.parametrize("rendering", [HONEST, REJECTED, FOREIGN])
def test_the_pool_receives_a_rendering_unchanged(rendering: Rendering) -> None:
    assert answer(*encode_rendering(rendering)) == rendering


RECIPES = st.fixed_dictionaries({}, optional={name: st.just(value) for name, value in OTHER.items()}).map(
    lambda values: Rendition(**values)
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), RECIPES, max_size=3))
def test_a_worker_receives_its_job_unchanged(recipes: dict[str, Rendition]) -> None:
    job = Job(Accept(min_width=7, formats=("png",)), recipes, Analyze(exif=True), Limits(memory=2_000_000))
    content, parts = deliver(b"".join(pack(*job.encode())))
    assert Job.decode(content, parts) == job


def test_the_pool_and_its_workers_send_json_and_no_pickles() -> None:
    """A pickle names code to run.

    Each message is one JSON object and the bytes of files.
    """
    for pieces in (pack(*JOB.encode()), pack(*encode_rendering(HONEST)), pack(encode_error(Failed("x")))):
        text = pieces[0][12:]
        assert json.loads(text).keys() == {"content", "parts"}


def change(path: str, value: Any) -> Any:
    """Return an honest answer's content with another value at this path.

    If ``value`` is ``...``, remove the field instead.
    """
    content: Any = json.loads(json.dumps(encode_rendering(HONEST)[0]))
    *way, last = path.split(".")
    where = content
    for step in way:
        where = where[step]
    if value is ...:
        del where[last]
    else:
        where[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("made.original.size_bytes", len(PICTURE) + 1),
        ("made.original.format", "exe"),
        ("made.original.width", -1),
        ("made.original.width", True),
        ("made.original.width", 30.0),
        ("made.original.width", 2**60),
        ("made.original.size_bytes", ...),
        ("made.original.more", 1),
        ("made.original.analysis.unknown", [["exif", "{"]]),
        ("made.original.analysis.position.latitude", 1e300),
        ("made.original.analysis.position.latitude", 1e-300),
        ("made.original.analysis.exif.make", "x" * 10_001),
        ("made.original.analysis.exif.make", "\ud800"),
        ("made.original.analysis.colours", {}),
        ("made.made.thumb", ...),
        ("made.made.other", {"format": "jpeg", "width": 1, "height": 1}),
        ("made.made.thumb.format", "png"),
        ("made.made.own.format", "jpeg"),
        ("made.made.thumb.content", "a"),
        ("made.errors", {"other": {"text": "x", "code": "unrenderable"}}),
        ("made.errors", {"thumb": {"text": "x", "code": "key-taken"}}),
        ("made.errors", ["thumb"]),
        ("made.stand_ins", {}),
        ("made.stand_ins", {"photo-9": "thumb"}),
        ("made.stand_ins", {"photo-9": "photo-8", "thumb": "photo-8"}),
        ("made.rejected", {"text": "x", "code": "source-unreadable"}),
        ("made.rejected", {"text": "x", "code": "superseded"}),
        ("made.warnings", [{"code": "harmless", "text": "x"}]),
        ("made.warnings", [{"code": "damaged", "text": "x" * 301}]),
        ("made.warnings", [{"code": "damaged", "text": "x"}] * 13),
        ("made.warnings", [{"code": "damaged", "text": "x", "renditions": ["other"]}]),
        ("made", None),
        ("made", ...),
        ("broken", {"text": 7}),
    ],
)
def test_an_answer_with_one_wrong_value_is_refused(path: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        decode_answer(
            change(path, value) if path != "broken" else {path: value},
            encode_rendering(HONEST)[1],
            PICTURE,
            JOB,
        )


@pytest.mark.parametrize("parts", [[], [b"a"], [b"a", b"b", b"c"]])
def test_an_answer_with_too_few_or_too_many_files_is_refused(parts: list[bytes]) -> None:
    with pytest.raises(MalformedError):
        answer(encode_rendering(HONEST)[0], parts)


def test_an_answer_with_a_rejection_and_renditions_is_refused() -> None:
    both = replace(REJECTED, made={"thumb": Rendered(b"x", "jpeg")})
    with pytest.raises(MalformedError):
        answer(*encode_rendering(both))


def test_a_message_above_the_limit_is_refused_before_it_is_read() -> None:
    """The sender announces the bytes and never sends them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(theirs.fileno(), [b"".join(pack({"ready": []}))[:4] + (LIMITS.memory + 1).to_bytes(8, "big")])
        with pytest.raises(MalformedError, match="1,000,001 bytes"):
            receive(ours.fileno(), LIMITS.memory)


def test_control_characters_in_the_text_of_a_failure_are_escaped() -> None:
    content: Any = {"broken": {"text": "a\x1b[2Jb\u202ec\nd", "trace": "\x07"}}
    broken = decode_answer(content, [], PICTURE, JOB)
    assert isinstance(broken, Broken)
    assert (broken.text, broken.trace) == ("a\\x1b[2Jb\\u202ec\\nd", "\\x07")


def test_control_characters_in_reasons_and_warnings_are_escaped() -> None:
    forged = replace(
        HONEST,
        made={"own": HONEST.made["own"]},
        errors={"thumb": Reason("a\x1bb", "unrenderable")},
        warnings=(PictureWarning("damaged", "a\nb"),),
    )
    result = answer(*encode_rendering(forged))
    assert isinstance(result, Rendering)
    assert result.errors["thumb"].text == "a\\x1bb"
    assert result.warnings[0].text == "a\\nb"


def test_a_very_long_reason_of_an_honest_worker_is_shortened() -> None:
    rejected = replace(REJECTED, rejected=Reason("x" * 50_000, "source-unreadable"))
    result = answer(*encode_rendering(rejected))
    assert isinstance(result, Rendering)
    assert result.rejected == Reason("x" * 10_000, "source-unreadable")
    broken = decode_answer(encode_error(ValueError("x" * 50_000)), [], PICTURE, JOB)
    assert isinstance(broken, Broken)


def test_only_a_well_formed_ready_message_is_accepted() -> None:
    ready = encode_ready((LayerState("landlock", "on", "version 7"),))
    assert decode_ready(ready) == (LayerState("landlock", "on", "version 7"),)
    malformed: tuple[Any, ...] = (
        {"ready": True},
        {"ready": [{"name": "a", "state": "of course"}]},
        {"ready": [], "more": 1},
        None,
        [],
        "ready",
        {"made": {}},
    )
    for content in malformed:
        with pytest.raises(MalformedError):
            decode_ready(content)


def find_fault(rendering: Rendering) -> str:
    """Return what is wrong with this rendering.

    The text is empty if nothing is wrong.
    """
    texts = list(_texts_in(rendering))
    numbers = list(_numbers_in(rendering))
    faults = {
        "names": not rendering.made.keys() | rendering.errors.keys() <= JOB.recipes.keys(),
        "size": rendering.original.size_bytes != len(PICTURE),
        "bytes": sum(len(each.content) for each in rendering.made.values()) > LIMITS.memory,
        "both": rendering.rejected is not None and bool(rendering.made),
        "control characters": any(why.text != reveal(why.text) for why in _reasons_of(rendering)),
        "texts": any(not _is_storable(text) for text in texts),
        "numbers": not all(math.isfinite(number) and abs(number) < 1e16 for number in numbers),
        "formats": any(
            JOB.recipes[name].format not in (each.format, "auto") for name, each in rendering.made.items()
        ),
        "size of a record": len(repr(rendering)) > 1_000_000,
    }
    return ", ".join(name for name, is_wrong in faults.items() if is_wrong)


def _reasons_of(rendering: Rendering) -> list[Reason]:
    return [*rendering.errors.values(), *([rendering.rejected] if rendering.rejected else [])]


def _values_in(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, element in value.items():
            yield key
            yield from _values_in(element)
    elif isinstance(value, (tuple, list)):
        for element in value:
            yield from _values_in(element)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _values_in(getattr(value, name))
    else:
        yield value


def _texts_in(value: Any) -> Iterator[str]:
    return (each for each in _values_in(value) if isinstance(each, str))


def _numbers_in(value: Any) -> Iterator[float]:
    return (each for each in _values_in(value) if isinstance(each, (int, float)))


def _is_storable(text: str) -> bool:
    try:
        return len(text.encode()) <= 100_000
    except UnicodeEncodeError:
        return False


def test_forged_answers_are_refused_or_harmless() -> None:
    """`make test-forged` tries 100,000 forged answers."""
    ends: Counter[str] = Counter()
    longest = 0.0
    for seed in range(FORGED):
        raw = forge(Random(seed))  # noqa: S311 - nothing here is secret
        began = time.process_time()
        try:
            result = decode_answer(*deliver(raw), PICTURE, JOB)
        except MalformedError:
            ends["refused"] += 1
        except EOFError:
            ends["cut off"] += 1
        else:
            assert isinstance(result, (Broken, Rendering))
            fault = find_fault(result) if isinstance(result, Rendering) else ""
            assert not fault, f"seed {seed}: {fault}"
            ends["taken"] += 1
        longest = max(longest, time.process_time() - began)
    print(f"\n{FORGED:,} forged answers: {dict(ends)}; the longest took {longest:.3f} s of CPU time")
    assert ends.keys() == {"refused", "cut off", "taken"}


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="the worker finds its socket there"
)


@needs_proc
@pytest.mark.parametrize("seed", range(max(6, FORGED // 500)))
def test_a_worker_that_forges_an_answer_is_replaced(seed: int) -> None:
    with RenderPool(1, 60, "local.workers.pool_jobs:act", layers=()) as pool:
        with suppress(Failed):
            pool(b"answer " + forge(Random(seed)), JOB.accept, JOB.recipes)  # noqa: S311
        with suppress(WorkerDied):  # if the answer was harmless, the worker ends now
            pool(b"x", JOB.accept, {"a": Rendition()})
        assert pool(b"x", JOB.accept, {"a": Rendition()}).made["a"].content == b"x"


@needs_proc
def test_a_worker_that_sends_more_than_its_answer_is_replaced() -> None:
    honest = b"".join(pack(encode_error(Failed("no memory"))))
    with RenderPool(1, 60, "local.workers.pool_jobs:act", layers=()) as pool:
        with pytest.raises(Failed, match="no memory"):
            pool(b"answer-and-stay " + honest + honest, JOB.accept, JOB.recipes)
        assert pool(b"x", JOB.accept, {"a": Rendition()}).made["a"].content == b"x"


@needs_proc
def test_a_worker_that_closes_its_socket_without_ending_is_replaced() -> None:
    with RenderPool(1, 60, "local.workers.pool_jobs:act", layers=()) as pool:
        with pytest.raises(WorkerDied):
            pool(b"close", JOB.accept, JOB.recipes)
        assert pool(b"x", JOB.accept, {"a": Rendition()}).made


@needs_proc
def test_a_worker_ended_by_a_signal_without_a_name_is_replaced() -> None:
    with RenderPool(1, 60, "local.workers.pool_jobs:act", layers=()) as pool:
        with pytest.raises(WorkerDied, match="ended by signal 40"):
            pool(b"signal 40", JOB.accept, JOB.recipes)
        assert pool(b"x", JOB.accept, {"a": Rendition()}).made
