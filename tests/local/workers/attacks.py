"""Attacks that code would try after it took over a worker, with raw system calls.

Each attack returns if it got through, and raises OSError if it was stopped. :data:`ATTACKS` lists them by
their target, in the order of the table in ``docs/security.md``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import stat
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LIBRARY = ctypes.CDLL(None, use_errno=True)
_LIBRARY.syscall.restype = ctypes.c_long
_CALLS = {
    "bpf": (321, 280), "connect": (42, 203), "execve": (59, 221),
    "fchmodat": (268, 53), "getdents64": (217, 61), "io_uring_setup": (425, 425), "kill": (62, 129),
    "mkdirat": (258, 34), "mount": (165, 40), "openat": (257, 56), "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "process_vm_readv": (310, 270),
    "ptrace": (101, 117), "read": (0, 63), "sendto": (44, 206), "shmget": (29, 194),
    "socket": (41, 198), "tgkill": (234, 131), "unlinkat": (263, 35),
    "umount2": (166, 39), "clone": (56, 220), "renameat": (264, 38), "wait4": (61, 260), "write": (1, 64),
    "exit_group": (231, 94), "keyctl": (250, 219), "prlimit64": (302, 261), "fcntl": (72, 25),
    "truncate": (76, 45),
}  # fmt: skip
"""The numbers of system calls on x86-64 and arm64, written down apart from those in the package."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The targets of the attacks. All of them belong to the worker's user."""

    folder: str
    """A folder with ``credentials`` and ``catalog.db``, in which the user may write."""
    victim: int
    """Another process, which has a secret in its environment and in its memory."""
    secret_at: int
    """The address of the secret in the victim's memory."""
    port: int
    """A TCP port on this machine where something listens."""
    abstract: str
    """The name of an abstract socket where something listens."""
    descriptor: int
    """The worker's own socket."""


ORDINARY_USER = 65_534
"""The number of an ordinary user."""
SECRET = b"the-secret-of-the-parent"


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    number = _CALLS[name][platform.machine() == "aarch64"]
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = _LIBRARY.syscall(ctypes.c_long(number), *whole)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


_HERE = -100
_READ, _WRITE_NEW = os.O_RDONLY, os.O_WRONLY | os.O_CREAT


def _path(scene: Scene, name: str) -> bytes:
    return str(Path(scene.folder, name)).encode()


def _read(path: bytes) -> bytes:
    descriptor = call("openat", _HERE, path, _READ, 0)
    buffer = ctypes.create_string_buffer(100_000)
    length = call("read", descriptor, buffer, len(buffer))
    return buffer.raw[:length]


def _expect(found: bool) -> None:
    """Raise OSError if the attack's calls raised no error but found nothing."""
    if not found:
        raise OSError(errno.ENODATA, "nothing there")


def _connect_tcp(scene: Scene) -> None:
    opened = call("socket", 2, 1, 0)
    call(
        "connect",
        opened,
        struct.pack("<H", 2) + struct.pack(">H4s", scene.port, b"\x7f\0\0\1") + bytes(8),
        16,
    )


def _send_udp(scene: Scene) -> None:
    opened = call("socket", 2, 2, 0)
    address = struct.pack("<H", 2) + struct.pack(">H4s", 53, b"\x7f\0\0\1") + bytes(8)
    call("sendto", opened, b"secret", 6, 0, address, 16)


def _connect_abstract(scene: Scene) -> None:
    name = b"\0" + scene.abstract.encode()
    call("connect", call("socket", 1, 1, 0), struct.pack("<H", 1) + name, 2 + len(name))


def _connect_path(scene: Scene) -> None:
    name = _path(scene, "listening") + b"\0"
    call("connect", call("socket", 1, 1, 0), struct.pack("<H", 1) + name, 2 + len(name))


def _read_credentials(scene: Scene) -> None:
    _expect(SECRET in _read(_path(scene, "credentials")))


def _read_catalog(scene: Scene) -> None:
    _expect(SECRET in _read(_path(scene, "catalog.db")))


def _read_users(scene: Scene) -> None:
    _expect(b"root" in _read(b"/etc/passwd"))


def _list_folder(scene: Scene) -> None:
    descriptor = call("openat", _HERE, scene.folder.encode(), os.O_RDONLY | os.O_DIRECTORY, 0)
    buffer = ctypes.create_string_buffer(10_000)
    call("getdents64", descriptor, buffer, len(buffer))
    _expect(b"catalog.db" in buffer.raw)


def _write_new(scene: Scene) -> None:
    descriptor = call("openat", _HERE, _path(scene, f"new-{os.getpid()}"), _WRITE_NEW, 0o600)
    call("write", descriptor, b"x", 1)


def _write_catalog(scene: Scene) -> None:
    call("write", call("openat", _HERE, _path(scene, "catalog.db"), os.O_WRONLY | os.O_APPEND, 0), b"x", 1)


def _truncate(scene: Scene) -> None:
    call("openat", _HERE, _path(scene, "to-truncate"), os.O_WRONLY | os.O_TRUNC, 0)


def _truncate_by_name(scene: Scene) -> None:
    call("truncate", _path(scene, "to-truncate"), 0)


def _make_folder(scene: Scene) -> None:
    call("mkdirat", _HERE, _path(scene, f"folder-{os.getpid()}"), 0o700)


def _delete(scene: Scene) -> None:
    call("unlinkat", _HERE, _path(scene, "to-delete"), 0)
    restore = _path(scene, "to-delete")
    with suppress(OSError):
        call("openat", _HERE, restore, _WRITE_NEW, 0o600)


def _rename(scene: Scene) -> None:
    call("renameat", _HERE, _path(scene, "to-rename"), _HERE, _path(scene, "renamed"))
    call("renameat", _HERE, _path(scene, "renamed"), _HERE, _path(scene, "to-rename"))


def _change_rights(scene: Scene) -> None:
    call("fchmodat", _HERE, _path(scene, "to-rename"), 0o666)


def _own_environment(scene: Scene) -> None:
    _expect(SECRET.decode() in os.environ.values())


def _other_environment(scene: Scene) -> None:
    _expect(SECRET in _read(f"/proc/{scene.victim}/environ".encode()))


def _processes(scene: Scene) -> None:
    _expect(b"attacks" in _read(f"/proc/{scene.victim}/cmdline".encode()))


def _signal(scene: Scene) -> None:
    call("kill", scene.victim, signal.SIGURG)  # Processes ignore this signal by default.


def _signal_thread(scene: Scene) -> None:
    call("tgkill", scene.victim, scene.victim, signal.SIGURG)


def _signal_by_pidfd(scene: Scene) -> None:
    call("pidfd_send_signal", call("pidfd_open", scene.victim, 0), signal.SIGURG, None, 0)


def _signal_by_owner(scene: Scene) -> None:
    """Have the kernel send a signal when the worker's socket can be read."""
    call("fcntl", scene.descriptor, 8, scene.victim)  # F_SETOWN
    call("fcntl", scene.descriptor, 10, signal.SIGURG)  # F_SETSIG
    call("fcntl", scene.descriptor, 8, 0)


def _limits_of_other(scene: Scene) -> None:
    call("prlimit64", scene.victim, resource.RLIMIT_CORE, struct.pack("QQ", 0, 0), None)


def _fork(scene: Scene) -> None:
    child = call("clone", signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        call("exit_group", 0)
    call("wait4", child, None, 0, None)


def _execute(scene: Scene) -> None:
    """Become another program. The caller then sees the worker end."""
    call("execve", b"/bin/true", (ctypes.c_char_p * 2)(b"true", None), None)  # type: ignore[arg-type]


def _memory_by_file(scene: Scene) -> None:
    descriptor = call("openat", _HERE, f"/proc/{scene.victim}/mem".encode(), _READ, 0)
    _expect(os.pread(descriptor, len(SECRET), scene.secret_at) == SECRET)


def _memory_by_call(scene: Scene) -> None:
    buffer = ctypes.create_string_buffer(len(SECRET))
    local = struct.pack("QQ", ctypes.addressof(buffer), len(SECRET))
    remote = struct.pack("QQ", scene.secret_at, len(SECRET))
    call("process_vm_readv", scene.victim, local, 1, remote, 1, 0)
    _expect(buffer.raw == SECRET)


def _trace(scene: Scene) -> None:
    seize, detach = 0x4206, 17
    call("ptrace", seize, scene.victim, 0, 0)
    with suppress(OSError):
        call("ptrace", detach, scene.victim, 0, 0)


def _take_handle(scene: Scene) -> None:
    call("pidfd_getfd", call("pidfd_open", scene.victim, 0), 0, 0)


def _inherited_handles(scene: Scene) -> None:
    """Find a handle that leads to anything but the null device and the pool."""
    found = []
    for number in range(1, 1024):
        with suppress(OSError):
            kind = os.fstat(number)
            is_null = stat.S_ISCHR(kind.st_mode) and kind.st_rdev == os.makedev(1, 3)
            if not is_null and number != scene.descriptor:
                found.append(number)
    _expect(bool(found))


def _new_namespace(scene: Scene) -> None:
    child = call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        call("exit_group", 0)
    call("wait4", child, None, 0, None)


def _mount(scene: Scene) -> None:
    place = _path(scene, "mounted")
    call("mount", b"none", place, b"tmpfs", 0, None)
    call("umount2", place, 0)


def _ring(scene: Scene) -> None:
    os.close(call("io_uring_setup", 1, ctypes.create_string_buffer(120)))


def _program_in_kernel(scene: Scene) -> None:
    attributes = struct.pack("IIII", 2, 4, 4, 1) + bytes(100)
    os.close(call("bpf", 0, attributes, len(attributes)))


def _keys(scene: Scene) -> None:
    call("keyctl", 0, -3, 1, 0, 0)  # the session's keyring


def _shared_memory(scene: Scene) -> None:
    call("shmget", 0, 4096, 0o1600)


def _large_file(scene: Scene) -> None:
    """Make a file of 300 MB, as if to fill the disk. The file is sparse."""
    descriptor = os.memfd_create("large")
    try:
        os.pwrite(descriptor, b"x", 300_000_000)
    finally:
        os.close(descriptor)


def _many_handles(scene: Scene) -> None:
    opened = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        opened = [os.dup(0) for _ in range(2000)]
    finally:
        for number in opened:
            os.close(number)


def _memory_dump(scene: Scene) -> None:
    """Leave the picture in a memory dump of the process."""
    _expect(resource.getrlimit(resource.RLIMIT_CORE)[1] != 0)


ATTACKS: Mapping[str, Mapping[str, Callable[[Scene], None]]] = {
    "network": {"tcp": _connect_tcp, "udp": _send_udp},
    "sockets of other programs": {"path": _connect_path, "abstract": _connect_abstract},
    "reading files": {
        "credentials": _read_credentials,
        "catalog": _read_catalog,
        "/etc/passwd": _read_users,
        "listing": _list_folder,
    },
    "writing files": {
        "new": _write_new,
        "catalog": _write_catalog,
        "truncate": _truncate,
        "truncate by name": _truncate_by_name,
        "folder": _make_folder,
        "delete": _delete,
        "rename": _rename,
    },
    "changing rights of files": {"chmod": _change_rights},
    "its environment": {"variables": _own_environment},
    "environment of others, /proc": {"environ": _other_environment, "cmdline": _processes},
    "inherited handles": {"handles": _inherited_handles},
    "signals to others": {
        "kill": _signal,
        "tgkill": _signal_thread,
        "pidfd": _signal_by_pidfd,
        "owner of a socket": _signal_by_owner,
    },
    "memory of others": {
        "/proc/PID/mem": _memory_by_file,
        "process_vm_readv": _memory_by_call,
        "ptrace": _trace,
        "pidfd_getfd": _take_handle,
    },
    "limits of others": {"prlimit": _limits_of_other},
    "new processes": {"fork": _fork},
    "other programs": {"exec": _execute},
    "mounting, other rights of root": {"mount": _mount, "bpf": _program_in_kernel},
    "new namespaces": {"user": _new_namespace},
    "io_uring": {"setup": _ring},
    "shared memory, keyrings": {"shmget": _shared_memory, "keyctl": _keys},
    "filling the disk": {"300 MB": _large_file},
    "taking all handles": {"2,000": _many_handles},
    "memory dumps": {"core": _memory_dump},
}


def attempt(kind: str, name: str, scene: Scene) -> str:
    """Return ``through``, or the name of the error that stopped the attack."""
    try:
        ATTACKS[kind][name](scene)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    finally:
        # What this attack opened isn't for the next one.
        os.closerange(3, scene.descriptor)
        os.closerange(scene.descriptor + 1, 1024)
    return "through"


def be_victim() -> None:
    """Act as another process of this user: print where its secret is, and wait."""
    user = int(sys.argv[1])
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        # A process that changes its user hides its memory; this one must be as easy to attack as any.
        _LIBRARY.prctl(4, 1, 0, 0, 0)
    secret = ctypes.create_string_buffer(SECRET)
    print(ctypes.addressof(secret), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    be_victim()
