"""A total time limit for one request: a server of one byte per second never hits a read timeout."""

from __future__ import annotations

import contextlib
import socket
import threading


class Deadline:
    """Cut a request's connection when it has lasted too long.

    Works while the thread is blocked in a read, because shutting a socket down wakes its reader.

    Args:
        seconds: For one attempt, from the moment its request was sent.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._socket: socket.socket | None = None

    def start(self, connection: socket.socket) -> None:
        """Begin to count for an attempt; its request was sent just now."""
        self.end()
        with self._lock:
            self.expired = False
            self._socket = connection
            self._timer = threading.Timer(self.seconds, self._expire)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Stop counting: the attempt is over, or waits for its next try."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            self._socket = None

    def cut(self) -> None:
        """Shut the connection down now."""
        with self._lock:
            if self._socket is not None:
                # It may be closed already: then there is nothing to cut.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _expire(self) -> None:
        with self._lock:
            # A timer can fire in the moment in which it is cancelled.
            if self._timer is not threading.current_thread():
                return
            self.expired = True
        self.cut()
