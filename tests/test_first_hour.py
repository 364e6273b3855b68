"""CONTRIBUTING.md is true: every command in it is typed, in a real clone with a real remote."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from harness import paths
from harness.commands.cli import build_parser

GUIDE = (paths.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEPS = GUIDE[: GUIDE.index("## What we merge")]
COMMANDS = [
    line.strip()
    for block in re.findall(r"^ *```\n(.*?)^ *```", STEPS, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
IN_TEXT = re.findall(r"`(nox [^`]+)`", GUIDE)
NOXFILE = (paths.ROOT / "noxfile.py").read_text("utf-8")
SESSIONS = {
    *re.findall(r"^def (\w+)\(session", NOXFILE, re.MULTILINE),
    *re.findall(r"^([\w-]+) +[A-Z].*\.$", NOXFILE, re.MULTILINE),  # its table of commands
    *re.findall(r'^    "([\w-]+)": \(', NOXFILE, re.MULTILINE),  # and of programs
}
# Trains for minutes; tests/harness/test_main_job.py does it. Here only its words are parsed.
TRAINS = ("nox -s contribution",)


def harness_words(command: str) -> list[str]:
    """What nox hands to ``python -m harness``."""
    words = shlex.split(command)
    assert words[:2] == ["nox", "-s"]
    assert words[2] in SESSIONS
    assert len(words) == 3 or words[3] == "--"
    return [words[2], *words[4:]]


@pytest.fixture
def machine(tmp_path):
    """A server with the hub on main, and the environment of somebody who has just installed git."""
    if not (paths.ROOT / ".git").exists():
        pytest.skip("this copy of the hub is not a git repository, so it cannot be cloned")
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    server = tmp_path / "server" / "YOUR-NAME" / "sd-lora-finetuning"

    def git(*arguments, cwd=tmp_path):
        subprocess.run(["git", *arguments], cwd=cwd, env=environment, check=True)

    address = (tmp_path / "server").as_uri() + "/"
    git("config", "--file", str(tmp_path / "gitconfig"), "user.name", "Somebody New")
    git("config", "--file", str(tmp_path / "gitconfig"), "user.email", "new@example.org")
    git("config", "--file", str(tmp_path / "gitconfig"), f"url.{address}.insteadOf",
        "https://github.com/")  # fmt: skip
    git("clone", "--quiet", "--bare", "--shared", str(paths.ROOT), str(server))
    git("update-ref", "refs/heads/main", "HEAD", cwd=server)
    git("symbolic-ref", "HEAD", "refs/heads/main", cwd=server)
    return environment


def describe(readme):
    """Put sentences of one's own in the place of those that ask."""
    text = readme.read_text(encoding="utf-8")
    for asking, told in (("What it changes", "Rank 2."), ("Why", "A smaller file.")):
        before, heading, rest = text.partition(f"## {asking}\n")
        assert heading, asking
        text = f"{before}{heading}\n{told}\n\n## {rest.partition('## ')[2]}"
    readme.write_text(text, encoding="utf-8")


def test_every_step_of_the_guide_works_as_written(machine, tmp_path):
    folder = tmp_path
    said = {}
    for command in COMMANDS:
        if command.startswith("python -m pip") or command.startswith(TRAINS):
            continue
        if command.startswith("cd "):
            folder = folder / command.removeprefix("cd ")
            continue
        if command == "nox -s check -- MyIdea":  # step 5: say what was changed and why
            describe(folder / "CONTRIBUTIONS" / "MyIdea" / "README.md")
        words = shlex.split(command)
        if words[0] == "nox":
            words = [sys.executable, "-m", "harness", *harness_words(command)]
        done = subprocess.run(
            words, cwd=folder, env=machine, capture_output=True, text=True, check=False
        )
        said[command] = done.stdout + done.stderr
        assert done.returncode == 0, (command, said[command])
    # What the guide promises to be seen is seen.
    assert "Switched to a new branch 'my-idea'" in said["git switch -c my-idea"]
    assert "CONTRIBUTIONS/MyIdea is there. Next:" in said["nox -s new -- MyIdea"]
    assert "MyIdea: all checks passed" in said["nox -s check -- MyIdea"]
    assert "changes MyIdea" in said["nox -s ci -- check HEAD"]
    server = tmp_path / "server" / "YOUR-NAME" / "sd-lora-finetuning"
    pushed = subprocess.run(
        ["git", "diff", "--name-only", "main", "my-idea"],
        cwd=server,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert pushed
    assert all(path.startswith("CONTRIBUTIONS/MyIdea/") for path in pushed)


def test_the_guide_has_the_steps_in_their_order():
    order = ["git clone", "nox -s new", "nox -s contribution", "nox -s check", "git push"]
    places = [next(i for i, c in enumerate(COMMANDS) if c.startswith(o)) for o in order]
    assert places == sorted(places)


@pytest.mark.parametrize("command", [c for c in (*COMMANDS, *IN_TEXT) if c.startswith("nox")])
def test_every_nox_command_is_one_that_the_hub_understands(command):
    words = harness_words(command)
    if words[0] in {"tests", "lint", "doctor"}:
        return  # sessions of their own, without words
    build_parser(words[0]).parse_args(words)


def test_the_readme_and_the_pages_of_docs_name_only_sessions_that_exist():
    for page in (paths.ROOT / "README.md", paths.ROOT / "AGENTS.md", *paths.ROOT.glob("docs/*.md")):
        for session in re.findall(r"nox -s ([a-z0-9_-]+)", page.read_text(encoding="utf-8")):
            known = {*SESSIONS, "list"}
            assert session in known, f"{page.name}: nox -s {session}"
