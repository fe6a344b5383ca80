"""The memory, the cores and the time that the pictures of a call share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from imaging.pictures import encoded, photo
from renditions.errors import NoTimeLeft
from renditions.imaging.memory import Memory
from renditions.model.original import Original
from renditions.model.pipeline import NO_ANALYSIS, Accept, Limits
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from renditions.serverless.room import Room, read_memory

MB = 1_000_000
RECIPES = {"thumb": Rendition(width=50)}


class Renders:
    """A renderer that takes as many megabytes as the file's text says.

    It records what runs side by side.
    """

    def __init__(self, meet: Callable[[], object] = lambda: time.sleep(0.05)) -> None:
        self.meet = meet
        self.most_bytes = self.most = 0
        self._running: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, content: bytes, *_: Any, limits: Limits, memory: Memory) -> Rendering:
        need = int(content) * MB
        with memory.take(need):
            with self._lock:
                self._running.append(need)
                self.most_bytes = max(self.most_bytes, sum(self._running))
                self.most = max(self.most, len(self._running))
            self.meet()
            with self._lock:
                self._running.remove(need)
        return Rendering(Original(len(content)))


def run(room: Room, renders: Renders, needs_mb: Sequence[int]) -> list[BaseException | None]:
    """Render pictures that need this much, all at once; return each one's error."""
    render = room.make_renderer(Limits(), renders)
    with ThreadPoolExecutor(len(needs_mb)) as executor:
        futures = [
            executor.submit(render, str(need).encode(), Accept(), RECIPES, NO_ANALYSIS) for need in needs_mb
        ]
    return [future.exception() for future in futures]


def test_pictures_are_rendered_at_once_only_if_their_memory_fits() -> None:
    """The function's process takes 200 MB of the function's 1,024 MiB."""
    renders = Renders()
    assert run(Room(1024, cores=4), renders, [600, 600, 600, 100, 100, 100]) == [None] * 6
    assert renders.most_bytes <= 874 * MB
    assert renders.most >= 2


def test_no_more_pictures_are_rendered_at_once_than_there_are_cores() -> None:
    renders = Renders()
    assert run(Room(10_240, cores=2), renders, [1] * 8) == [None] * 8
    assert renders.most == 2


def test_a_single_picture_is_tried_even_if_its_estimate_exceeds_the_memory() -> None:
    """An estimate can be too high. Pictures that can't fit are rejected earlier."""
    renders = Renders()
    assert run(Room(512, cores=2), renders, [5_000]) == [None]


def test_a_picture_that_waits_until_the_time_is_over_fails_without_using_up_an_attempt() -> None:
    room = Room(1024, cores=2)
    let = threading.Event()
    room.begin(lambda: False)
    renders = Renders(lambda: let.wait(30))
    render = room.make_renderer(Limits(), renders)
    with ThreadPoolExecutor(2) as executor:
        first = executor.submit(render, b"800", Accept(), RECIPES, NO_ANALYSIS)
        while not renders.most:
            time.sleep(0.01)
        second = executor.submit(render, b"800", Accept(), RECIPES, NO_ANALYSIS)
        error = second.exception(timeout=30)
        let.set()
        assert first.exception(timeout=30) is None
    assert isinstance(error, NoTimeLeft)
    assert not error.is_try


def test_each_thread_gets_the_seconds_that_its_picture_waited() -> None:
    room = Room(1024, cores=1)
    renders = Renders(lambda: time.sleep(1))
    together = threading.Barrier(2)
    render = room.make_renderer(Limits(), renders)

    def timed() -> float:
        room.waited_seconds()
        together.wait(30)
        render(b"1", Accept(), RECIPES, NO_ANALYSIS)
        return room.waited_seconds()

    with ThreadPoolExecutor(2) as executor:
        waited = sorted(future.result() for future in [executor.submit(timed), executor.submit(timed)])
    assert waited[0] < 0.5 < waited[1]


def test_the_wait_of_a_picture_that_gets_no_room_in_time_counts_as_waiting() -> None:
    room = Room(1024, cores=1)
    let = threading.Event()
    has_time = iter([True, True])
    room.begin(lambda: next(has_time, False))
    renders = Renders(lambda: let.wait(30))
    render = room.make_renderer(Limits(), renders)

    def wait() -> float:
        with pytest.raises(NoTimeLeft):
            render(b"1", Accept(), RECIPES, NO_ANALYSIS)
        return room.waited_seconds()

    with ThreadPoolExecutor(2) as executor:
        first = executor.submit(render, b"1", Accept(), RECIPES, NO_ANALYSIS)
        while not renders.most:
            time.sleep(0.01)
        waited_seconds = executor.submit(wait).result(timeout=30)
        let.set()
        assert first.exception(timeout=30) is None
    assert waited_seconds > 0.3


@pytest.mark.parametrize("memory_mb", [128, 256])
def test_the_reason_for_rejecting_a_picture_that_cannot_fit_names_the_memory_of_the_function(
    memory_mb: int,
) -> None:
    render = Room(memory_mb).make_renderer(Limits())
    # AVIF takes 15 bytes for each pixel: 225 MB.
    content = encoded(photo(5_000, 3_000), "avif")
    (reason,) = render(content, Accept(), RECIPES, NO_ANALYSIS).errors.values()
    assert f"a function with {memory_mb} MB of memory has for one picture" in reason.text
    assert "memory_mb in the Terraform module" in reason.text
    small = encoded(photo(500, 300), "jpeg")
    assert render(small, Accept(), RECIPES, NO_ANALYSIS).made.keys() == {"thumb"}


def test_a_memory_limit_of_the_pipeline_file_below_the_memory_of_the_function_applies() -> None:
    render = Room(10_240).make_renderer(Limits(memory=10 * MB))
    content = encoded(photo(2_000, 1_000), "avif")
    (reason,) = render(content, Accept(), RECIPES, NO_ANALYSIS).errors.values()
    assert "[limits] memory allows" in reason.text


def test_the_memory_of_the_function_is_read_from_the_variable_that_lambda_sets() -> None:
    assert read_memory({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}) == 1769
    assert read_memory({}) is None
