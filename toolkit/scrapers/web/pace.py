"""Politeness: limit requests per second and host, and pause when a host asks for it."""

from __future__ import annotations

import threading
import time

from toolkit.scrapers.errors import Stopped


class Pace:
    """Let each host's requests through one after another, a minimum interval apart.

    Args:
        requests_per_second: For each host; 0 = as fast as it goes.
        stop: When set, waiting ends with ``Stopped``.
    """

    def __init__(self, requests_per_second: float, stop: threading.Event) -> None:
        self._interval_s = 1.0 / requests_per_second if requests_per_second else 0.0
        self._slower: dict[str, float] = {}
        self._free_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = stop

    def slow_down(self, host: str, requests_per_second: float) -> None:
        """Give one host a slower pace of its own."""
        with self._lock:
            self._slower[host] = max(self._interval_s, 1.0 / requests_per_second)

    def hold(self, host: str, seconds: float) -> None:
        """Send nothing to a host for a while: it answered 429 or 503."""
        with self._lock:
            until = time.monotonic() + seconds
            self._free_at[host] = max(until, self._free_at.get(host, 0.0))

    def wait(self, host: str) -> None:
        """Return when the host's next request may go out.

        Raises:
            Stopped: The program is to end.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                wait_s = self._free_at.get(host, 0.0) - now
                if wait_s <= 0:
                    self._free_at[host] = now + self._slower.get(host, self._interval_s)
            # Outside the lock; the first thread to wake goes, the others wait again.
            if self._stop.wait(max(0.0, wait_s)):
                raise Stopped
            if wait_s <= 0:
                return
