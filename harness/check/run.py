"""Run all rules over folders, and mend what can be mended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness import paths
from harness.check.folder import Folder
from harness.check.problem import Problem, Rule
from harness.check.rules import RULES
from harness.errors import Finding


def check_folder(folder: Path, *, root: Path = paths.ROOT) -> list[Finding]:
    """Apply every rule to one contribution; return all findings, sorted by path, line and rule.

    Args:
        folder: The contribution's folder, usually ``CONTRIBUTIONS/<Name>``.
        root: The repository, to which the findings' paths are relative.
    """
    # Not resolve(): a contribution that is itself a symlink must not be followed out of the hub.
    view = Folder(folder.absolute(), root.absolute())
    found = [_finding(rule, problem, view) for rule in RULES for problem in rule.check(view)]
    unique = {finding.model_dump_json(): finding for finding in found}
    return sorted(unique.values(), key=lambda f: (f.path, f.line or 0, f.rule, f.message))


def check_many(folders: Iterable[Path], *, root: Path = paths.ROOT) -> list[Finding]:
    """Apply every rule to several contributions.

    That names are unique ignoring case is seen from each folder (it looks at its neighbours), so
    a single folder and all of them together are judged alike.
    """
    return [finding for folder in folders for finding in check_folder(folder, root=root)]


def fix_folder(folder: Path, *, root: Path = paths.ROOT) -> list[Finding]:
    """Mend what `--fix` can mend, and return what was mended.

    Files are replaced whole or not at all, and only those that a finding names.
    """
    view = Folder(folder.absolute(), root.absolute())
    if view.path.is_symlink():
        return []  # What is behind it may be anything.
    mended = []
    for rule in RULES:
        if rule.mend:
            for problem in (one for one in rule.check(view) if one.mendable):
                rule.mend(view.path / problem.path)
                mended.append(_finding(rule, problem, view))
    return mended


def _finding(rule: Rule, problem: Problem, folder: Folder) -> Finding:
    base = _shown(folder.path, folder.root)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=_encodable(problem.message),
        path=_encodable(f"{base}/{problem.path}" if problem.path else base),
        line=problem.line,
        fix=_encodable(problem.fix),
        fixable=rule.mend is not None and problem.mendable,
    )


def _shown(folder: Path, root: Path) -> str:
    folder, root = folder.absolute(), root.absolute()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.name


def _encodable(text: str) -> str:
    # A file name that is not UTF-8 comes as lone surrogates, which no output can hold.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
