"""The folder of a collection: what is in it, and how a picture gets into it.

- ``Images/<hash>.jpg``: named by content, so the same picture has the same name everywhere
- ``ImageCaptions/<hash>.txt``: its caption; yours to edit, never overwritten
- ``sources.jsonl``: one line per address tried: licence, author, or why not
- ``metadata.jsonl``: file_name and text, as Hugging Face's imagefolder reads them
- ``ATTRIBUTION.md``: the credits that licences such as CC BY ask for
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from toolkit.core import atomic
from toolkit.scrapers.attribution import attribution_page
from toolkit.scrapers.errors import Dropped, ScrapeError
from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.journal import Journal
from toolkit.scrapers.pictures.hashing import Seen
from toolkit.scrapers.pictures.look import Picture
from toolkit.scrapers.records import Source

NAME_DIGITS = 16
SOURCES, METADATA, ATTRIBUTION = "sources.jsonl", "metadata.jsonl", "ATTRIBUTION.md"


class Folder:
    """A collection on disk; use ``opened``.

    Args:
        path: The folder.
        search: What is being collected; earlier searches may be in the folder too.
    """

    def __init__(self, path: Path, search: Search) -> None:
        self.path = path
        self._search = search
        self.images = path / "Images"
        self.captions = path / "ImageCaptions"
        self.parts = path / ".scraping"
        self._journal = Journal(path / SOURCES)
        self._seen = Seen()
        for folder in (self.images, self.captions, self.parts):
            folder.mkdir(parents=True, exist_ok=True)
        self._recover()
        for source in self._journal.kept():
            self._remember(source)

    def _recover(self) -> None:
        """Undo what a killed or interrupted run left half done."""
        for part in (*self.parts.glob("*.part"), *self._unfinished()):
            part.unlink()
        for source in list(self._journal.sources.values()):
            if source.status == "writing":
                (self.images / source.file).unlink(missing_ok=True)
                self._caption_path(source.file).unlink(missing_ok=True)
                self._journal.forget(source.url)
        self._journal.tidy()

    def _unfinished(self) -> Iterator[Path]:
        """Yield the temporary files of lists that a kill left unwritten."""
        for name in (SOURCES, METADATA, ATTRIBUTION):
            yield from self.path.glob(f".{name}.*.tmp")

    def _remember(self, source: Source) -> None:
        self._seen.add(source.file, source.download_sha256, source.phash)

    def is_known(self, url: str, *, retry_dropped: bool) -> bool:
        """Tell whether an address needs no further try."""
        source = self._journal.sources.get(url)
        if source is None or source.status == "kept":
            return source is not None
        return source.final and not retry_dropped

    def count(self) -> int:
        """Return how many pictures of this search are here."""
        return sum(
            source.provider == self._search.provider and source.query == self._search.text
            for source in self._journal.kept()
        )

    def check_new(self, picture: Picture) -> None:
        """Make sure that a picture is not here yet.

        Raises:
            Dropped: The same file, or one that looks the same, was kept before. (The first one
                stays: it stands higher in the search.)
        """
        twin = self._seen.exact(picture.download_sha256)
        if twin:
            raise Dropped("duplicate", f"the same file as {twin}")
        twin = self._seen.near(picture.phash)
        if twin:
            raise Dropped("near duplicate", f"looks like {twin}")

    def keep(self, hit: ImageHit, picture: Picture, caption: str, by: str) -> None:
        """Move a picture into the folder, with its caption and its source."""
        name = picture.sha256[:NAME_DIGITS] + picture.suffix
        source = Source(
            status="writing",
            url=hit.url,
            provider=hit.provider,
            query=self._search.text,
            file=name,
            page_url=hit.page_url,
            title=hit.title,
            creator=hit.creator,
            creator_url=hit.creator_url,
            license=hit.license,
            license_url=hit.license_url,
            attribution=hit.attribution,
            caption_by=by,
            sha256=picture.sha256,
            download_sha256=picture.download_sha256,
            phash=picture.phash,
            width=picture.width,
            height=picture.height,
            size_bytes=picture.size_bytes,
            fetched_at=_now(),
        )
        self._journal.add(source)
        # Made elsewhere and moved: a kill leaves no half of it. The caption first, so that at no
        # moment there is a picture without one.
        part = self.parts / "caption.part"
        part.write_text(caption + "\n", encoding="utf-8", newline="\n")
        part.replace(self._caption_path(name))
        picture.path.replace(self.images / name)
        self._journal.add(source.model_copy(update={"status": "kept"}))
        self._remember(source)

    def drop(self, hit: ImageHit, reason: Dropped) -> None:
        """Remember why a picture was not taken."""
        self._journal.add(
            Source(
                status="dropped",
                url=hit.url,
                provider=hit.provider,
                query=self._search.text,
                license=hit.license,
                fetched_at=_now(),
                reason=reason.reason,
                detail=reason.detail,
                final=reason.final,
            )
        )

    def finish(self) -> None:
        """Write the files that follow from the others; safe to call at any time."""
        self._recover()
        # Pictures that somebody threw away stay away, and out of the lists.
        kept = [s for s in self._journal.kept() if (self.images / s.file).is_file()]
        lines = []
        for source in kept:
            caption = self._caption_path(source.file)
            text = caption.read_text(encoding="utf-8").strip() if caption.is_file() else ""
            record = {"file_name": f"Images/{source.file}", "text": text}
            lines.append(json.dumps(record, ensure_ascii=False) + "\n")
        atomic.write_text(self.path / METADATA, "".join(lines))
        atomic.write_text(self.path / ATTRIBUTION, attribution_page(kept))

    def _caption_path(self, image_name: str) -> Path:
        return self.captions / f"{Path(image_name).stem}.txt"


@contextmanager
def opened(path: Path, search: Search) -> Iterator[Folder]:
    """Yield the collection in a folder, under a lock.

    Raises:
        ScrapeError: Another run is busy in it, or its journal is damaged.
    """
    parts = path / ".scraping"
    parts.mkdir(parents=True, exist_ok=True)
    lock = FileLock(parts / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ScrapeError(
            "Another run is collecting into this folder.",
            where=str(path),
            fix="Wait until it is done, or give another --out.",
        ) from error
    try:
        folder = Folder(path, search)
        try:
            yield folder
        finally:
            folder.finish()
    finally:
        # Before the release, so that nobody else's lock is removed; Windows keeps an open file.
        shutil.rmtree(parts, ignore_errors=True)
        lock.release()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
