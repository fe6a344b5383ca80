"""Functions that stand for ``render`` in the tests of the worker pool."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from renditions.errors import Failed, Undecodable
from renditions.model.original import Original
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering


def act(  # noqa: C901, PLR0912 - a list of actions without logic
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze, *, limits: Limits
) -> Rendering:
    """Do the job that the content names by a word and arguments; return a rendering."""
    word, _, rest = content.partition(b" ")
    match word.decode(errors="replace"):
        case "exit":
            os._exit(int(rest))
        case "kill":
            os.kill(os.getpid(), signal.Signals[rest.decode()])
        case "sleep":
            time.sleep(float(rest))
        case "spin":
            while True:
                pass
        case "divide":
            1 // 0  # noqa: B018 - to raise
        case "refuse":
            raise Undecodable("no picture at all")
        case "fail":
            raise Failed("no memory left")
        case "print":
            print("from a worker")
            sys.stdout.flush()
        case "unsendable":
            return Rendering(Original(0), {"a": lambda: None})  # type: ignore[dict-item]
        case "keep":
            _kept.append(b"x" * int(rest))
        case "hold":
            held = b"x" * int(rest)
            while _kept:  # until the guard has seen both
                time.sleep(0.01)
            return _make(b"held %d" % len(held), content, accept, recipes)
        case "logo":
            mark = recipes["0"].watermark
            return _make((mark and mark.image and mark.image.content) or b"", content, accept, recipes)
        case "enlarge":
            return _make(b"x" * int(rest), content, accept, recipes)
        case "answer":  # as code that took the worker over could
            os.write(_socket(), rest)
            os._exit(0)
        case "answer-and-stay":
            os.write(_socket(), rest)
            time.sleep(3600)
        case "close":
            os.close(_socket())
            time.sleep(3600)
        case "signal":
            os.kill(os.getpid(), int(rest))
        case "touch":
            path, seconds = rest.decode().rsplit(" ", 1)
            Path(path).with_suffix(".began").touch()
            time.sleep(float(seconds))
            Path(path).touch()
    return _make(content, content, accept, recipes)


def _make(made: bytes, picture: bytes, accept: Accept, recipes: Mapping[str, Rendition]) -> Rendering:
    """Return a rendering in which each rendition has these bytes.

    The width is the id of the process.
    """
    return Rendering(
        Original(len(picture), width=accept.min_width),
        {name: Rendered(made, recipe.format, os.getpid()) for name, recipe in recipes.items()},
    )


def _socket() -> int:
    """Return the descriptor of this worker's socket."""
    return next(number for number in range(3, 100) if _is_socket(number))


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


not_callable = None
_kept: list[bytes] = []
"""Data that stays in a worker's memory."""
