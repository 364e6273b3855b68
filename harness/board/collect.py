"""Gather everything the board shows: every contribution, on every track, whatever became of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness import paths
from harness.board.entries import EXACTLY, STATES, Entry, from_row, taken_hooks
from harness.board.evidence import with_evidence
from harness.board.tolerances import with_tolerance
from harness.check import check_folder
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol import row_files
from harness.protocol.equal_references import same_code
from harness.protocol.row import SCHEMA_VERSION
from harness.protocol.statistics.groups import Comparison, compare_all
from harness.protocol.statistics.tiers import Burden, tiers_of
from harness.protocol.track import Track, board_tracks, load_track, track_names
from harness.protocol.verdict import judge
from toolkit.core.errors import BaseModelError, HubError, ResultFileError
from toolkit.core.settings import REFERENCE_NAME


@dataclass(frozen=True)
class Board:
    """Everything the pages are made from."""

    tracks: tuple[Track, ...]
    entries: tuple[Entry, ...]  # sorted by track, then as the table shows them
    contributions: dict[str, Contribution]  # the readable ones, the reference included

    def of_track(self, track: str) -> list[Entry]:
        """Return a track's entries in the order of its table."""
        return [entry for entry in self.entries if entry.track == track]

    @cached_property
    def by_name(self) -> dict[str, list[Entry]]:
        """The entries of each contribution, over all tracks."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.name, []).append(entry)
        return found


def collect() -> Board:
    """Read registry, tracks and rows.

    Raises:
        ResultFileError: Rows are damaged, or belong to nothing; all of them are named.
    """
    own = [REFERENCE_NAME, *registry.control_names()]
    names = [*own, *registry.contribution_names()]
    contributions = {name: found for name in names if (found := _readable(name))}
    tracks = tuple(board_tracks())
    faults = [f"{p.relative_to(paths.RESULTS)}: no such track" for p in _strays()]
    entries: list[Entry] = []
    for track in tracks:
        lines, bad = _entries_of(track, names, contributions)
        entries += in_order(lines, track)
        faults += bad
    recorded = {name for name in track_names() if (paths.RESULTS / name).is_dir()}
    for name in sorted(recorded - {track.file.name for track in tracks}):
        # In preparation: its rows are not shown, and have to be as good as the others.
        faults += _entries_of(load_track(name), names, contributions)[1]
    if faults:
        raise ResultFileError(
            "The board cannot be built:\n" + "\n".join(f"  {fault}" for fault in faults),
            where="leaderboard/results/",
            fix="Run the contribution again with --record, or delete the file.",
        )
    clean = {name for name in names if name not in own and _is_clean(name)}
    board = Board(tracks, tuple(with_evidence(entries, clean, tracks)), contributions)
    require_all(board, names)
    return board


def require_all(board: Board, names: list[str]) -> None:
    """Make sure that no contribution is missing from the board.

    Raises:
        HubError: A contribution has no line on a track. That is a fault of this program.
    """
    there = {(entry.track, entry.name) for entry in board.entries}
    missing = [
        f"{name} on {track.file.name}"
        for track in board.tracks
        for name in names
        if (track.file.name, name) not in there
    ]
    if missing:
        raise HubError(f"The board lacks {', '.join(missing)}.", where="harness/board/")


def _entries_of(
    track: Track, names: list[str], contributions: dict[str, Contribution]
) -> tuple[list[Entry], list[str]]:
    folder = paths.RESULTS / track.file.name
    reference_hash = contributions[REFERENCE_NAME].content_hash
    protocol_hash = _protocol_hash(track)
    entries, faults = [], []
    recorded = {path.stem: path for path in sorted(folder.glob("*.json"))}
    for name in [*names, *(n for n in recorded if n not in names)]:
        path = recorded.get(name)
        contribution = contributions.get(name)
        if path is None:
            entries.append(_pending(name, track.file.name, contribution))
            continue
        if row_files.schema_of(path) != SCHEMA_VERSION:
            why = "its row has the schema of an older hub"
            entries.append(replace(_pending(name, track.file.name, contribution), reasons=(why,)))
            continue
        try:
            row = row_files.read_row(path)
        except ResultFileError as error:
            faults.append(f"{path.relative_to(paths.RESULTS)}: {error.what}")
            continue
        if (row.contribution, row.track) != (name, track.file.name):
            claim = f"it is about {row.contribution} on {row.track}"
            faults.append(f"{path.relative_to(paths.RESULTS)}: {claim}")
            continue
        reasons = []
        if contribution is None:
            gone = "the folder is gone" if name not in names else "its contribution.toml has faults"
            reasons.append(gone)
        elif not same_code(row.content_hash, contribution.content_hash):
            reasons.append("its code has changed since")
        if protocol_hash is not None and row.protocol_hash != protocol_hash:
            reasons.append("the track has changed since")
        if not same_code(row.reference_hash, reference_hash):
            reasons.append("the reference has changed since")
        entry, damaged = with_tolerance(from_row(row, reasons), contribution, track)
        entries.append(entry)
        faults += damaged
    return entries, faults


def _protocol_hash(track: Track) -> str | None:
    """Return the track's hash, or None where its base model is not on this machine."""
    try:
        return track.protocol_hash()
    except BaseModelError:
        return None  # a track of the real model: only who has it can tell


def _pending(name: str, track: str, contribution: Contribution | None) -> Entry:
    if contribution is None:
        why = ("its contribution.toml has faults",)
        return Entry(name=name, track=track, state="pending", status="pending", reasons=why)
    return Entry(
        name=name,
        track=track,
        state="pending",
        status="pending",
        control=name in registry.control_names(),
        summary=contribution.file.summary,
        authors=contribution.file.authors,
        own_hooks=contribution.file.hooks,
        taken=taken_hooks(name, contribution.origins, contribution.settings_from),
        content_hash=contribution.content_hash,
        reasons=("not yet run on this track",),
    )


def in_order(entries: list[Entry], track: Track) -> list[Entry]:
    """Compare all rows at once, add group and Pareto tier, and sort by gain.

    Groups need the same seeds for all rows; a row over other seeds keeps the verdict of its own
    run, and has a tier but no group. What has no place comes last.
    """
    wanted = tuple(sorted(track.file.seeds))
    comparable = {e.name: e.gains for e in entries if e.placed and tuple(sorted(e.seeds)) == wanted}
    table = compare_all(comparable)
    groups = {name: place for place, group in enumerate(table.groups(), 1) for name in group}
    # Controls have a place, so that readers see them there, but no one would choose one.
    chosen = [entry for entry in entries if entry.placed and not entry.control]
    tiers = tiers_of({entry.name: _burden(entry) for entry in chosen})
    placed = [
        replace(judged(entry, table), group=groups.get(entry.name), tier=tiers.get(entry.name))
        for entry in entries
    ]
    return sorted(
        placed,
        key=lambda e: (
            STATES.index(e.state),
            math.inf if e.gain is None else -e.gain,
            e.name.casefold(),
        ),
    )


def judged(entry: Entry, table: Comparison) -> Entry:
    """Give an entry the interval and the verdict that hold for all rows of a table at once."""
    if entry.is_reference or not entry.placed:
        return entry
    if entry.exactly_equal:
        return replace(entry, interval=(0.0, 0.0), outcome=EXACTLY)
    if not {entry.name, REFERENCE_NAME} <= set(table.names):
        return entry
    interval = table.interval(entry.name, REFERENCE_NAME)
    return replace(entry, interval=interval, outcome=judge(interval))


def _burden(entry: Entry) -> Burden:
    """Return what a tier weighs of an entry."""
    return Burden(
        gains=dict(zip(entry.seeds, entry.gains, strict=False)),
        drifts=dict(zip(entry.seeds, entry.drifts, strict=False)),
        cost=entry.cost_interval,
        size=entry.adapter_bytes,
    )


def _readable(name: str) -> Contribution | None:
    try:
        return registry.load_any(name)
    except HubError:
        return None  # it is on the board all the same, with that as the reason


def _is_clean(name: str) -> bool:
    found = check_folder(paths.CONTRIBUTIONS / name, root=paths.ROOT)
    return all(finding.severity == "hint" for finding in found)


def _strays() -> list[Path]:
    known = track_names()
    folders = sorted(paths.RESULTS.glob("*/")) if paths.RESULTS.is_dir() else []
    return [folder for folder in folders if folder.is_dir() and folder.name not in known]
