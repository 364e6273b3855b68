"""Connect only to public addresses, and only to the address that was checked.

A search result is a stranger's text. ``https://router.local/reboot`` or a name that resolves to
127.0.0.1 must not be fetched from inside a user's network. Checking the name first and letting
the library resolve it again would leave a gap: the second answer can differ (DNS rebinding). So the
name is resolved once, all its addresses are checked, and the connection goes to one of those.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from toolkit.scrapers.errors import Dropped

# IPv6 addresses of translators carry an IPv4 address inside: the one that is reached in the end.
_NAT64 = IPv6Network("64:ff9b::/96")
# A host with dozens of dead addresses would multiply the connect timeout.
MOST_ADDRESSES = 4


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the open internet."""
    ip = ip_address(address.partition("%")[0])  # fe80::1%eth0 has its interface behind it
    if isinstance(ip, IPv6Address):
        inner = _embedded_ipv4(ip)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _embedded_ipv4(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None)


def resolve(host: str, port: int, *, allow_private: bool) -> list[tuple[socket.AddressFamily, str]]:
    """Return the addresses of a host, all of them checked.

    Raises:
        Dropped: It has no address, or one that is not public.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Dropped("host not found", f"{host}: {error}", final=False) from error
    addresses: list[tuple[socket.AddressFamily, str]] = [
        (family, str(sockaddr[0])) for family, _, _, _, sockaddr in found
    ]
    for _, address in addresses:
        if not allow_private and not is_public(address):
            raise Dropped("private address", f"{host} is {address}, which is not on the internet")
    return addresses[:MOST_ADDRESSES]


def connect(host: str, port: int, timeout_s: float, *, allow_private: bool) -> socket.socket:
    """Return a connected TCP socket.

    Raises:
        Dropped: The address is refused, see ``resolve``.
        OSError: None of its addresses answers.
    """
    problem: OSError = OSError(f"{host} has no address")
    for family, address in resolve(host, port, allow_private=allow_private):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            connection.connect((address, port))
        except OSError as error:
            connection.close()
            problem = error
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise problem
