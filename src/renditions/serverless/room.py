"""Share a function's memory and cores on Lambda among the pictures of one call.

Lambda kills a function that takes more memory than it has, with all pictures in progress. So a picture waits
until the bytes that it may take are free. If no other picture is being rendered, it doesn't wait: it may have
all the memory.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from renditions.core.ports import Renderer
from renditions.errors import NoTimeLeft
from renditions.imaging.memory import Memory
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering

_MIB = 2**20
_PROCESS_BYTES = 200_000_000
"""The memory of Python, its libraries and the AWS clients, and freed memory that the C library keeps."""
_LEAST_SHARE = 0.3
"""The smallest share of the function's memory that the pictures get, even if the memory is small."""
_SURE_SHARE = 0.95
"""The share of the pictures' memory that one picture may take. The rest is a reserve for wrong estimates."""
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""The numbers of two settings of glibc (malloc.h)."""
_LARGE_BLOCK_BYTES = 2**20
_ARENAS = 2
_LOOK_SECONDS = 0.2
"""How often a waiting picture checks the time that is left."""


class Room:
    """The memory and the cores that a function's pictures share. Many threads use it.

    Args:
        memory_mb: The function's memory in MiB, as AWS counts it; None outside of Lambda, where nothing
            limits the pictures together.
        cores: How many pictures are rendered at once.

    """

    def __init__(self, memory_mb: int | None = None, cores: int = 1) -> None:
        self._memory_mb = memory_mb
        self.cores = cores
        self._total_bytes: float = float("inf")
        if memory_mb is not None:
            size_bytes = memory_mb * _MIB
            self._total_bytes = max(size_bytes - _PROCESS_BYTES, int(size_bytes * _LEAST_SHARE))
        self._taken_bytes = 0.0
        self._file_bytes = 0
        self._running = 0
        self._changed = threading.Condition()
        self._own = threading.local()
        self._has_time: Callable[[], bool] = lambda: True

    def begin(self, has_time: Callable[[], bool]) -> None:
        """Begin a call, whose remaining time limits how long its pictures wait.

        ``has_time`` returns whether there is time to render one more picture. The API's function doesn't need
        this method: a request renders one picture at a time, so none waits, and each may have all the memory.
        """
        self._has_time = has_time

    def waited_seconds(self) -> float:
        """Return how long this thread has waited since it last called this method."""
        waited: float = getattr(self._own, "waited", 0.0)
        self._own.waited = 0.0
        return waited

    def make_renderer(self, limits: Limits, render: Callable[..., Rendering] = render) -> Renderer:
        """Return a renderer whose pictures share this room.

        ``render`` is a function like :func:`renditions.imaging.render.render`. The renderer also raises
        ``NoTimeLeft``, if the call's time is over before the picture has room.
        """
        memory = self._memory(limits)

        def render_one(
            content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
        ) -> Rendering:
            with self._holding(len(content)):
                own = replace(memory, take=lambda need: self._taken(need - len(content)))
                return render(content, accept, recipes, analyze, limits=limits, memory=own)

        return render_one

    def _memory(self, limits: Limits) -> Memory:
        sure_bytes = self._total_bytes * _SURE_SHARE
        if self._memory_mb is None or sure_bytes >= limits.memory:
            return Memory(limits.memory)
        return Memory(
            int(sure_bytes),
            f"a function with {self._memory_mb:,} MB of memory has for one picture",
            "Give the function more (memory_mb in the Terraform module) and run renditions retry, or upload "
            "a smaller picture",
        )

    @contextmanager
    def _holding(self, file_bytes: int) -> Iterator[None]:
        """Count the bytes of a file during the block, while its picture waits or renders."""
        with self._changed:
            self._file_bytes += file_bytes
        try:
            yield
        finally:
            with self._changed:
                self._file_bytes -= file_bytes
                self._changed.notify_all()

    @contextmanager
    def _taken(self, need_bytes: int) -> Iterator[None]:
        """Wait until this many bytes and a core are free, and take them during the block.

        Raises:
            NoTimeLeft: There is no longer time to render the picture.

        """
        need = min(float(need_bytes), self._total_bytes)
        begun = time.monotonic()
        try:
            with self._changed:
                while self._running and not self._is_free(need):
                    if not self._has_time():
                        raise NoTimeLeft("the call had too little time left to render it")
                    self._changed.wait(_LOOK_SECONDS)
                self._running += 1
                self._taken_bytes += need
        finally:
            self._own.waited = getattr(self._own, "waited", 0.0) + time.monotonic() - begun
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._taken_bytes -= need
                self._changed.notify_all()

    def _is_free(self, need: float) -> bool:
        used = self._taken_bytes + self._file_bytes
        return self._running < self.cores and used + need <= self._total_bytes


def return_freed_memory() -> None:
    """Have the C library give large freed blocks back to the system at once.

    By default, glibc keeps what the threads of earlier pictures freed: some 100 MB after a few AVIFs. Do
    nothing if the C library lacks this setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)


def read_memory(environ: Mapping[str, str]) -> int | None:
    """Return the function's memory in MiB; None outside of Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    size = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    return int(size) if size.isdecimal() else None
