"""Confine a worker process in layers, before it reads its first picture.

An attack in a picture may take a decoder over. The attacker then has all that the worker has. So the worker
gives up what a decoder doesn't need: the parent's environment, other files, the network, other processes.
:data:`LAYERS` is the only table of the layers. Each layer works without the others. If one layer has a hole,
the other layers still protect.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import renditions
from renditions.local.workers import landlock, seccomp
from renditions.local.workers.kernel import (
    UnavailableError,
    call,
    drop_capabilities,
    forbid_new_privileges,
    hide_memory,
)

State = Literal["on", "missing", "off"]


@dataclass(frozen=True, slots=True)
class LayerState:
    """Whether a layer confines a worker."""

    name: str
    state: State
    """``on``: the layer confines the process.

    ``missing``: the system lacks the layer. ``off``: the caller didn't ask for it.
    """
    detail: str = ""
    """Why the layer is missing, or which version of it is on."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of confinement."""

    name: str
    holds: str
    """What the layer does: a text for people."""
    apply: Callable[[int], str]
    """Confines the calling process, which keeps the socket with this descriptor.

    Returns a detail. Raises ``UnavailableError`` or ``OSError`` if the system lacks the layer.
    """
    only_linux: bool = True
    is_extra: bool = False
    """Whether ``confine = "require"`` accepts a system that lacks the layer."""


_KEPT_VARIABLES = (
    "LANG", "LC_ALL", "LC_CTYPE",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH",  # where libraries are, and another allocator
)  # fmt: skip
_MOST_DESCRIPTORS = 1024
_HIGHEST_DESCRIPTOR = 65_536
_MOST_FILE_BYTES = 200_000_000
"""The largest file that a worker may write. It writes only files in memory, such as fonts for libraries."""
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # include/uapi/linux/sched.h


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a worker needs."""
    return {name: environ[name] for name in _KEPT_VARIABLES if name in environ}


def confine(names: Collection[str], descriptor: int) -> tuple[LayerState, ...]:
    """Confine this process by the named layers; return the state of every layer.

    A layer that the system lacks is reported as ``missing`` and raises no error. Call this while the process
    has one thread: some layers apply only to the calling thread and to threads that it starts later.

    Args:
        names: The layers' names.
        descriptor: The socket that the process keeps.

    """
    return tuple(_apply(layer, descriptor) if layer.name in names else _off(layer) for layer in LAYERS)


def _off(layer: Layer) -> LayerState:
    return LayerState(layer.name, "off")


def _apply(layer: Layer, descriptor: int) -> LayerState:
    try:
        return LayerState(layer.name, "on", layer.apply(descriptor))
    except UnavailableError as error:
        return LayerState(layer.name, "missing", str(error))
    except OSError as error:
        return LayerState(layer.name, "missing", error.strerror or "")


def _report_environment(_: int) -> str:
    """Return an empty detail, and change nothing.

    The parent already limited the variables when it started this process.
    """
    return ""


def _close_handles(descriptor: int) -> str:
    """Close all handles but the socket and the standard input.

    The standard input ends when the pool does. Standard output and errors lead nowhere.
    """
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - opened for reading and writing
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, _HIGHEST_DESCRIPTOR)
    return ""


def _set_limits(_: int) -> str:
    """Limit the process's open files, file sizes and memory dumps.

    The pool's guard limits the memory and the time from outside.
    """
    for kind, most in (
        (resource.RLIMIT_CORE, 0),  # a memory dump would hold the picture
        (resource.RLIMIT_NOFILE, _MOST_DESCRIPTORS),
        (resource.RLIMIT_FSIZE, _MOST_FILE_BYTES),
    ):
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))
    return ""


def _leave_network(_: int) -> str:
    """Move to a new network namespace, which has no connection to a network.

    In a new user namespace, the process has the right to do this. Raise UnavailableError if the system allows
    no new namespaces.
    """
    try:
        call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
    except OSError as error:
        raise UnavailableError(f"the system allows no new namespaces: {error.strerror}") from error
    return ""


def _give_up_privileges(_: int) -> str:
    forbid_new_privileges()
    drop_capabilities()
    hide_memory()
    return ""


def _restrict_files(_: int) -> str:
    return f"version {landlock.restrict(_readable_paths())}"


def _restrict_calls(_: int) -> str:
    seccomp.restrict()
    return ""


LAYERS = (
    Layer(
        "environment",
        "only the variables for the language and the libraries",
        _report_environment,
        only_linux=False,
    ),
    Layer("handles", "no open files but its connections to the pool", _close_handles, only_linux=False),
    Layer("limits", "no memory dumps, few open files, no large files", _set_limits, only_linux=False),
    Layer("namespace", "no connection to a network", _leave_network, is_extra=True),
    Layer("privileges", "no root rights, no new rights, memory hidden from others", _give_up_privileges),
    Layer("landlock", "can read only libraries, fonts and a few system files, can't write", _restrict_files),
    Layer("seccomp", "no system call that a decoder doesn't need", _restrict_calls),
)
"""All layers, in the order in which :func:`confine` applies them.

A layer may need something that a later layer takes away.
"""


def find_missing(states: Iterable[LayerState]) -> list[LayerState]:
    """Return the layers that are missing although this kind of system can have them.

    Extra layers don't count.
    """
    expected = {layer.name for layer in LAYERS if not layer.is_extra and is_known_here(layer)}
    return [state for state in states if state.state == "missing" and state.name in expected]


def is_known_here(layer: Layer) -> bool:
    """Return whether this kind of system can have the layer."""
    return sys.platform == "linux" or not layer.only_linux


def _readable_paths() -> Iterator[Path]:
    """Yield the paths that a worker may read, such as Python, libraries and fonts."""
    yield Path(os.__file__).parent
    yield from map(Path, renditions.__path__)
    yield from _import_folders()
    variables = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    yield from (Path(folder) for folder in variables if folder)
    yield from map(Path, _SYSTEM_PATHS)
    yield Path(sys.base_prefix, "lib")


def _import_folders() -> Iterator[Path]:
    """Yield the folders that modules are imported from.

    The first folder, and each folder that contains the working folder, are left out, because they may have
    the user's own program and files.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed
        here = None
    for folder in map(Path, filter(None, sys.path[1:])):
        if here is None or not here.is_relative_to(folder):
            yield folder


_SYSTEM_PATHS = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/etc/ld.so.cache",
    "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/X11/fonts",  # where PDFium looks for fonts
    "/etc/fonts", "/usr/share/fontconfig", "/var/cache/fontconfig",  # what fontconfig knows of fonts
    "/usr/share/zoneinfo", "/etc/localtime", "/dev/null", "/dev/urandom", "/sys/devices/system/cpu",
    "/proc/cpuinfo", "/proc/meminfo",
)  # fmt: skip
