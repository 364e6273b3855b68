"""Everything a picture's host can do wrong, in one run against a real server."""

from __future__ import annotations

import gzip
import io
import struct
import threading
import time
import zlib

import pytest
from PIL import Image

from tests.toolkit.scrapers.server import Archive, picture_bytes


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes whose header promises a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0" * 4 + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def saved(image: Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def animation() -> bytes:
    frames = [Image.open(io.BytesIO(picture_bytes(900 + i))) for i in range(2)]
    return saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def slowly(exchange):
    """One byte at a time, each in time: a timeout per read never fires."""
    exchange.send_response(200)
    exchange.send_header("Content-Type", "image/jpeg")
    exchange.send_header("Content-Length", "100000")
    exchange.end_headers()
    for byte in picture_bytes(50):
        exchange.wfile.write(bytes([byte]))
        exchange.wfile.flush()
        if exchange.server.closing.wait(0.05):
            return


def slow_headers(exchange):
    for i in range(1000):
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\n" if i == 0 else b"X-%d: y\r\n" % i)
        exchange.wfile.flush()
        if exchange.server.closing.wait(0.05):
            return


def stalls(exchange):
    exchange.server.closing.wait(10)


def breaks_off(exchange):
    data = picture_bytes(51)
    exchange.send_response(200)
    exchange.send_header("Content-Type", "image/jpeg")
    exchange.send_header("Content-Length", str(len(data) + 500))
    exchange.end_headers()
    exchange.wfile.write(data)
    exchange.close_connection = True


def breaks_off_without_a_word(exchange):
    """No length, no chunks: only the picture itself tells that its end is missing."""
    data = picture_bytes(52, size=(200, 200))
    exchange.send_response(200)
    exchange.send_header("Content-Type", "image/jpeg")
    exchange.send_header("Connection", "close")
    exchange.end_headers()
    exchange.wfile.write(data[: len(data) // 2])
    exchange.close_connection = True


def endless(exchange):
    exchange.send_response(200)
    exchange.send_header("Content-Type", "image/jpeg")
    exchange.send_header("Connection", "close")
    exchange.end_headers()
    block = b"\xff\xd8\xff" + b"x" * 65536
    for _ in range(10_000):
        if exchange.server.closing.is_set():
            return
        exchange.wfile.write(block)


def gzip_bomb(exchange):
    body = gzip.compress(b"\xff\xd8\xff" + b"\0" * 50_000_000)
    exchange.answer(body, headers=[("Content-Encoding", "gzip")])


def redirect(target: str, status: int = 302):
    def go(exchange):
        exchange.answer(b"", status=status, kind="text/plain", headers=[("Location", target)])

    return go


def busy_once(path: str, data: bytes, status: int, headers=()):
    """503 first, then the picture."""
    seen = threading.Event()

    def go(exchange):
        if seen.is_set():
            exchange.answer(data)
        else:
            seen.set()
            exchange.answer(b"busy", status=status, kind="text/plain", headers=headers)

    return go


@pytest.fixture(scope="module")
def troubled():
    """An archive in which each path has its own trouble."""
    archive = Archive()
    add = archive.picture
    good = picture_bytes(1)
    add("/good.jpg", good)
    add("/good-twin.jpg", good)
    with Image.open(io.BytesIO(good)) as image:
        add("/good-smaller.jpg", saved(image.resize((86, 72)), "JPEG"))
        add("/good-turned.jpg", saved(image.rotate(90, expand=True), "JPEG"))
    add("/small.jpg", picture_bytes(2, size=(50, 60)))
    add("/thin.jpg", picture_bytes(3, size=(300, 70)))
    add("/blank.png", saved(Image.new("RGB", (90, 90), "white"), "PNG"), kind="image/png")
    add("/bomb.png", png_claiming(60_000, 60_000), kind="image/png")
    add("/bomb.webp", webp_claiming(16_000, 16_000), kind="image/webp")
    add("/animated.webp", animation(), kind="image/webp")
    add("/page.jpg", b"<html>log in</html>", kind="text/html; charset=utf-8")
    add("/liar.jpg", b"<html>not a picture whatever the header says</html>" * 9)
    add("/tiny-liar.jpg", b"GIF89a")
    add("/svg.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>" * 3, kind="image/svg+xml")
    add("/noai.jpg", picture_bytes(4), headers=[("X-Robots-Tag", "all, NoAI")])
    for_others = [
        ("X-Robots-Tag", "otherbot: noai, noindex"),
        ("X-Robots-Tag", "max-image-preview: large"),
    ]
    add("/noai-for-others.jpg", picture_bytes(5), headers=for_others)
    second = [("X-Robots-Tag", "otherbot: nofollow"), ("X-Robots-Tag", "noimageai")]
    add("/noai-second-header.jpg", picture_bytes(6), headers=second)
    add("/no-type.jpg", picture_bytes(7), kind="application/octet-stream")
    add("/wrong-name.jpg", picture_bytes(8, kind="PNG"), kind="image/jpeg")
    archive.routes |= {
        "/slow.jpg": slowly,
        "/slow-headers.jpg": slow_headers,
        "/stalls.jpg": stalls,
        "/breaks.jpg": breaks_off,
        "/breaks-silently.jpg": breaks_off_without_a_word,
        "/endless.jpg": endless,
        "/gzip-bomb.jpg": gzip_bomb,
        "/loop.jpg": redirect("/loop.jpg"),
        "/moved.jpg": redirect("/moved-target.jpg", 301),
        "/to-private.jpg": redirect("https://127.0.0.2/secret.jpg"),
        "/to-own-name.jpg": redirect(f"http://localhost:{archive.server_address[1]}/secret.jpg"),
        "/to-metadata.jpg": redirect("https://169.254.169.254/latest/meta-data/"),
        "/to-file.jpg": redirect("file:///etc/passwd"),
        "/to-password.jpg": redirect("https://user:word@example.org/a.jpg"),
        "/busy.jpg": busy_once("/busy.jpg", picture_bytes(9), 503),
        "/busy-says-when.jpg": busy_once("", picture_bytes(10), 429, [("Retry-After", "1")]),
        "/busy-for-hours.jpg": lambda e: e.answer(
            b"", status=429, kind="text/plain", headers=[("Retry-After", "7200")]
        ),
        "/broken.jpg": lambda e: e.answer(b"", status=500, kind="text/plain"),
        "/declared.jpg": lambda e: e.answer(b"\xff\xd8\xff" + b"x" * 400_000),
    }
    add("/moved-target.jpg", picture_bytes(11))
    paths = [*archive.routes, "/missing.jpg"]
    paths.remove("/moved-target.jpg")
    unusual = [
        "http://example.org/a.jpg",
        "ftp://example.org/a.jpg",
        "https:///a.jpg",
        "",
        "https://[::1",
    ]
    archive.openverse([*(archive.url + path for path in paths), *unusual], page_size=1000)
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def outcome(troubled, tmp_path_factory):
    from src.scraping import main
    from tests.toolkit.scrapers.conftest import Collected, quick

    out = tmp_path_factory.mktemp("troubled") / "out"
    limits = ["--deadline", "3", "--timeout", "1.5", "--max-megabytes", "0.3", "--count", "1000"]
    speed = ["--connections-per-host", "16", "--workers", "16", "--retries", "1"]
    started = time.monotonic()
    code = main(quick(troubled, out, *limits, *speed))
    # Far less than any of the endless answers would last.
    assert time.monotonic() - started < 60
    assert code == 0
    return Collected(out)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("good-twin.jpg", "duplicate"),
        ("good-smaller.jpg", "near duplicate"),
        ("small.jpg", "too small"),
        ("thin.jpg", "too long and thin"),
        ("blank.png", "blank"),
        ("bomb.png", "too many pixels"),
        ("bomb.webp", "too many pixels"),
        ("animated.webp", "animated"),
        ("page.jpg", "not a picture"),
        ("liar.jpg", "not a picture"),
        ("tiny-liar.jpg", "not a picture"),
        ("svg.jpg", "not a picture"),
        ("noai.jpg", "author says no"),
        ("noai-second-header.jpg", "author says no"),
        ("slow.jpg", "too slow"),
        ("slow-headers.jpg", "too slow"),
        ("stalls.jpg", "too slow"),
        ("breaks.jpg", "breaks off"),
        ("breaks-silently.jpg", "damaged"),
        ("endless.jpg", "too many bytes"),
        ("gzip-bomb.jpg", "too many bytes"),
        ("declared.jpg", "too many bytes"),
        ("loop.jpg", "redirects without end"),
        ("to-private.jpg", "private address"),
        ("to-own-name.jpg", "not https"),
        ("to-metadata.jpg", "private address"),
        ("to-file.jpg", "not an address"),
        ("to-password.jpg", "not an address"),
        ("busy-for-hours.jpg", "HTTP 429"),
        ("broken.jpg", "HTTP 500"),
        ("missing.jpg", "HTTP 404"),
        ("a.jpg", "not an address"),
        ("", "not an address"),
        ("[::1", "not an address"),
    ],
)
def test_a_bad_picture_is_dropped_with_its_reason(outcome, name, reason):
    assert outcome.reasons[name] == reason


def test_good_pictures_are_taken_whatever_happens_beside_them(outcome):
    urls = {
        s["url"].rsplit("/", 1)[-1] for s in outcome.lines("sources.jsonl") if s["status"] == "kept"
    }
    assert urls == {
        "good.jpg",
        "good-turned.jpg",
        "noai-for-others.jpg",
        "no-type.jpg",
        "wrong-name.jpg",
        "busy.jpg",
        "busy-says-when.jpg",
        "moved.jpg",
    }
    # The first bytes decide over the format, not the name and not the header.
    assert sum(name.endswith(".png") for name in outcome.names) == 1


def test_a_redirect_to_a_private_address_is_never_followed(outcome, troubled):
    assert troubled.asked("/secret") == {}


def test_faults_that_may_pass_are_tried_again_later_and_others_are_not(outcome):
    final = {
        s["url"].rsplit("/", 1)[-1]: s.get("final", True) for s in outcome.lines("sources.jsonl")
    }
    assert not any(final[name] for name in ("slow.jpg", "stalls.jpg", "breaks.jpg", "broken.jpg"))
    assert all(final[name] for name in ("missing.jpg", "small.jpg", "noai.jpg", "good-twin.jpg"))


def test_nobody_is_asked_more_often_than_the_retries_allow(outcome, troubled):
    asked = troubled.asked()
    assert asked["/broken.jpg"] == 2
    assert asked["/busy-for-hours.jpg"] == 1
    assert asked["/missing.jpg"] == 1
    assert asked["/loop.jpg"] == 6
