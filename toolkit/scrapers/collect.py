"""The way of one collection, from the search to the last picture in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .ask import check_needs, make
from .captions.compose import compose
from .download import Downloader
from .errors import Dropped
from .folder import opened
from .hits import ImageHit, worth_a_download

if TYPE_CHECKING:
    from .settings import Settings
    from .tally import Tally


def collect(settings: Settings, tally: Tally) -> None:
    """Search, download, caption and file pictures until there are enough.

    Raises:
        ScrapeError: A key is missing, the service refuses, the folder is damaged.
    """
    base_url = check_needs(settings)  # says what is missing before the first request
    with (
        settings.client() as client,
        opened(settings.out, settings.search) as folder,
        Downloader(client, folder.parts, settings.downloads, settings.pictures) as downloader,
        tally.counting(folder.count),
    ):

        def drop(hit: ImageHit, reason: Dropped) -> None:
            folder.drop(hit, reason)
            tally.dropped[reason.reason] += 1

        def new_hits() -> Iterator[ImageHit]:
            provider = make(settings, client, base_url)
            for hit in provider.search(settings.search):
                if folder.is_known(hit.url, retry_dropped=settings.retry_dropped):
                    continue
                try:
                    worth_a_download(hit, settings.search, settings.pictures)
                except Dropped as reason:
                    drop(hit, reason)
                else:
                    yield hit

        for hit, result in downloader.each(new_hits(), tally.missing):
            try:
                picture = result()
                folder.check_new(picture)
                settings.check_content(picture.path)
                words = settings.captioner.words(hit, picture.path)
            except Dropped as reason:
                drop(hit, reason)
            else:
                caption = compose(words, settings.captions)
                folder.keep(hit, picture, caption, settings.captioner.name)
                tally.take()
