"""Make the mounts of a view with the kernel's own calls. Runs in the guard, in new namespaces.

Standard library only: it runs before anything else is there.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
SYS_MOUNT_SETATTR = 442
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

DEVICES = ("null", "zero", "full", "random", "urandom")
DEV_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise OSError with the C library's reason when a call failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Ask the kernel for one mount."""
    words = (source.encode(), target.encode(), kind.encode() or None)
    checked(libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def seal(target: str, recursive: bool = True) -> None:
    """Make a mount, and those below it, read-only; programs in it gain no rights."""
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    result = libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, target.encode(), flags, attributes, ctypes.sizeof(attributes)
    )
    checked(result, f"mount_setattr {target}")


def place(source: str, target: str) -> None:
    """Make the folder or empty file that something is mounted on."""
    if stat.S_ISDIR(os.stat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def bind(source: str, target: str, read_only: bool) -> None:
    """Show a file or folder at another place."""
    place(source, target)
    mount(source, target, "", MS_BIND | MS_REC)
    if read_only:
        seal(target)


def make_devices(old: str, new: str) -> None:
    """Make a /dev with the harmless devices only."""
    os.makedirs(new, exist_ok=True)
    mount("tmpfs", new, "tmpfs", MS_NOSUID, "size=64k,mode=755")
    for name in DEVICES:
        bind(f"{old}/dev/{name}", f"{new}/{name}", read_only=False)
    for name, target in DEV_LINKS.items():
        os.symlink(target, f"{new}/{name}")
    os.mkdir(f"{new}/shm")


def make_proc(new: str) -> None:
    """Mount the /proc of the new process namespace."""
    os.makedirs(new, exist_ok=True)
    mount("proc", new, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def pivot(new: str, old: str) -> None:
    """Make ``new`` the root; the present one is then at ``old``."""
    number = SYS_PIVOT_ROOT[platform.machine()]
    checked(libc.syscall(number, new.encode(), old.encode()), "pivot_root")
    os.chdir("/")


def enter(mounts: list[list[str]], folder: str) -> None:
    """Build the new root, move into it, forget the old one, and stand in ``folder``.

    Raises:
        OSError: A mount is not permitted here.
    """
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    stage = "/tmp"  # noqa: S108 - any folder will do: it is hidden from this process only
    mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    os.mkdir(f"{stage}/new")
    os.mkdir(f"{stage}/old")
    pivot(stage, f"{stage}/old")
    mount("tmpfs", "/new", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755")
    for kind, path, argument in mounts:
        make(kind, path, argument)
    os.mkdir("/new/.old")
    os.chdir("/new")
    pivot("/new", "/new/.old")
    checked(libc.umount2(b"/.old", MNT_DETACH), "umount")
    os.rmdir("/.old")
    seal("/", recursive=False)
    os.chdir(folder)


def make(kind: str, path: str, argument: str) -> None:
    """Carry out one mount of the list in /new."""
    target = f"/new{path}"
    if kind in ("ro", "rw", "dev"):
        bind(f"/old{argument}", target, read_only=kind == "ro")
    elif kind == "tmpfs":
        os.makedirs(target, exist_ok=True)
        mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={argument},mode=1777")
    elif kind == "link":
        os.symlink(argument, target)
    elif kind == "proc":
        make_proc(target)
    elif kind == "devfs":
        make_devices("/old", target)
    elif kind == "seal" and path != "/":  # the root comes last, after the old one is gone
        seal(target, recursive=False)
