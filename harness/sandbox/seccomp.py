"""A seccomp filter: system calls that no training needs answer "not permitted".

It closes what Landlock leaves open (UDP, unix sockets, System V memory and queues, which other
programs see and which stay when their maker has ended), and in a namespace the kernel's own attack
surface: new namespaces, mounts, io_uring, bpf, keys. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000

LOAD, EQUAL, GREATER_EQUAL, MASK_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
OFFSET_NUMBER, OFFSET_ARCHITECTURE, OFFSET_FIRST_ARGUMENT = 0, 4, 16

X32_BIT = 0x40000000
AF_UNIX = 1
# New mount, control-group, uts, ipc, user, process and network namespaces.
CLONE_NEW = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (number on x86_64, number on aarch64); None where there is no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "open_tree_attr": (467, 467),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    # Memory that counts for no process, and under Landlock outlives them all.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "memfd_secret": (447, 447),
    "iopl": (172, None),
    "ioperm": (173, None),
}
# Memory that counts for no process; CUDA's driver uses it.
REFUSED_WITHOUT_CUDA: dict[str, tuple[int | None, int | None]] = {"memfd_create": (319, 279)}
SOCKET, CLONE, CLONE3 = (41, 198), (56, 220), (435, 435)

libc = ctypes.CDLL(None, use_errno=True)


def supported() -> bool:
    """Tell whether the filter knows this processor."""
    return platform.machine() in ARCHITECTURES


def program(machine: str, unix_sockets: bool, cuda: bool) -> bytes:
    """Return the filter as an array of BPF instructions.

    Args:
        machine: As ``platform.machine()`` says.
        unix_sockets: Whether sockets between processes of the machine are allowed; only where a
            network namespace keeps them inside.
        cuda: Leave what the graphics card's driver needs.
    """
    column = list(ARCHITECTURES).index(machine)
    code = [
        _op(LOAD, OFFSET_ARCHITECTURE),
        _op(EQUAL, ARCHITECTURES[machine], 1, 0),
        _op(RETURN, KILL),
        _op(LOAD, OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        code += [_op(GREATER_EQUAL, X32_BIT, 0, 1), _op(RETURN, FAIL | errno.EPERM)]
    refused = REFUSED if cuda else REFUSED | REFUSED_WITHOUT_CUDA
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            code += [_op(EQUAL, number, 0, 1), _op(RETURN, FAIL | errno.EPERM)]
    # The flags of clone3 lie in memory, where a filter cannot look: the C library then uses clone.
    code += [_op(EQUAL, CLONE3[column], 0, 1), _op(RETURN, FAIL | errno.ENOSYS)]
    code += [
        _op(EQUAL, CLONE[column], 0, 4),
        _op(LOAD, OFFSET_FIRST_ARGUMENT),
        _op(MASK_SET, CLONE_NEW, 0, 1),
        _op(RETURN, FAIL | errno.EPERM),
        _op(RETURN, ALLOW),
    ]
    code += [
        _op(EQUAL, SOCKET[column], 0, 4),
        _op(LOAD, OFFSET_FIRST_ARGUMENT),
        _op(EQUAL, AF_UNIX if unix_sockets else 0xFFFFFFFF, 1, 0),
        _op(RETURN, FAIL | errno.EPERM),
        _op(RETURN, ALLOW),
    ]
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one ``struct sock_filter``; the jumps are relative."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def install(unix_sockets: bool, cuda: bool) -> None:
    """Put this process and everything it starts under the filter, for good.

    Raises:
        OSError: The kernel refuses.
    """

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    instructions = program(platform.machine(), unix_sockets, cuda)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    wanted = Program(len(instructions) // 8, ctypes.addressof(buffer))
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(wanted), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"seccomp: {os.strerror(code)}")
