"""A real git repository with the hub's contributions, and branches as strangers make them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import paths
from toolkit.core.git import Repository

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Hub(Repository):
    """A small repository to branch from; ``main`` has Example1 and a harness."""

    def git(self, *arguments: str, given: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            input=given,
            capture_output=True,
            check=True,
            env={**os.environ, **IDENTITY},
        )
        return done.stdout.decode().strip()

    def branch(self, name: str, files: dict[str, str | None]) -> str:
        """Commit files on a new branch off main, None deletes, and return to main."""
        self.git("switch", "--quiet", "--create", name, "main")
        for path, text in files.items():
            target = self.folder / path
            if text is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", name)
        self.git("switch", "--quiet", "main")
        return name

    def branch_of_entries(self, name: str, entries: list[tuple[str, bytes, bytes]]) -> str:
        """Commit paths that no file system has to accept: (mode, path, content)."""
        self.git("switch", "--quiet", "--create", name, "main")
        lines = b""
        for mode, path, content in entries:
            blob = self.git("hash-object", "-w", "--stdin", given=content)
            if mode == "160000":
                blob = self.git("rev-parse", "main")
            lines += f"{mode} {blob}\t".encode() + path + b"\0"
        self.git("update-index", "-z", "--index-info", given=lines)
        self.git("commit", "--quiet", "-m", name)
        self.git("symbolic-ref", "HEAD", "refs/heads/main")
        self.git("read-tree", "main")
        return name

    def copy_of_example(self, name: str) -> dict[str, str | None]:
        """Example1's text files under another name."""
        example = paths.CONTRIBUTIONS / "Example1"
        texts = {
            f"CONTRIBUTIONS/{name}/{path.relative_to(example).as_posix()}": path.read_text("utf-8")
            for path in example.rglob("*")
            if path.suffix in {".py", ".toml", ".md"}
        }
        key = f"CONTRIBUTIONS/{name}/contribution.toml"
        return {**texts, key: texts[key].replace("Example1", name)}


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    folder = tmp_path / "hub"
    shutil.copytree(
        paths.CONTRIBUTIONS / "Example1",
        folder / "CONTRIBUTIONS" / "Example1",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (folder / "harness").mkdir()
    (folder / "harness" / "cli.py").write_text("# the harness\n", encoding="utf-8")
    (folder / "registry.toml").write_text("# generated\n", encoding="utf-8")
    repository = Hub(folder)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "-m", "start")
    return repository
