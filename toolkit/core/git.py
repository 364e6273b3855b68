"""Ask git about a repository whose content is not trusted yet."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolkit.core.errors import EnvironmentFault, UsageError

REGULAR = ("100644", "100755")
SYMLINK, SUBMODULE = "120000", "160000"
GONE = "000000"


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits."""

    path: str  # with forward slashes; bytes that are not UTF-8 come as lone surrogates
    mode: str  # git's file mode in the newer commit; GONE when it was deleted
    blob: str  # object id in the newer commit

    @property
    def deleted(self) -> bool:
        """Whether the newer commit has no such path."""
        return self.mode == GONE


@dataclass(frozen=True)
class Blob:
    """One path in a commit's tree."""

    path: str
    mode: str
    blob: str
    size: int  # bytes; 0 for a submodule


class Repository:
    """A git repository; every question is a plain list of arguments, never a shell line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, input_bytes: bytes | None = None) -> bytes:
        """Run git and return what it prints.

        Raises:
            UsageError: git refuses; its own words are in the message.
            EnvironmentFault: git is not installed.
        """
        try:
            done = subprocess.run(  # noqa: S603 - a list, no shell
                ["git", *arguments],  # noqa: S607 - whichever git the user has
                cwd=self.folder,
                input=input_bytes,
                capture_output=True,
                check=False,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            )
        except FileNotFoundError as error:
            raise EnvironmentFault(
                "git cannot be started here.",
                where=str(self.folder),
                fix="Install git, and name an existing folder.",
            ) from error
        if done.returncode != 0:
            answer = done.stderr.decode("utf-8", "replace").strip() or f"code {done.returncode}"
            raise UsageError(f"git {arguments[0]} failed: {answer}", where=str(self.folder))
        return done.stdout

    def commit(self, name: str) -> str:
        """Return the full id of a commit or branch.

        Raises:
            UsageError: There is none of that name.
        """
        try:
            wanted = f"{name}^{{commit}}"
            found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
        except UsageError as error:
            raise UsageError(
                f"git knows no commit or branch {name!r}.",
                where=str(self.folder),
                fix="Look at `git branch --all`, or fetch it first.",
            ) from error
        return found.decode().strip()

    def merge_base(self, base: str, head: str) -> str:
        """Return the commit from which ``head`` parted; what base did since is not its change.

        Raises:
            UsageError: The two have no common history.
        """
        return self.run("merge-base", base, head).decode().strip()

    def changes(self, base: str, head: str) -> list[Change]:
        """List what ``head`` changed since it parted from ``base``; both are full commit ids."""
        start = self.merge_base(base, head)
        options = ("-r", "-z", "--raw", "--no-renames", "--full-index")
        raw = self.run("diff-tree", *options, start, head)
        parts = raw.split(b"\0")
        # ":old-mode new-mode old-id new-id status" NUL path NUL
        return [
            Change(os.fsdecode(path), *_mode_and_id(head_of_entry))
            for head_of_entry, path in zip(parts[::2], parts[1::2], strict=False)
            if head_of_entry
        ]

    def files(self, commit: str, folder: str) -> list[Blob]:
        """List every path below ``folder`` in a commit."""
        raw = self.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", f"{folder}/")
        found = []
        for entry in raw.split(b"\0"):
            if entry:
                head, path = entry.split(b"\t", 1)
                mode, _, blob, size = head.decode().split()
                count = 0 if size == "-" else int(size)
                found.append(Blob(os.fsdecode(path), mode, blob, count))
        return found

    def folder_names(self, commit: str, folder: str) -> list[str]:
        """List the folders directly inside ``folder`` in a commit."""
        raw = self.run("ls-tree", "-d", "-z", "--name-only", "--full-tree", commit, f"{folder}/")
        return [os.fsdecode(path).rpartition("/")[2] for path in raw.split(b"\0") if path]

    def read(self, blob: str) -> bytes:
        """Return the bytes of a blob, untouched by filters and line-end rules."""
        return self.run("cat-file", "blob", blob)


def _mode_and_id(entry: bytes) -> tuple[str, str]:
    _, mode, _, blob, _ = entry.decode("ascii").split(" ")
    return mode, blob
