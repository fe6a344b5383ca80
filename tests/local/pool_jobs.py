"""Functions that stand for ``render`` in the tests of the worker pool."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from renditions.errors import KeyTaken, Undecodable
from renditions.model.original import Original
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered, Rendering


def act(  # noqa: C901, PLR0912 - a list of actions without logic
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze, *, limits: Limits
) -> Rendering:
    """Do the job that the content names with a word and its arguments."""
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
        case "take":
            raise KeyTaken("a.jpg", "b.jpg")
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
            return echo(b"held %d" % len(held), accept, recipes, analyze, limits=limits)
        case "enlarge":
            return echo(bytes(int(rest)), accept, recipes, analyze, limits=limits)
        case "touch":
            path, seconds = rest.decode().rsplit(" ", 1)
            Path(path).with_suffix(".began").touch()
            time.sleep(float(seconds))
            Path(path).touch()
    return echo(content, accept, recipes, analyze, limits=limits)


def echo(
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze, *, limits: Limits
) -> Rendering:
    """Return the content as each rendition.

    The width is the number of the process.
    """
    return Rendering(
        Original(len(content), width=accept.min_width),
        {name: Rendered(content, recipe.format, os.getpid()) for name, recipe in recipes.items()},
    )


not_callable = None
_kept: list[bytes] = []
"""Data that stays in a worker's memory."""
