"""Limit a process to reading some files, by Landlock (Linux 5.13 and newer).

Source: Linux, ``Documentation/userspace-api/landlock.rst`` and ``include/uapi/linux/landlock.h``. The
packages on PyPI for Landlock are young and small, and Landlock has only three system calls, so this module
makes these calls itself.

Landlock binds the calling thread and the threads that it starts later. So a process must call
:func:`restrict` while it has one thread.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from renditions.local.workers.kernel import UnavailableError, call, forbid_new_privileges

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_ALL_OF_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many file rights the kernel knows, by the first version of Landlock that has them. Each is a bit."""
_ALL_OF_TCP, _TCP_SINCE = 0b11, 4
_ALL_SCOPES, _SCOPES_SINCE = 0b11, 6
"""The scopes forbid connections to abstract sockets of outside processes, and signals to these processes."""
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    # The layout that _pack_ implies. From Python 3.14 on, leaving it out is deprecated.
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def restrict(readable: Iterable[Path]) -> int:
    """Limit this process to reading these paths, without any writes.

    The process can't read the memory of processes outside. From version 3 of Landlock on, it can't truncate
    files by their names; with older versions, only seccomp forbids that. From version 4 on, it can make no
    TCP connections. From version 6 on, it can neither send signals to processes outside nor reach their
    abstract sockets.

    Returns:
        The version of the kernel's Landlock.

    Raises:
        UnavailableError: The kernel lacks Landlock, or it is off.
        OSError: The kernel refuses a rule.

    """
    try:
        version = call("landlock_create_ruleset", None, 0, _CREATE_RULESET_VERSION)
    except OSError as error:
        raise UnavailableError(f"the kernel lacks Landlock: {error.strerror}") from error
    rights = max(count for since, count in _ALL_OF_FILES.items() if since <= version)
    wanted = _Ruleset(
        files=(1 << rights) - 1,
        tcp=_ALL_OF_TCP if version >= _TCP_SINCE else 0,
        scopes=_ALL_SCOPES if version >= _SCOPES_SINCE else 0,
    )
    ruleset = call("landlock_create_ruleset", ctypes.byref(wanted), ctypes.sizeof(wanted), 0)
    try:
        for path in readable:
            _allow(ruleset, path)
        forbid_new_privileges()
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: Path) -> None:
    """Allow reading a file, or a folder with all that is in it.

    A path that doesn't exist needs no rule.
    """
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | (_READ_DIR if stat.S_ISDIR(os.fstat(opened).st_mode) else 0)
        rule = _PathBeneath(rights, opened)
        call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)
