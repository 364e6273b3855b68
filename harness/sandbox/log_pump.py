"""What a child prints: its beginning and its end are kept, the middle of a flood is not."""

from __future__ import annotations

import threading
from collections import deque
from io import FileIO
from pathlib import Path
from typing import IO

from toolkit.core import atomic

CHUNK = 64 << 10
HEAD_BYTES = 1 << 20
TAIL_CHUNKS = 8


class LogPump:
    """Copies a pipe into a log file from a thread of its own, and counts.

    The beginning goes straight to the file, so that you can read it while the child runs. At
    the end the file is written anew, because until then it lies where the child may write.

    Args:
        pipe: The child's output, unbuffered; closed at the end.
        path: The log file.
        file: It, opened before the child began: later it could be a link to somewhere else.
    """

    def __init__(self, pipe: IO[bytes], path: Path, file: FileIO) -> None:
        self.printed = 0
        self._pipe = pipe
        self._path = path
        self._head = bytearray()
        self._tail: deque[bytes] = deque(maxlen=TAIL_CHUNKS)
        self._file = file
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        while chunk := self._pipe.read(CHUNK):
            self.printed += len(chunk)
            if len(self._head) < HEAD_BYTES:
                self._head += chunk
                self._file.write(chunk)
            else:
                self._tail.append(chunk)

    def finish(self, patience_s: float, notes: str = "") -> None:
        """Wait until all is read, then write the log as it is to stay.

        Args:
            patience_s: How long to wait; a process that got away may hold the pipe open.
            notes: Lines of the hub's own, added at the end.
        """
        self._thread.join(patience_s)
        if not self._thread.is_alive():
            self._pipe.close()
        self._file.close()
        atomic.write_bytes(self._path, self.content() + notes.encode())

    def content(self) -> bytes:
        """Return what is kept, with a line where something was left out."""
        head, tail = bytes(self._head), b"".join(self._tail)
        left_out = self.printed - len(head) - len(tail)
        gap = f"\n[{left_out:,} bytes left out]\n".encode() if left_out > 0 else b""
        return head + gap + tail
