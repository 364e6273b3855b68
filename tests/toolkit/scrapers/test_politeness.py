"""How often and how closely hosts are asked, counted at the hosts."""

from __future__ import annotations

import threading
import time

import pytest

from tests.toolkit.scrapers.server import Archive, picture_bytes
from toolkit.scrapers.errors import Stopped
from toolkit.scrapers.web.pace import Pace


@pytest.mark.parametrize("connections", [1, 2])
def test_no_more_requests_at_once_than_allowed(archive, scrape, connections):
    archive.openverse([f"{archive.url}/p/{i}.jpg" for i in range(8)])
    for i in range(8):
        data = picture_bytes(i)
        archive.routes[f"/p/{i}.jpg"] = lambda exchange, data=data: (
            archive.closing.wait(0.03),
            exchange.answer(data),
        )
    assert scrape("--count", "8", "--connections-per-host", str(connections)).code == 0
    assert archive.record.most_active == connections


def test_no_more_requests_per_second_than_allowed(archive, scrape):
    archive.openverse(archive.pictures(9))
    started = time.monotonic()
    assert scrape("--count", "9", "--requests-per-second", "20").code == 0
    times = [request.at for request in archive.record.requests]
    assert len(times) == 10
    # On a busy machine the server may see the first request late; without a pace it is 0.05 s.
    assert times[-1] - times[0] >= 0.6 * 9 / 20
    assert time.monotonic() - started < 10


def test_each_host_has_a_pace_of_its_own(archive, scrape):
    other = Archive()
    try:
        archive.openverse([*archive.pictures(4), other.picture("/x.jpg", picture_bytes(99))])
        assert scrape("--count", "5", "--requests-per-second", "5").code == 0
        first = other.record.requests[0].at
        # Five requests to the first host take 0.8 s; the other one was not kept waiting for that.
        assert first < archive.record.requests[-1].at
    finally:
        other.close()


def test_a_host_that_wants_peace_is_left_alone_by_all_threads(archive, scrape):
    urls = archive.pictures(6)
    archive.openverse(urls)
    picture = archive.routes["/p/0.jpg"]
    told = threading.Event()

    def busy_first(exchange):
        if told.is_set():
            picture(exchange)
        else:
            told.set()
            exchange.answer(b"", status=429, headers=[("Retry-After", "1")])

    archive.routes["/p/0.jpg"] = busy_first
    assert scrape("--count", "6", "--connections-per-host", "1").code == 0
    at = [request.at for request in archive.record.requests if "/p/" in request.path]
    assert at[1] - at[0] >= 0.9


def test_cookies_are_not_kept_and_the_browser_is_not_faked(archive, scrape):
    urls = archive.pictures(1, size=(96, 80))
    cookie = [("Set-Cookie", "who=you; Path=/")]
    urls.append(archive.picture("/second.jpg", picture_bytes(7), headers=cookie))
    urls.append(archive.picture("/third.jpg", picture_bytes(8)))
    archive.openverse(urls)
    assert scrape("--workers", "1").code == 0
    for request in archive.record.requests:
        assert "Cookie" not in request.headers
        assert request.headers["User-Agent"] == "sd-lora-finetuning/0.1"


def test_a_picture_that_cannot_be_meant_costs_no_request(archive, scrape):
    urls = archive.pictures(3)
    archive.openverse(urls[:1], license="by-nd")
    assert scrape().code == 1
    archive.openverse(urls[1:2], width=20, height=2000)
    result = scrape()
    assert result.code == 1
    assert "1  too small" in result.out
    assert archive.asked("/p/") == {}
    # And neither is a verdict for ever: the next run may allow more.
    archive.openverse(urls[:1], license="by-nd")
    assert scrape("--licences", "by-nd").code == 0


def test_waiting_ends_when_the_program_is_to_end():
    stop = threading.Event()
    pace = Pace(0.01, stop)
    pace.wait("host")
    threading.Timer(0.05, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        pace.wait("host")
    assert time.monotonic() - started < 5
