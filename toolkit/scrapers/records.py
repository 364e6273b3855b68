"""The record of each address that was tried: one line each in sources.jsonl."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# "writing" is written just before the files of a picture: whoever finds it without a later
# "kept" knows that the program was killed in between.
Status = Literal["writing", "kept", "dropped"]


class Source(BaseModel):
    """Where a picture came from, or why it was not taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    url: str
    provider: str
    query: str
    file: str = ""
    page_url: str = ""
    title: str = ""
    creator: str = ""
    creator_url: str = ""
    license: str = ""
    license_url: str = ""
    attribution: str = ""
    caption_by: str = ""
    sha256: str = ""
    download_sha256: str = ""
    phash: str = ""
    width: int = 0
    height: int = 0
    size_bytes: int = 0
    fetched_at: str = ""
    reason: str = ""
    detail: str = ""
    final: bool = True
