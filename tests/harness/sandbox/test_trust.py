"""Whose code runs where nothing holds it: real git repositories."""

import shutil
import subprocess

import pytest

from harness import paths
from harness.contributions.record import Contribution, ContributionFile
from harness.contributions.registry import load_reference
from harness.sandbox.trust import origin_of, require_trust
from toolkit.core.errors import UsageError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder, *words):
    name = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)


def write(root, text, name="Foo"):
    path = root / "CONTRIBUTIONS" / name / "src" / "main.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(root, message="more"):
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub, and somebody's clone of it in which the test works."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    write(origin, "merged = 1", "Merged")
    commit(origin, "the hub")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "clone")
    return tmp_path / "clone"


def contribution(name="Foo"):
    file = ContributionFile(name=name, authors=("a",), summary="a test contribution")
    path = f"CONTRIBUTIONS/{name}"
    return Contribution(file=file, path=path, module="m", content_hash="sha256:0")


def test_what_was_merged_is_reviewed(hub):
    assert origin_of(contribution("Merged")) == "reviewed"


def test_uncommitted_work_and_changes_are_the_users_own(hub):
    write(hub, "mine = 1")
    write(hub, "merged = 2", "Merged")
    assert origin_of(contribution("Foo")) == "own"
    assert origin_of(contribution("Merged")) == "own"


def test_work_committed_here_is_the_users_own(hub):
    git(hub, "checkout", "-q", "-b", "idea")
    write(hub, "mine = 1")
    commit(hub)
    write(hub, "mine = 2")
    commit(hub)
    assert origin_of(contribution("Foo")) == "own"


def test_a_checked_out_pull_request_is_a_strangers_even_when_changed_here(hub, tmp_path):
    git(tmp_path, "clone", "-q", str(tmp_path / "origin"), "stranger")
    write(tmp_path / "stranger", "hostile = 1")
    commit(tmp_path / "stranger")  # with the user's own name and address
    git(hub, "fetch", "-q", str(tmp_path / "stranger"), "main")
    git(hub, "checkout", "-q", "FETCH_HEAD")
    assert origin_of(contribution("Foo")) == "stranger"
    write(hub, "hostile = 2")
    commit(hub)
    assert origin_of(contribution("Foo")) == "stranger"
    assert origin_of(contribution("Merged")) == "reviewed"


def test_without_git_nothing_came_by_a_pull_request(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(tmp_path, "mine = 1")
    assert origin_of(contribution("Foo")) == "own"


def test_a_stranger_needs_trust_only_where_no_layer_holds(hub, tmp_path):
    test_a_checked_out_pull_request_is_a_strangers_even_when_changed_here(hub, tmp_path)
    assert require_trust(contribution(), "landlock", trusted=False) is None
    with pytest.raises(UsageError, match="with your own rights") as error:
        require_trust(contribution(), "process", trusted=False)
    assert "--trust" in error.value.fix
    assert "You trust it" in (require_trust(contribution(), "process", trusted=True) or "")


def test_the_reference_is_part_of_the_hub():
    assert "default branch" in (require_trust(load_reference(), "process", trusted=False) or "")
