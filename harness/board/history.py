"""What became of a contribution's rows over time, from git: one question for all of them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from harness import paths
from toolkit.core.errors import HubError
from toolkit.core.git import Repository

# One header line for each commit, then git's raw lines of what it changed.
FORMAT = "--format=%x01%h %cs"
KEPT = 20
SHALLOW = "This clone is shallow, so no history is shown: git fetch --unshallow"


@dataclass(frozen=True)
class Event:
    """One recorded row of the past."""

    name: str
    track: str
    when: str  # date of the commit
    commit: str
    status: str
    gain: float | None
    code: str  # first digits of the content hash


def read_history() -> dict[str, list[Event]]:
    """Return the events of each contribution, the newest first; empty outside of git.

    Also in a shallow clone, where all rows would seem to come from its oldest commit; that is said.
    """
    repository = Repository(paths.ROOT)
    results = paths.RESULTS
    if not results.is_relative_to(paths.ROOT):
        return {}
    place = results.relative_to(paths.ROOT).as_posix()
    try:
        if repository.run("rev-parse", "--is-shallow-repository").strip() != b"false":
            print(f"note: {SHALLOW}", file=sys.stderr)
            return {}
        log = repository.run("log", FORMAT, "--raw", "--no-abbrev", "--no-renames", "--", place)
    except HubError:
        return {}  # a copy without git: the pages are complete but for this table
    found: list[tuple[str, str, str, str]] = []  # commit, date, blob, path
    commit = date = ""
    for line in log.decode("utf-8", "replace").splitlines():
        if line.startswith("\x01"):
            commit, date = line[1:].split(" ")
        elif line.startswith(":") and line.endswith(".json"):
            head, path = line.split("\t", 1)
            blob = head.split(" ")[3]
            if set(blob) != {"0"}:
                found.append((commit, date, blob, path))
    texts = read_blobs(repository, [blob for _, _, blob, _ in found])
    events: dict[str, list[Event]] = {}
    for (commit, date, _, path), text in zip(found, texts, strict=True):
        event = _event(commit, date, path, text)
        if event is not None and len(events.setdefault(event.name, [])) < KEPT:
            events[event.name].append(event)
    return events


def read_blobs(repository: Repository, blobs: list[str]) -> list[bytes]:
    """Return the bytes of many blobs with one call of git."""
    if not blobs:
        return []
    answer = repository.run("cat-file", "--batch", input_bytes="\n".join(blobs).encode() + b"\n")
    texts, position = [], 0
    for _ in blobs:
        end = answer.index(b"\n", position)
        size = int(answer[position:end].rsplit(b" ", 1)[1])
        texts.append(answer[end + 1 : end + 1 + size])
        position = end + 1 + size + 1
    return texts


def _event(commit: str, date: str, path: str, text: bytes) -> Event | None:
    """Read what every version of a row has; a damaged one is no event."""
    try:
        row: Any = json.loads(text)
        verdict = row.get("verdict") or {}
        gain = verdict.get("gain")
        return Event(
            name=path.rpartition("/")[2].removesuffix(".json"),
            track=path.split("/")[-2],
            when=date,
            commit=commit,
            status=str(row.get("status", "")),
            gain=float(gain) if isinstance(gain, int | float) else None,
            code=str(row.get("content_hash", "")).removeprefix("sha256:")[:12],
        )
    except (ValueError, AttributeError, IndexError):
        return None
