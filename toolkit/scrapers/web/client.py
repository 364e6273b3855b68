"""Fetch an address: check redirects, retry patiently, limit bodies."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from toolkit.scrapers.errors import Dropped, Stopped
from toolkit.scrapers.web.connections import Gate, guarded_session
from toolkit.scrapers.web.deadline import Deadline
from toolkit.scrapers.web.pace import Pace

BUSY = (429, 500, 502, 503, 504)
REDIRECTS = (301, 302, 303, 307, 308)
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class WebRules:
    """How requests are made.

    Attributes:
        private_hosts: Hosts that may be inside one's own network, on any port, without https.
        requests_per_second: For each host; 0 = no limit.
        connections_per_host: At the same time.
        timeout_s: To connect, and for each read.
        deadline_s: For one attempt altogether, from its request to the last byte.
        retries: Further attempts after 429, 5xx or a broken connection.
        backoff_s: Wait before a retry when the host does not say how long; doubles each time,
            with jitter.
        longest_wait_s: A host that asks for more patience than this is given up.
        max_redirects: Hops until it counts as a loop.
    """

    private_hosts: frozenset[str] = frozenset()
    requests_per_second: float = 4.0
    connections_per_host: int = 2
    timeout_s: float = 20.0
    deadline_s: float = 60.0
    retries: int = 3
    backoff_s: float = 1.0
    longest_wait_s: float = 120.0
    max_redirects: int = 5


class Response:
    """An answer whose body has not been read yet."""

    def __init__(self, inner: requests.Response, deadline: Deadline) -> None:
        self.status = inner.status_code
        self.headers = inner.headers
        self.url = inner.url
        self._raw: urllib3.BaseHTTPResponse = inner.raw
        self._deadline = deadline

    def every(self, header: str) -> list[str]:
        """Return the values of a header that may be sent more than once."""
        return list(self._raw.headers.getlist(header))

    def chunks(self, cap_bytes: int) -> Iterator[bytes]:
        """Yield the body, decompressed, in parts of at most ``CHUNK_BYTES``.

        Raises:
            Dropped: It is larger than ``cap_bytes``, breaks off, or takes too long.
        """
        declared = self.headers.get("Content-Length", "")
        if declared.isascii() and declared.isdigit() and int(declared) > cap_bytes:
            raise Dropped("too many bytes", f"{int(declared):,} of at most {cap_bytes:,}")
        total = 0
        while True:
            try:
                chunk = self._raw.read1(CHUNK_BYTES, decode_content=True)
            except (HTTPError, OSError) as error:
                raise _read_fault(error, self._deadline) from error
            # A cut connection can look like a proper end.
            if self._deadline.expired:
                raise _read_fault(None, self._deadline)
            if not chunk:
                return
            total += len(chunk)
            if total > cap_bytes:
                raise Dropped("too many bytes", f"more than {cap_bytes:,}")
            yield chunk


class Client:
    """Makes every request of a collection; may be used by many threads.

    Args:
        rules: How requests are made.
        user_agent: Who is asking, with a way to reach them.
    """

    def __init__(self, rules: WebRules, *, user_agent: str) -> None:
        self.rules = rules
        self.stopping = threading.Event()
        self.pace = Pace(rules.requests_per_second, self.stopping)
        self._gate = Gate(self.pace, rules.private_hosts, connect_timeout_s=rules.timeout_s)
        self._session = guarded_session(
            self._gate,
            user_agent=user_agent,
            connections_per_host=rules.connections_per_host,
        )
        self._busy: set[Deadline] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End all waiting and cut all connections; their threads see ``Stopped`` or ``Dropped``."""
        self.stopping.set()
        with self._lock:
            for deadline in self._busy:
                deadline.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._session.close()

    @contextmanager
    def open(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
    ) -> Iterator[Response]:
        """Yield the answer to a GET request, whatever its status; the body is up to the block.

        Args:
            url: Where; https unless it is one of the private hosts.
            params: The query string.
            headers: Sent along. With secrets in them, say ``follow_redirects=False``.
            follow_redirects: Whether to go where a 3xx answer points, each hop checked anew.

        Raises:
            Dropped: The address is refused, or the answer is not usable.
            Stopped: ``stop`` was called.
        """
        deadline = Deadline(self.rules.deadline_s)
        with self._lock:
            self._busy.add(deadline)
        self._gate.watch.deadline = deadline
        inner: requests.Response | None = None
        try:
            inner = self._follow(url, params, headers, follow_redirects)
            yield Response(inner, deadline)
        finally:
            deadline.end()
            self._gate.watch.deadline = None
            with self._lock:
                self._busy.discard(deadline)
            if inner is not None:
                # A body that was read to its end has given its connection back already; what is
                # left of another one is not worth reading.
                inner.close()

    def _follow(
        self,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        follow_redirects: bool,
    ) -> requests.Response:
        for _ in range(self.rules.max_redirects + 1):
            check_url(url, self.rules.private_hosts)
            response = self._patiently(url, params, headers)
            target = response.headers.get("Location")
            if response.status_code not in REDIRECTS or not target or not follow_redirects:
                return response
            self._discard(response)
            # The query belongs to the first address; a redirect brings its own.
            url, params = urljoin(response.url, target), None
        raise Dropped("redirects without end", f"more than {self.rules.max_redirects}")

    def _patiently(
        self, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        """Ask until the answer is not 'busy', as often and as late as urllib3's policy says."""
        host = host_key(url)
        policy = Retry(
            total=self.rules.retries,
            backoff_factor=self.rules.backoff_s,
            backoff_jitter=self.rules.backoff_s / 2,
            status_forcelist=BUSY,
        )
        while True:
            try:
                response = self._once(url, params, headers)
            except Dropped as fault:
                if fault.reason != "connection failed" or not policy.total:
                    raise
                policy = policy.increment("GET", url, error=HTTPError(fault.detail))
                self._rest(host, self._backoff_s(policy))
                continue
            asked_s = _retry_after_s(policy, response)
            if not policy.is_retry("GET", response.status_code, asked_s is not None):
                return response
            if not policy.total or (asked_s or 0) > self.rules.longest_wait_s:
                return response
            self._discard(response)
            policy = policy.increment("GET", url, response=response.raw)
            self._rest(host, self._backoff_s(policy) if asked_s is None else asked_s)

    def _backoff_s(self, policy: Retry) -> float:
        # urllib3 makes its first retry at once, which is no relief for a busy host.
        return max(self.rules.backoff_s, policy.get_backoff_time())

    def _discard(self, response: requests.Response) -> None:
        # Closed, not read: an answer that nobody wants can be endless too.
        response.close()
        if self._gate.watch.deadline is not None:
            self._gate.watch.deadline.end()

    def _rest(self, host: str, seconds: float) -> None:
        # All threads leave the host alone, not only the one that was told.
        self.pace.hold(host, seconds)
        if self.stopping.wait(seconds):
            raise Stopped

    def _once(
        self, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        if self.stopping.is_set():
            raise Stopped
        deadline = self._gate.watch.deadline
        try:
            request = self._session.prepare_request(
                requests.Request("GET", url, params=params, headers=headers)
            )
            return self._session.send(
                request, stream=True, allow_redirects=False, timeout=self.rules.timeout_s
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            if self.stopping.is_set():
                raise Stopped from error
            raise _connect_fault(error, deadline) from error


def check_url(url: str, private_hosts: Collection[str]) -> None:
    """Refuse addresses that no picture archive has.

    Raises:
        Dropped: Not https, a user name inside, no host, or another port than 443.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Dropped("not an address", f"{url[:200]}: {error}") from error
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise Dropped("not an address", url[:200])
    if host in private_hosts:
        return
    if parts.scheme != "https":
        raise Dropped("not https", url[:200])
    if port not in (None, 443):
        raise Dropped("unusual port", f"{host}:{port}")


def host_key(url: str) -> str:
    """Return host and port of an address, as ``Pace`` knows them."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _retry_after_s(policy: Retry, response: requests.Response) -> float | None:
    try:
        return policy.get_retry_after(response.raw)
    except InvalidHeader:
        return None  # neither seconds nor a date: as if it had not been said


def _connect_fault(error: Exception, deadline: Deadline | None) -> Dropped:
    if deadline is not None and deadline.expired:
        return Dropped("too slow", f"no answer within {deadline.seconds:g} s", final=False)
    if isinstance(error, requests.Timeout):
        return Dropped("too slow", "no answer", final=False)
    if isinstance(error, requests.exceptions.SSLError):
        return Dropped("certificate refused", _cause(error), final=False)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return Dropped("not an address", _cause(error))
    return Dropped("connection failed", _cause(error), final=False)


def _read_fault(error: Exception | None, deadline: Deadline) -> Dropped:
    if deadline.expired:
        return Dropped("too slow", f"not complete after {deadline.seconds:g} s", final=False)
    if isinstance(error, (urllib3.exceptions.ReadTimeoutError, TimeoutError)):
        return Dropped("too slow", "the host stopped sending", final=False)
    if isinstance(error, urllib3.exceptions.DecodeError):
        return Dropped("damaged in transit", "its compression is wrong")
    return Dropped("breaks off", _cause(error) if error else "", final=False)


def _cause(error: BaseException) -> str:
    """Return the innermost message without library names and object addresses."""
    while error.__context__ is not None and not isinstance(error, OSError):
        error = error.__context__
    inner = error.__context__ if isinstance(error.__context__, OSError) else error
    return (str(inner) or type(inner).__name__)[:160]
