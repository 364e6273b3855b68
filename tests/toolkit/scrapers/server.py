"""A real archive on this machine: JSON of recorded shape, pictures, and every kind of trouble."""

from __future__ import annotations

import io
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image

Route = Callable[["Exchange"], None]


def picture_bytes(seed: int, *, size=(96, 80), kind="JPEG") -> bytes:
    """A picture that looks like no other one: coarse random colours, scaled up."""
    noise = random.Random(seed)
    coarse = Image.frombytes("RGB", (8, 8), noise.randbytes(8 * 8 * 3))
    buffer = io.BytesIO()
    coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, kind)
    return buffer.getvalue()


class Exchange(BaseHTTPRequestHandler):
    """One request and the means to answer it well or badly."""

    protocol_version = "HTTP/1.1"
    server: Archive

    @property
    def route(self) -> str:
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def do_GET(self):
        archive = self.server
        with archive.counting(self):
            action = archive.routes.get(self.route)
            if action is None:
                self.answer(b"no such page", status=404, kind="text/plain")
            else:
                action(self)

    def answer(self, body: bytes, *, status=200, kind="image/jpeg", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, value, *, status=200, headers=()):
        self.answer(
            json.dumps(value).encode(), status=status, kind="application/json", headers=headers
        )

    def log_message(self, *arguments):
        pass


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    at: float


@dataclass
class Record:
    requests: list[Request] = field(default_factory=list)
    active: int = 0
    most_active: int = 0


class Archive(ThreadingHTTPServer):
    """The server; give it routes, look at what it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.routes: dict[str, Route] = {}
        self.record = Record()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # Clients that hang up are what these tests are about.

    def counting(self, exchange: Exchange):
        archive = self

        class Counting:
            def __enter__(self):
                with archive._lock:
                    record = archive.record
                    record.requests.append(
                        Request(exchange.path, dict(exchange.headers), time.monotonic())
                    )
                    record.active += 1
                    record.most_active = max(record.most_active, record.active)

            def __exit__(self, *exception):
                with archive._lock:
                    archive.record.active -= 1

        return Counting()

    def asked(self, prefix: str = "") -> Counter[str]:
        """How often each path was asked for."""
        paths = (urlsplit(request.path).path for request in self.record.requests)
        return Counter(path for path in paths if path.startswith(prefix))

    # --- what it can serve ----------------------------------------------------------------------

    def picture(self, path: str, data: bytes, *, kind="image/jpeg", headers=()) -> str:
        self.routes[path] = lambda exchange: exchange.answer(data, kind=kind, headers=headers)
        return self.url + path

    def pictures(self, count: int, **how) -> list[str]:
        return [self.picture(f"/p/{i}.jpg", picture_bytes(i, **how)) for i in range(count)]

    def openverse(self, urls: list[str], *, page_size=20, **fields) -> None:
        """Answer searches as api.openverse.org/v1/images/ does."""
        results = [openverse_record(i, url, **fields) for i, url in enumerate(urls)]

        def page(exchange: Exchange) -> None:
            number = int(exchange.query["page"])
            part = results[(number - 1) * page_size : number * page_size]
            exchange.answer_json(
                {
                    "result_count": len(results),
                    "page_count": -(-len(results) // page_size),
                    "page_size": page_size,
                    "page": number,
                    "results": part,
                    "warnings": [],
                }
            )

        self.routes["/images/"] = page


def openverse_record(i: int, url: str, **fields) -> dict:
    return {
        "id": f"00000000-0000-4000-8000-{i:012d}",
        "title": f"Red panda number {'abcdefghijklmnopqrstuvwxyz'[i % 26]} in a tree",
        "indexed_on": "2020-05-04T12:00:00.000000Z",
        "foreign_landing_url": f"https://example.org/photos/{i}",
        "url": url,
        "creator": "Ada (the) [photographer]",
        "creator_url": "https://example.org/people/ada",
        "license": "by",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by/2.0/",
        "provider": "flickr",
        "source": "flickr",
        "category": "photograph",
        "filesize": None,
        "filetype": "jpg",
        "tags": [{"name": "animal", "accuracy": None, "unstable__provider": "flickr"}],
        "attribution": '"Red panda" by Ada is licensed under CC BY 2.0.',
        "fields_matched": ["title"],
        "mature": False,
        "height": None,
        "width": None,
        "thumbnail": "https://example.org/thumb/",
        "detail_url": "https://example.org/detail/",
        "related_url": "https://example.org/related/",
        "unstable__sensitivity": [],
        **fields,
    }
