"""Download many pictures at once, and hand them over in the order of the search."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from toolkit.images.headers import kind_of
from toolkit.scrapers.errors import Dropped, ScrapeError, Stopped
from toolkit.scrapers.hits import ImageHit
from toolkit.scrapers.pictures.look import HEAD_BYTES, Picture, PictureRules, examine
from toolkit.scrapers.web.client import Client, Response
from toolkit.scrapers.web.robots import refusal

# Downloads that run ahead of the one that is handed over next, per worker.
AHEAD = 2
# A server that does not know a type says "octet-stream"; the first bytes decide then.
_TYPES = ("image/", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True)
class DownloadRules:
    """Limits of one download.

    Attributes:
        max_bytes: Of the file.
        workers: Downloads at the same time, over all hosts.
    """

    max_bytes: int = 20_000_000
    workers: int = 8


class Downloader:
    """Fetches pictures into a folder of temporary files.

    Args:
        client: Makes the requests.
        parts: The folder; the files in it belong to the consumer of the results.
        rules: Limits of one download.
        picture_rules: What a training picture has to be.
    """

    def __init__(
        self, client: Client, parts: Path, rules: DownloadRules, picture_rules: PictureRules
    ) -> None:
        self._client = client
        self._parts = parts
        self._rules = rules
        self._picture_rules = picture_rules
        self._pool = ThreadPoolExecutor(rules.workers, thread_name_prefix="download")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # Whatever is still running is not wanted any more: enough pictures, a fault, or Ctrl-C.
        self._client.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def fetch(self, hit: ImageHit, number: int) -> Picture:
        """Download and examine one picture.

        Raises:
            Dropped: It cannot be had, or is none to train on.
            Stopped: The client was stopped.
        """
        path = self._parts / f"{number}.part"
        try:
            headers = {"Accept": "image/jpeg,image/png,image/webp", "Accept-Encoding": "identity"}
            with self._client.open(hit.url, headers=headers) as response:
                _check_head(response)
                sha256 = _save(response, path, self._rules.max_bytes)
            return examine(path, sha256, self._picture_rules)
        except BaseException as error:
            path.unlink(missing_ok=True)
            # Cut connections look like faults of their hosts; they are ours.
            if isinstance(error, Dropped) and self._client.stopping.is_set():
                raise Stopped from error
            raise

    def each(
        self, hits: Iterator[ImageHit], wanted: Callable[[], int]
    ) -> Iterator[tuple[ImageHit, Callable[[], Picture]]]:
        """Yield each hit, in order, with a function that returns its picture.

        That function raises ``Dropped`` when there is none. Downloads run ahead, but never more
        than could still be wanted: as long as all are good, none is fetched in vain.

        Args:
            hits: Asked for more only when a download can start.
            wanted: How many pictures are still missing.

        Raises:
            ScrapeError: The search failed; only after all that it had found was handed over.
        """
        waiting: deque[tuple[ImageHit, Future[Picture]]] = deque()
        trouble: ScrapeError | None = None
        number = 0
        while wanted() > 0:
            while len(waiting) < min(wanted(), self._rules.workers * AHEAD):
                try:
                    hit = next(hits, None)
                except ScrapeError as error:
                    # What is on its way is taken first: it was found before the trouble.
                    hit, trouble = None, error
                if hit is None:
                    break
                waiting.append((hit, self._pool.submit(self.fetch, hit, number)))
                number += 1
            if not waiting:
                if trouble is not None:
                    raise trouble
                return
            hit, future = waiting.popleft()
            yield hit, partial(_result, future)


def _result(future: Future[Picture]) -> Picture:
    # In slices, because on Windows an endless wait does not see Ctrl-C.
    while not future.done():
        wait([future], timeout=0.2)
    return future.result()


def _check_head(response: Response) -> None:
    """Decide by status and headers, before a byte of the body is read."""
    if response.status != 200:
        # Gone for good, or busy: the second may be better next time.
        final = response.status in (404, 410)
        raise Dropped(f"HTTP {response.status}", response.url[:160], final=final)
    directive = refusal(response.every("X-Robots-Tag"))
    if directive:
        raise Dropped("author says no", f"X-Robots-Tag: {directive}")
    kind = response.headers.get("Content-Type", "").strip().lower()
    if kind and not kind.startswith(_TYPES):
        raise Dropped("not a picture", f"Content-Type: {kind[:80]}")


def _save(response: Response, path: Path, cap_bytes: int) -> str:
    """Write the body to ``path``; return its SHA-256."""
    digest = hashlib.sha256()
    head = b""
    with path.open("wb") as file:
        for chunk in response.chunks(cap_bytes):
            if len(head) < HEAD_BYTES:
                head += chunk[:HEAD_BYTES]
                # Of the wrong kind: not worth the rest of the download.
                if len(head) >= HEAD_BYTES and kind_of(head) is None:
                    raise Dropped("not a picture", f"it begins with {head[:12]!r}")
            digest.update(chunk)
            file.write(chunk)
        # A power cut must not leave an empty picture that counts as kept.
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
