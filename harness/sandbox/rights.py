"""Give up what root may do beyond its own files. Standard library only; runs in the child.

With capabilities left, root under Landlock still reads the environment of every other process: the
kernel lets those who may watch performance look into memory that Landlock would refuse.
"""

from __future__ import annotations

import array
import ctypes
import os

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LAST_CAPABILITY = 63
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION_3 = 0x20080522


def forbid() -> ctypes.CDLL:
    """See to it that the next program started has no capability, for good; return the C library.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    for capability in range(LAST_CAPABILITY + 1):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # no right to, so there are none; or above the last one that this kernel knows
    return libc


def give_up() -> None:
    """Drop every capability of this process and of all programs that it will start.

    Raises:
        OSError: One is left.
    """
    libc = forbid()
    number = SYS_CAPSET.get(os.uname().machine)
    if number is not None:
        header = array.array("I", [CAPABILITY_VERSION_3, 0])
        nothing = array.array("I", [0] * 6)  # effective, permitted, inheritable; twice 32 bits
        libc.syscall(
            number,
            ctypes.c_void_p(header.buffer_info()[0]),
            ctypes.c_void_p(nothing.buffer_info()[0]),
        )
    if left := in_effect():
        raise OSError(f"capabilities are left: {left}")


def in_effect() -> str:
    """Return the kernel's lines about capabilities that this process has or could get; or ''."""
    with open("/proc/self/status", encoding="ascii") as file:
        lines = [line.split() for line in file if line.startswith(("CapInh", "CapPrm", "CapEff"))]
    return " ".join(f"{name}{value}" for name, value in lines if int(value, 16))
