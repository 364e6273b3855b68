"""Whose code is it? Asked only where no layer holds and the code would run with the user's rights.

Three answers:

reviewed   the folder is, byte for byte, what the hub's default branch holds: maintainers merged it
own        everything in it that the default branch lacks was made on this machine: uncommitted
           work, or commits that git's log of local actions (reflog) knows as made here
stranger   anything else, such as a checked-out pull request

Author names and addresses are not looked at: they can be forged. Without git
(a downloaded archive) nothing can have come by a pull request, so all of it is the hub's or own.
"""

from __future__ import annotations

from typing import Literal

from harness import paths
from harness.contributions.record import Contribution
from harness.contributions.registry import is_reference
from harness.sandbox.layers import LayerName
from toolkit.core.errors import HubError, UsageError
from toolkit.core.git import Repository

Origin = Literal["reviewed", "own", "stranger"]

DEFAULT_BRANCHES = (
    "refs/remotes/upstream/HEAD",
    "refs/remotes/upstream/main",
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/heads/main",
)


def require_trust(contribution: Contribution, layer: LayerName, *, trusted: bool) -> str | None:
    """Return what to tell the user before the code runs, or None where a layer holds.

    Raises:
        UsageError: Nothing holds a stranger's code here, and ``--trust`` was not given.
    """
    if layer != "process":
        return None
    rights = (
        f"{contribution.file.name}'s code runs with your own rights: no isolation layer works here"
    )
    origin = origin_of(contribution)
    if origin == "reviewed":
        return f"{rights}. It is what the hub's default branch holds."
    if origin == "own":
        return f"{rights}. It is your own work, by git's account."
    if trusted:
        return f"{rights}. You trust it (--trust)."
    raise UsageError(
        f"{rights}, and it is neither merged into the hub nor your own work.",
        where=contribution.path,
        fix="Read its code, then add --trust; or use a machine with a layer (docs/isolation.md).",
    )


def origin_of(contribution: Contribution) -> Origin:
    """Tell whose code a contribution's folder holds."""
    if is_reference(contribution) or _git("rev-parse", "HEAD") is None:
        return "reviewed" if is_reference(contribution) else "own"
    default = next((b for b in DEFAULT_BRANCHES if _git("rev-parse", "--verify", "-q", b)), None)
    path = contribution.path
    if default is not None and _same(default, path):
        return "reviewed"
    span = ["HEAD"] if default is None else [f"{default}..HEAD"]
    commits = _git("log", "--format=%H", *span, "--", path)
    actions = _git("log", "--walk-reflogs", "--format=%H %gs", "HEAD")
    if commits is None or actions is None:
        return "stranger"
    local = {line.split(" ", 1)[0] for line in actions.splitlines() if _made_here(line)}
    return "own" if set(commits.split()) <= local else "stranger"


def _made_here(line: str) -> bool:
    """Tell whether a reflog line says that a commit was written here, not fetched or replayed."""
    return line.partition(" ")[2].startswith("commit")


def _same(branch: str, path: str) -> bool:
    """Tell whether the folder, with what git does not know yet, is that of a branch."""
    known = _git("ls-tree", branch, "--", path)
    changed = _git("diff", "--name-only", branch, "--", path)
    new = _git("ls-files", "--others", "--", path)
    return bool(known) and changed == "" and not _without_bytecode(new)


def _without_bytecode(files: str | None) -> list[str]:
    return [name for name in (files or "").splitlines() if not name.endswith(".pyc")]


def _git(*arguments: str) -> str | None:
    """Ask git about the repository; return its answer, or None when it says no, or is missing."""
    try:
        return Repository(paths.ROOT).run(*arguments).decode("utf-8", "replace")
    except HubError:
        return None
