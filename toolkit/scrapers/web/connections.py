"""A requests session whose connections are guarded, paced and watched.

urllib3 asks a connection class for its socket; ours goes through `addresses.connect`. As every
hop of a redirect and every retry needs a connection, none can get around it.
"""

from __future__ import annotations

import http.cookiejar
import socket
import threading
from collections.abc import Collection
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from toolkit.scrapers.web import addresses
from toolkit.scrapers.web.deadline import Deadline
from toolkit.scrapers.web.pace import Pace

# More hosts than this in one collection: the least used connections are closed.
MOST_HOSTS = 1000


class Watch(threading.local):
    """The deadline of the request that this thread is busy with."""

    deadline: Deadline | None = None


class _Connection(Protocol):
    host: str
    port: int
    sock: Any


class Gate:
    """What every connection of a session asks before it opens and before it sends."""

    def __init__(
        self, pace: Pace, private_hosts: Collection[str], *, connect_timeout_s: float
    ) -> None:
        self.watch = Watch()
        self._pace = pace
        self._private_hosts = private_hosts
        self._connect_timeout_s = connect_timeout_s

    def connect(self, connection: HTTPConnection) -> socket.socket:
        """Open the connection's socket to a checked address."""
        host, port = connection.host, connection.port
        private = host in self._private_hosts
        try:
            return addresses.connect(host, port, self._connect_timeout_s, allow_private=private)
        except OSError as error:
            raise NewConnectionError(connection, f"{host}:{port}: {error}") from error

    def before_request(self, connection: _Connection) -> None:
        """Wait until the host may be asked again."""
        self._pace.wait(f"{connection.host}:{connection.port}")

    def after_request(self, connection: _Connection) -> None:
        """Start the clock: the request is on its way."""
        if self.watch.deadline is not None and connection.sock is not None:
            self.watch.deadline.start(connection.sock)


def guarded_session(gate: Gate, *, user_agent: str, connections_per_host: int) -> requests.Session:
    """Return a session without cookies, proxies, netrc or a fake browser's name."""
    session = requests.Session()
    # No proxies and no .netrc: a proxy would resolve names behind the guard's back.
    session.trust_env = False
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": user_agent})
    adapter = _GuardedAdapter(gate, connections_per_host)
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # `Client` refuses http itself, with a reason
    return session


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, gate: Gate, connections_per_host: int) -> None:
        self._gate = gate
        # `pool_block` makes the pool's size the number of simultaneous requests per host.
        super().__init__(
            pool_connections=MOST_HOSTS, pool_maxsize=connections_per_host, pool_block=True
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._gate)


def _pool_classes(gate: Gate) -> dict[str, type[HTTPConnectionPool]]:
    class Guarded(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return gate.connect(self)

        def request(self, *args: Any, **kwargs: Any) -> None:
            gate.before_request(self)
            super().request(*args, **kwargs)
            gate.after_request(self)

    class Secure(Guarded, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Guarded

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
