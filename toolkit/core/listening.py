"""A socket for the programs of this machine."""

from __future__ import annotations

import socket

from toolkit.core.errors import UsageError


def listen(port: int, fix: str) -> socket.socket:
    """Return a socket that listens on a port of 127.0.0.1, which no other machine reaches.

    Args:
        port: 0 takes a free one.
        fix: What to do where another program has the port.

    Raises:
        UsageError: Another program has the port.
    """
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        connection.bind(("127.0.0.1", port))
        connection.listen()  # a browser that is faster than the server waits
    except OSError as error:
        connection.close()
        raise UsageError(f"Port {port} cannot be used: {error.strerror}.", fix=fix) from error
    return connection
