"""Commit what the board job wrote and push it to main."""

from __future__ import annotations

import base64
import os
import re
import subprocess

from harness import paths
from harness.ci.git import Repository
from harness.errors import EnvironmentFault

# Only these may be written by the job; everything else in the work tree is left alone.
GENERATED = ("leaderboard/results", "registry.toml", "LEADERBOARD.md", "README.md")
READMES = "CONTRIBUTIONS/*/README.md"  # each holds its own results
AUTHOR = ("-c", "user.name=the hub", "-c", "user.email=hub@users.noreply.github.com")


def push(token: str, repository: str) -> bool:
    """Commit and push; return False when there is nothing new.

    The token goes to git through its environment: in an argument every process could read it.

    Args:
        token: May write the repository's contents.
        repository: ``owner/name``.

    Raises:
        EnvironmentFault: Either is missing or malformed, or the push was refused.
    """
    if not token or not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise EnvironmentFault(
            "TOKEN and REPOSITORY have to be set.", fix="This job is for the board's workflow."
        )
    here = Repository(paths.ROOT)
    readmes = sorted(path.relative_to(paths.ROOT).as_posix() for path in paths.ROOT.glob(READMES))
    there = [name for name in GENERATED if (paths.ROOT / name).exists()]
    here.run("add", "--", *there, *readmes)
    if not here.run("diff", "--cached", "--name-only"):
        return False
    here.run(*AUTHOR, "commit", "--quiet", "-m", "Record new rows on the leaderboard")
    secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    environment = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
    }
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    address = f"{server}/{repository}.git"
    done = subprocess.run(  # noqa: S603 - a list, no shell
        ["git", "push", "--quiet", address, "HEAD:main"],  # noqa: S607
        cwd=paths.ROOT,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise EnvironmentFault("The push was refused; git's words are above.", where=address)
    return True
