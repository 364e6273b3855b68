"""Take rows over from a job that ran strangers' code: nothing in the hand-over is believed.

Names come from this repository, never from the hand-over; a row must be small, of today's schema,
about the code that is here, and its pictures are decoded and encoded anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.contributions import registry
from harness.protocol import row_files
from harness.protocol.equal_references import same_code
from harness.protocol.row import Row
from harness.protocol.track import board_tracks, load_track
from harness.runs.folders import ROW_FILE, SHEET_FILE
from harness.sandbox.events import without_control
from toolkit.core import atomic
from toolkit.core.errors import HubError, ResultFileError
from toolkit.core.settings import REFERENCE_NAME
from toolkit.images.sheet import open_picture
from toolkit.images.webp import encoded

Origin = Literal["self-reported", "maintainer", "ci"]

MAX_SHEET_BYTES = 1 << 20
CI_ISOLATION = "bubblewrap"
NOT_RUN = (
    "none of its code was run"  # a failure before training, as harness.runs.steps.rows says it
)
SENTENCE = 500  # characters of a fault that are shown


def accept(handed_over: Path, origin: Origin) -> tuple[list[Row], list[HubError]]:
    """Record every acceptable row; return them and the reasons against the others.

    Args:
        handed_over: Holds ``row-<name>/<track>/<name>/row.json`` and ``sheet.webp``: one folder for
            each job. A job can only speak for the contribution that it was started for.
        origin: Who ran them, which the caller knows and the row does not decide.
    """
    rows: list[Row] = []
    refused: list[HubError] = []
    names = (REFERENCE_NAME, *registry.control_names(), *registry.contribution_names())
    tracks = [track.file.name for track in board_tracks()]
    for track, name in itertools.product(tracks, names):
        folder = handed_over / f"row-{name}" / track / name
        if not (folder / ROW_FILE).is_file():
            continue
        try:
            row = checked_row(folder / ROW_FILE, track, name)
            if origin == "ci":
                require_isolation(row, folder / ROW_FILE)
            row = row.model_copy(update={"origin": origin})
            record(row, folder / SHEET_FILE)
            rows.append(row)
        except HubError as error:
            refused.append(printable(error))
    return rows, refused


def printable(error: HubError) -> HubError:
    """Return a fault without what a terminal or a runner would obey.

    A sentence about an unknown field quotes its name, which the job that made the row chose.
    """
    what = without_control(error.what).replace("\n", " ")[:SENTENCE]
    return ResultFileError(what, where=error.where, fix=error.fix)


def checked_row(file: Path, track: str, name: str) -> Row:
    """Read a row and make sure that it is about this contribution as it is here.

    Raises:
        ResultFileError: It is not.
    """
    if file.is_symlink():
        raise ResultFileError("A row is a file, not a link.", where=str(file))
    row = row_files.read_row(file)
    if (row.track, row.contribution) != (track, name):
        raise ResultFileError(
            f"The row of {name} on {track} says it is of {row.contribution!r} on {row.track!r}.",
            where=str(file),
        )
    wanted: Sequence[tuple[str, str, str]] = (
        ("content_hash", row.content_hash, registry.load_any(name).content_hash),
        ("reference_hash", row.reference_hash, registry.load_reference().content_hash),
        ("protocol_hash", row.protocol_hash, load_track(track).protocol_hash()),
    )
    for field, told, is_now in wanted:
        if not same_code(told, is_now):
            raise ResultFileError(
                f"{field} of the row is {told[:19]}, here it is {is_now[:19]}.",
                where=str(file),
                fix="The row was measured on other files: run it again.",
            )
    require_confirmation(row, file)
    return row


def require_confirmation(row: Row, file: Path) -> None:
    """Make sure that a row with a verdict was confirmed, where its track provides sets for that.

    Raises:
        ResultFileError: It was not.
    """
    track = load_track(row.track)
    asked = track.exchanged is not None or track.second_heldout_dir is not None
    hubs_own = row.control or row.contribution == REFERENCE_NAME
    if asked and row.status == "ok" and not hubs_own and row.confirmation is None:
        raise ResultFileError(
            "The row was not confirmed on the sets that its track provides.",
            where=str(file),
            fix="Record it with --record, which does that.",
        )


def require_isolation(row: Row, file: Path) -> None:
    """Make sure that CI ran a contribution where it promises to, if it came to training it.

    Raises:
        ResultFileError: It was measured in another isolation, or in none.
    """
    if row.status == "failed" and row.machine.sandbox == NOT_RUN:
        return
    if row.machine.sandbox != CI_ISOLATION:
        raise ResultFileError(
            f"The row was measured in {row.machine.sandbox!r}, not in {CI_ISOLATION!r}.",
            where=str(file),
            fix=f"Install {CI_ISOLATION} on the runner.",
        )


def record(row: Row, sheet: Path) -> None:
    """Store row and sheet where the board keeps them; without a sheet an old one goes.

    Raises:
        UsageError: The sheet is no picture, or too large.
    """
    path = row_files.recorded_path(row)
    pixels = reencoded(sheet) if sheet.is_file() and not sheet.is_symlink() else None
    row_files.write_row(path, row)
    if pixels is not None:
        atomic.write_bytes(path.with_suffix(".webp"), pixels)
    else:
        path.with_suffix(".webp").unlink(missing_ok=True)


def reencoded(sheet: Path) -> bytes:
    """Decode a picture under limits and encode it anew, so that only pixels travel.

    Raises:
        UsageError: It is no picture, or too large.
    """
    if sheet.stat().st_size > MAX_SHEET_BYTES:
        raise ResultFileError("The sheet is larger than 1 MiB.", where=str(sheet))
    return encoded(open_picture(sheet))
