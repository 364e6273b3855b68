"""The path rule: a pull request is one contribution's folder, or a change of the hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.check import limits
from harness.check.file_kinds import steers_git
from harness.contributions.record import NAME_PATTERN
from harness.errors import Finding
from toolkit.core.git import SUBMODULE, SYMLINK, Blob, Change
from toolkit.core.text import neutral

FOLDER = "CONTRIBUTIONS"

# Both are written by the hub itself on main; edited by hand they only make conflicts.
GENERATED = ("registry.toml", "LEADERBOARD.md")
RESULTS = "leaderboard/results/"

Kind = Literal["contribution", "hub", "mixed", "nothing"]


@dataclass(frozen=True)
class Judgement:
    """What a pull request is, which contributions it changes, and what is wrong with it."""

    kind: Kind
    names: tuple[str, ...]  # valid names of changed folders that still exist, sorted
    removed: tuple[str, ...]  # folders that the pull request takes away altogether
    findings: tuple[Finding, ...]

    @property
    def fine(self) -> bool:
        """Whether there is no error."""
        return all(finding.severity == "hint" for finding in self.findings)


def judge(
    changes: Sequence[Change], present: Sequence[str], *, maintainer: bool = False
) -> Judgement:
    """Judge which paths a pull request touches.

    Args:
        changes: What it changes.
        present: The folders in CONTRIBUTIONS/ after it.
        maintainer: Whether a maintainer opened it, who may touch several folders at once.
    """
    inside = [change for change in changes if change.path.startswith(f"{FOLDER}/")]
    outside = [change for change in changes if not change.path.startswith(f"{FOLDER}/")]
    touched = sorted({name for change in inside if (name := _folder_of(change.path))})
    valid = [name for name in touched if is_name(name)]
    findings = [
        *(_stray(change) for change in inside if not _folder_of(change.path)),
        *(_bad_name(name) for name in touched if not is_name(name)),
        *(found for change in changes for found in _special(change)),
    ]
    if not maintainer:
        findings += _too_wide(touched, outside)
    kind: Kind = "nothing"
    if inside:
        kind = "mixed" if outside else "contribution"
    elif outside:
        kind = "hub"
    return Judgement(
        kind=kind,
        names=tuple(name for name in valid if name in present),
        removed=tuple(name for name in valid if name not in present),
        findings=tuple(findings),
    )


def check_sizes(blobs: Sequence[Blob]) -> list[Finding]:
    """Judge a folder by git's listing alone, before anything of it is written to disk."""
    findings = []
    total = sum(blob.size for blob in blobs)
    folder = "/".join(blobs[0].path.split("/")[:2]) if blobs else FOLDER
    if len(blobs) > limits.MAX_FILES:
        findings.append(
            _error("CI006", folder, f"It has {len(blobs)} files; {limits.MAX_FILES} are allowed.")
        )
    if total > limits.MAX_FOLDER_BYTES:
        allowed = limits.MAX_FOLDER_BYTES / limits.MIB
        findings.append(
            _error("CI006", folder, f"It is {total / limits.MIB:.1f} MiB; {allowed:g} are allowed.")
        )
    return findings


def is_name(name: str) -> bool:
    """Tell whether a folder's name is safe to pass on: letters, digits and _ only."""
    return NAME_PATTERN.fullmatch(name) is not None


def _folder_of(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


def _too_wide(touched: Sequence[str], outside: Sequence[Change]) -> list[Finding]:
    findings = []
    if len(touched) > 1:
        listed = ", ".join(neutral(name) for name in touched[:5])
        findings.append(
            _error(
                "CI001",
                FOLDER,
                f"It changes {len(touched)} contributions: {listed}.",
                "Open one pull request for each.",
            )
        )
    generated = [c.path for c in outside if c.path in GENERATED or c.path.startswith(RESULTS)]
    others = [c.path for c in outside if c.path not in generated]
    for path in generated:
        findings.append(
            _error(
                "CI003",
                path,
                "This file is written by the hub on main.",
                f"Take it back: git checkout main -- {neutral(path)}",
            )
        )
    if touched and others:
        listed = ", ".join(neutral(path) for path in others[:5])
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        findings.append(
            _error(
                "CI002",
                others[0],
                f"It changes a contribution and the hub at once: {listed}{more}.",
                "Open one pull request for your folder and another for the rest.",
            )
        )
    return findings


def _stray(change: Change) -> Finding:
    return _error(
        "CI004",
        change.path,
        "This file lies beside the contributions, not in one.",
        "Move it into your folder, CONTRIBUTIONS/<YourName>/.",
    )


def _bad_name(name: str) -> Finding:
    return _error(
        "CI004",
        f"{FOLDER}/{name}",
        f"{neutral(name)!r} cannot be the name of a contribution.",
        "Use 2 to 39 letters, digits and _, starting with a letter.",
    )


def _special(change: Change) -> list[Finding]:
    if change.mode == SYMLINK:
        return [_error("CI005", change.path, "This is a symbolic link.", "Add the file itself.")]
    if change.mode == SUBMODULE:
        return [_error("CI005", change.path, "This is a git submodule.", "Add the files.")]
    parts = change.path.split("/")
    if not change.deleted and ("__pycache__" in parts or change.path.endswith(".pyc")):
        # Python makes these anew on every machine, so neither a check nor the content hash looks at
        # them. In a commit they would be code and data that nobody has seen.
        what = "This is Python's own cache, which no check looks at."
        return [_error("CI007", change.path, what, f"git rm --cached {neutral(change.path)}")]
    if not change.deleted and parts[0] == FOLDER and any(map(steers_git, parts)):
        # git obeys them in any folder: code could be shown as binary in a review, or be changed at
        # the checkout of whoever runs it.
        what = "git, or the site that hosts it, takes orders from this file."
        return [_error("CI008", change.path, what, f"git rm --cached {neutral(change.path)}")]
    return []


def _error(rule: str, path: str, message: str, fix: str = "Remove what is not needed.") -> Finding:
    # A path that is not UTF-8 comes as lone surrogates, which no output can hold.
    return Finding(rule=rule, severity="error", message=message, path=neutral(path), fix=fix)
