"""Which addresses are reached, and that the checked one is the reached one."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolkit.scrapers.server import Archive
from toolkit.scrapers.errors import Dropped
from toolkit.scrapers.web import addresses
from toolkit.scrapers.web.client import Client, WebRules, check_url


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_the_open_internet_is_public(address):
    assert addresses.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # the metadata of cloud machines
        "100.64.0.1",  # carrier-grade NAT
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "239.1.1.1",
        "198.18.0.1",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
    ],
)
def test_anything_else_is_not(address):
    assert not addresses.is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_inside_ipv6_as_by_itself(address):
    assert addresses.is_public(f"::ffff:{address}") == addresses.is_public(str(address))


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text):
    for url in (text, "https://" + text):
        try:
            check_url(url, frozenset())
        except Dropped as reason:
            assert reason.reason in ("not an address", "not https", "unusual port")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://[::1]/",
    ],
)
def test_a_private_address_in_any_spelling_is_refused(url):
    client = Client(WebRules(), user_agent="test")
    with pytest.raises(Dropped) as refused, client, client.open(url):
        pass
    assert refused.value.reason in ("private address", "host not found")
    assert refused.value.reason == "private address" or "0x7f" in url


def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    def resolver(host, port, **_):
        found = ("93.184.215.14", "192.168.1.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(Dropped, match=r"192\.168\.1\.1"):
        addresses.resolve("example.org", 443, allow_private=False)


def test_a_name_that_changes_its_address_reaches_the_first_one_only(monkeypatch):
    """DNS rebinding: the second answer of the resolver must not matter, because nobody asks."""
    archive = Archive()
    archive.picture("/a.jpg", b"hello")
    port = archive.server_address[1]
    answers = iter(["127.0.0.1"])
    real = socket.getaddrinfo

    def resolver(host, port, *rest, **more):
        if host != "rebind.test":
            return real(host, port, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    rules = WebRules(private_hosts=frozenset({"rebind.test"}))
    try:
        client = Client(rules, user_agent="test")
        with client, client.open(f"http://rebind.test:{port}/a.jpg") as response:
            assert b"".join(response.chunks(100)) == b"hello"
        assert archive.record.requests[0].headers["Host"] == f"rebind.test:{port}"
        assert next(answers, None) is None
    finally:
        archive.close()


def test_a_proxy_of_the_environment_is_not_used(monkeypatch, archive):
    """It would resolve the names, and the check would only see the proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    archive.picture("/a.jpg", b"hello")
    rules = WebRules(private_hosts=frozenset({"127.0.0.1"}))
    with (
        Client(rules, user_agent="test") as client,
        client.open(archive.url + "/a.jpg") as response,
    ):
        assert response.status == 200
