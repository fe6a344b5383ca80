"""System calls of Linux, made by their numbers."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

_LONG = {"x86_64": 0, "aarch64": 1}
NUMBERS: Mapping[str, tuple[int | None, int | None]] = {
    "access": (21, None), "arch_prctl": (158, None), "brk": (12, 214), "capset": (126, 91),
    "clock_getres": (229, 114), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115),
    "clone": (56, 220), "clone3": (435, 435), "close": (3, 57), "close_range": (436, 436), "dup": (32, 23),
    "dup2": (33, None), "dup3": (292, 24), "eventfd2": (290, 19), "exit": (60, 93), "exit_group": (231, 94),
    "faccessat": (269, 48), "faccessat2": (439, 439), "fcntl": (72, 25), "fstat": (5, 80),
    "fstatfs": (138, 44), "futex": (202, 98), "get_mempolicy": (239, 236), "getcpu": (309, 168),
    "getcwd": (79, 17), "getdents64": (217, 61), "getegid": (108, 177), "geteuid": (107, 175),
    "getgid": (104, 176), "getpid": (39, 172), "getppid": (110, 173), "getrandom": (318, 278),
    "getrlimit": (97, 163), "getrusage": (98, 165), "gettid": (186, 178), "gettimeofday": (96, 169),
    "getuid": (102, 174), "ioctl": (16, 29), "landlock_add_rule": (445, 445),
    "landlock_create_ruleset": (444, 444), "landlock_restrict_self": (446, 446), "lseek": (8, 62),
    "lstat": (6, None), "madvise": (28, 233), "membarrier": (324, 283), "memfd_create": (319, 279),
    "mincore": (27, 232), "mmap": (9, 222), "mprotect": (10, 226), "mremap": (25, 216), "munmap": (11, 215),
    "nanosleep": (35, 101), "newfstatat": (262, 79), "open": (2, None), "openat": (257, 56),
    "pipe2": (293, 59), "poll": (7, None), "ppoll": (271, 73), "prctl": (157, 167), "pread64": (17, 67),
    "prlimit64": (302, 261), "pselect6": (270, 72), "read": (0, 63), "readlink": (89, None),
    "readlinkat": (267, 78), "readv": (19, 65), "restart_syscall": (219, 128), "rseq": (334, 293),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "sched_get_priority_max": (146, 125), "sched_get_priority_min": (147, 126),
    "sched_getaffinity": (204, 123), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "sched_yield": (24, 124), "seccomp": (317, 277), "select": (23, None), "set_robust_list": (273, 99),
    "set_tid_address": (218, 96), "sigaltstack": (131, 132), "stat": (4, None), "statfs": (137, 43),
    "statx": (332, 291), "sysinfo": (99, 179), "tgkill": (234, 131), "time": (201, None),
    "times": (100, 153), "uname": (63, 160), "unshare": (272, 97), "write": (1, 64), "writev": (20, 66),
}  # fmt: skip
"""The numbers of system calls on x86-64 and on arm64; None where a machine lacks the call.

Source: Linux, ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h``. A number
never changes.
"""

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # include/uapi/linux/prctl.h


class UnavailableError(Exception):
    """The system lacks a kind of protection; the text says why."""


def number_of(name: str) -> int | None:
    """Return the number of a system call, or None if this machine lacks the call.

    Raises:
        UnavailableError: This isn't Linux on x86-64 or arm64, with 64 bits.

    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _LONG or sys.maxsize < 2**32:
        raise UnavailableError(f"{sys.platform} on {machine} isn't supported")
    return NUMBERS[name][_LONG[machine]]


def call(name: str, *arguments: Any) -> int:
    """Make a system call and return its result.

    Raises:
        OSError: The call failed.
        UnavailableError: This system has no such call.

    """
    number = number_of(name)
    if number is None:
        raise UnavailableError(f"this machine lacks the system call {name}")
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = library.syscall(ctypes.c_long(number), *whole)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def forbid_new_privileges() -> None:
    """Keep programs that this process starts from getting more rights.

    For example, setuid then has no effect. Landlock and seccomp demand this of processes without rights of
    their own. Raises the errors of :func:`call`.
    """
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def hide_memory() -> None:
    """Hide this process's memory and ``/proc`` files from the same user's processes.

    Raises the errors of :func:`call`.
    """
    call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up all capabilities.

    Processes of root, and those in a new user namespace, have some. See capset(2); version 3 of the header
    has two 32-bit halves of each set. Raises the errors of :func:`call`.
    """
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
