"""The trial's child: confine itself like a worker, then try what must not be possible.

python -I harness/sandbox/inside.py <sandbox.json>
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main(settings_file: str) -> None:
    """End with a sentence when something is possible that must not be, or the other way round."""
    sys.path.insert(0, str(ROOT))
    from harness.sandbox.confine import confine

    confine(settings_file)
    out = Path(settings_file).parent
    (out / "tmp" / "note").write_text("mine", encoding="ascii")
    hidden, closed = (out.parent / "secret", ROOT / "README.md"), (ROOT, ROOT / "harness")
    complaints = [f"{path} can be read" for path in hidden if reads(path)]
    complaints += [f"{folder} can be written to" for folder in closed if writes(folder)]
    if opens_switch():
        complaints.append("the kernel's switches can be written to")
    if reaches_network():
        complaints.append("the network can be reached")
    if complaints:
        raise SystemExit("; ".join(complaints))


def reads(path: Path) -> bool:
    """Tell whether a file can be read."""
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def writes(folder: Path) -> bool:
    """Tell whether a file can be made in a folder."""
    try:
        (folder / ".hub-trial").write_text("x", encoding="ascii")
        (folder / ".hub-trial").unlink()
    except OSError:
        return False
    return True


def opens_switch() -> bool:
    """Tell whether one of the kernel's switches can be opened for writing; nothing is written."""
    try:
        os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    except OSError:
        return False
    return True


def reaches_network() -> bool:
    """Tell whether a socket can be opened and sent from; nothing leaves a machine for port 9."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind) as line:
                line.settimeout(1)
                line.connect(("127.0.0.1", 9))
                return True
        except ConnectionRefusedError:
            return True
        except OSError:
            continue
    return False


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)
