"""Write what the board says, commit it with the rows, and push both to main.

Main may move while the board's job runs. A push that is refused for that is tried again: the rows
are put on the new main, and what is written from them is written anew, by the code that is there
now. A row whose code has changed there meanwhile counts as stale until the next board.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys

from harness import paths
from toolkit.core.errors import EnvironmentFault
from toolkit.core.git import Repository

# What the job records, and what it writes from that. Nothing else in the work tree is touched.
ROWS = "leaderboard/results"
WRITTEN = (
    "registry.toml",
    "LEADERBOARD.md",
    "README.md",
    "docs/findings.md",
    "docs/learning_rates.md",
)
PATTERNS = ("CONTRIBUTIONS/*/README.md", "docs/images/findings_*.svg")
AUTHOR = ("-c", "user.name=the hub", "-c", "user.email=hub@users.noreply.github.com")
MOST_TRIES = 5
NAME = re.compile(r"[\w.-]+/[\w.-]+")

# In a process of its own: after a fetch the modules on disk may be newer than those in here.
REWRITE = """
from harness.contributions import registry
from harness.board import blocks
from harness.board.collect import collect
registry.write_registry()
blocks.write(collect())
"""


def push(token: str, repository: str) -> bool:
    """Write, commit and push; return False when there is nothing new.

    The token goes to git through its environment: in an argument every process could read it.

    Args:
        token: May write the repository's contents.
        repository: ``owner/name``.

    Raises:
        EnvironmentFault: Either is missing or malformed, the board cannot be written, or the push
            was refused for another reason than that main had moved.
    """
    if not token or not NAME.fullmatch(repository):
        raise EnvironmentFault(
            "TOKEN and REPOSITORY have to be set.", fix="This job is for the board's workflow."
        )
    here = Repository(paths.ROOT)
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    address = f"{server}/{repository}.git"
    for _ in range(MOST_TRIES):
        rewrite()
        if not commit(here):
            return False
        if remote(token, "push", "--quiet", address, "HEAD:main"):
            return True
        if not put_on_top_of_main(here, token, address):
            break
    raise EnvironmentFault("The push was refused; git's words are above.", where=address)


def rewrite() -> None:
    """Write the registry and everything that is generated from the rows.

    Raises:
        EnvironmentFault: That failed; its words are above.
    """
    done = subprocess.run([sys.executable, "-c", REWRITE], cwd=paths.ROOT, check=False)  # noqa: S603
    if done.returncode != 0:
        raise EnvironmentFault("The board cannot be written; the reason is above.")


def commit(here: Repository) -> bool:
    """Commit rows and generated files; return False when none has changed."""
    there = [name for name in (ROWS, *WRITTEN) if (paths.ROOT / name).exists()]
    found = sorted(path for pattern in PATTERNS for path in paths.ROOT.glob(pattern))
    there += [path.relative_to(paths.ROOT).as_posix() for path in found]
    here.run("add", "--all", "--", *there)  # also that a sheet is gone
    if not here.run("diff", "--cached", "--name-only"):
        return False
    here.run(*AUTHOR, "commit", "--quiet", "-m", "Record new rows on the board")
    return True


def put_on_top_of_main(here: Repository, token: str, address: str) -> bool:
    """Fetch main and put the rows of our commit on it; return False when main had not moved."""
    own = here.commit("HEAD")
    if not remote(token, "fetch", "--quiet", address, "main"):
        return False
    theirs = here.commit("FETCH_HEAD")
    if here.merge_base(own, theirs) == theirs:
        return False
    rows = [one for one in here.changes(theirs, own) if one.path.startswith(f"{ROWS}/")]
    here.run("reset", "--quiet", "--hard", theirs)
    for one in rows:
        target = paths.ROOT / one.path
        if one.deleted:
            target.unlink(missing_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(here.read(one.blob))
    return True


def remote(token: str, *arguments: str) -> bool:
    """Run git with the right to speak with the server; return whether it worked."""
    secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    environment = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
    }
    done = subprocess.run(  # noqa: S603 - a list, no shell
        ["git", *arguments],  # noqa: S607 - whichever git the runner has
        cwd=paths.ROOT,
        env=environment,
        check=False,
    )
    return done.returncode == 0
