"""What is searched, and what is found: addresses of pictures and what their archive says."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.scrapers.errors import Dropped
from toolkit.scrapers.pictures.look import PictureRules, check_size


@dataclass(frozen=True)
class Search:
    """What to look for, and where.

    Attributes:
        provider: Name of the provider.
        text: The query, as a person would type it.
        licences: Codes of ``toolkit.scrapers.licences`` that are welcome.
        mature: Whether results marked as mature are welcome.
    """

    provider: str
    text: str
    licences: tuple[str, ...]
    mature: bool = False


@dataclass(frozen=True)
class ImageHit:
    """One search result.

    Attributes:
        url: Where the picture is.
        provider: Name of the provider that found it.
        page_url: The page that shows it to people.
        title: As its author called it; may be a file name.
        caption: What a person wrote for training, taken as it is.
        description: Free text, HTML removed.
        tags: Single words or short phrases.
        license: A code of ``toolkit.scrapers.licences``, or ``unknown``.
        license_url: The text of the licence.
        creator: Who made it.
        creator_url: Their page.
        attribution: A sentence ready to print, when the archive has one.
        width: In pixels, 0 when the archive does not say.
        height: In pixels, 0 when the archive does not say.
    """

    url: str
    provider: str
    page_url: str = ""
    title: str = ""
    caption: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    license: str = "unknown"
    license_url: str = ""
    creator: str = ""
    creator_url: str = ""
    attribution: str = ""
    width: int = 0
    height: int = 0


def worth_a_download(hit: ImageHit, search: Search, rules: PictureRules) -> None:
    """Decide by what the archive says, before anything is fetched.

    Raises:
        Dropped: The licence is not welcome, or the picture is too small or too large.
    """
    # Not final: asking again costs nothing, and another run may welcome more.
    if hit.license not in search.licences:
        raise Dropped("licence not welcome", hit.license, final=False)
    if hit.width > 0 and hit.height > 0:
        try:
            check_size(hit.width, hit.height, rules)
        except Dropped as reason:
            raise Dropped(reason.reason, reason.detail, final=False) from None
