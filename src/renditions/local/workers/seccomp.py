"""A seccomp filter that limits a process to the system calls of a decoder.

The filter needs Linux 4.17 or newer.

All other calls fail as if the kernel lacked them (ENOSYS), so that libraries use older calls instead. Calls
of another architecture end the process. The list names what is allowed, so a call of a future kernel is
refused too.

Source: seccomp(2), and Linux, ``include/uapi/linux/filter.h``, ``seccomp.h`` and ``audit.h``. The packages on
PyPI for seccomp need the system's libseccomp, which small images lack.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from renditions.local.workers.kernel import UnavailableError, call, forbid_new_privileges, number_of

_ALL_BITS = 0xFFFFFFFF
_CLONE_THREAD = 0x10000
_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule that allows a call if bits of an argument have one of these values.

    Arguments are counted from 0.
    """

    argument: int
    bits: int
    values: tuple[int, ...]


_ALWAYS = (
    # memory and threads
    "brk", "futex", "get_mempolicy", "getcpu", "madvise", "membarrier", "memfd_create", "mincore", "mmap",
    "mprotect", "mremap", "munmap", "rseq", "sched_get_priority_max", "sched_get_priority_min",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield", "set_robust_list",
    "set_tid_address", "exit", "exit_group", "arch_prctl",
    # open files, and the names of others
    "access", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fstat", "fstatfs",
    "getcwd", "getdents64", "lseek", "lstat", "newfstatat", "pread64", "read", "readlink", "readlinkat",
    "readv", "stat", "statfs", "statx", "write", "writev",
    # waiting, time, signals of its own
    "clock_getres", "clock_gettime", "clock_nanosleep", "eventfd2", "gettimeofday", "nanosleep", "pipe2",
    "poll", "ppoll", "pselect6", "restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "select", "sigaltstack", "time", "times",
    # facts about itself and the machine
    "getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom", "getrlimit", "getrusage", "gettid",
    "getuid", "sysinfo", "uname",
)  # fmt: skip


def _rules() -> Mapping[str, _Rule]:
    """Return the calls that are allowed only with some arguments."""
    return {
        "clone": _Rule(0, _CLONE_THREAD, (_CLONE_THREAD,)),  # threads, no processes
        "fcntl": _Rule(1, _ALL_BITS, (0, 1, 2, 3, 4, 1030)),  # duplicates and flags, no signals to owners
        "ioctl": _Rule(1, _ALL_BITS, (0x5401, 0x5450, 0x5451)),  # TCGETS, FIONCLEX, FIOCLEX
        "open": _Rule(1, _WRITE, (0,)),
        "openat": _Rule(2, _WRITE, (0,)),
        "prctl": _Rule(0, _ALL_BITS, (15, 16, 0x53564D41)),  # the name of a thread, of a piece of memory
        "prlimit64": _Rule(0, _ALL_BITS, (0,)),  # its own limits
        "tgkill": _Rule(0, _ALL_BITS, (os.getpid(),)),  # abort() sends a signal to its own process
    }


_LOAD, _JUMP_EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
"""Instructions of the classic BPF, with constants and 32-bit words."""
_RET_ALLOW, _RET_ERRNO, _RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16
"""Where ``struct seccomp_data`` has its fields."""
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SET_MODE_FILTER = 1
_ALL_THREADS, _WITHOUT_MITIGATIONS = 1, 4
"""Flags of a filter. Without ``_WITHOUT_MITIGATIONS``, older kernels slow the process down
by mitigations against side channels."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def restrict() -> None:
    """Let this process make only the system calls that decoders need, from now on.

    Raises:
        UnavailableError: This isn't Linux on a known machine, or another thread can't take the filter over.
        OSError: The kernel refuses the filter.

    """
    number_of("seccomp")  # raises before a filter for another machine is made
    program = b"".join(_compile())
    forbid_new_privileges()
    wanted = _Program(len(program) // 8, program)
    flags = _ALL_THREADS | _WITHOUT_MITIGATIONS
    if thread := call("seccomp", _SET_MODE_FILTER, flags, ctypes.byref(wanted)):
        # seccomp(2): with _ALL_THREADS, the call then filters no thread at all.
        raise UnavailableError(f"thread {thread} has a filter of its own")


def _compile() -> Iterator[bytes]:
    """Yield the filter's instructions."""
    refuse = _RET_ERRNO | errno.ENOSYS
    yield _make(_LOAD, _AT_ARCHITECTURE)
    yield _make(_JUMP_EQUAL, _ARCHITECTURES[platform.machine()], skip_if_equal=1)
    yield _make(_RETURN, _RET_KILL)
    yield _make(_LOAD, _AT_NUMBER)
    for name in _ALWAYS:
        if (number := number_of(name)) is not None:
            yield _make(_JUMP_EQUAL, number, skip_otherwise=1)
            yield _make(_RETURN, _RET_ALLOW)
    for name, rule in _rules().items():
        if (number := number_of(name)) is not None:
            # A load, a mask, two instructions for each value and the refusal follow.
            yield _make(_JUMP_EQUAL, number, skip_otherwise=3 + 2 * len(rule.values))
            yield _make(
                _LOAD, _AT_ARGUMENTS + 8 * rule.argument
            )  # the lower half: both machines are little-endian
            yield _make(_AND, rule.bits)
            for value in rule.values:
                yield _make(_JUMP_EQUAL, value, skip_otherwise=1)
                yield _make(_RETURN, _RET_ALLOW)
            yield _make(_RETURN, refuse)
    yield _make(_RETURN, refuse)


def _make(code: int, operand: int, *, skip_if_equal: int = 0, skip_otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", code, skip_if_equal, skip_otherwise, operand)
