"""A total time for one request: a timeout per read never ends against one byte per second."""

from __future__ import annotations

import contextlib
import socket
import threading


class Deadline:
    """Cut a request's connection when it has lasted too long.

    Works while the thread is blocked in a read, because shutting a socket down wakes its reader.

    Args:
        seconds: From the moment the request was sent.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._timer: threading.Timer | None = None
        self._socket: socket.socket | None = None

    def start(self, connection: socket.socket) -> None:
        """Begin to count; called once per attempt, right after its request was sent."""
        self.end()
        self._socket = connection
        self._timer = threading.Timer(self.seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        self.expired = True
        self.cut()

    def cut(self) -> None:
        """Shut the connection down now."""
        if self._socket is not None:
            # It may be closed already: then there is nothing to cut.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Stop counting."""
        if self._timer is not None:
            self._timer.cancel()
