"""The results in each contribution's README: written between marks, held by --check."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import paths
from harness.board import readmes
from harness.commands.cli import main
from harness.contributions import registry
from tests.harness.board.synthetic_hub import make_row, record


def readme(root, name):
    return root / "CONTRIBUTIONS" / name / "README.md"


def build(root):
    return main(["leaderboard", "--out", str(root / "site")])


def test_the_table_is_written_where_the_marks_are_and_check_holds_it(small, capsys):
    before = registry.load("One").content_hash
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.36))
    assert build(small) == 0
    text = readme(small, "One").read_text(encoding="utf-8")
    table = text[text.index(readmes.BEGIN) : text.index(readmes.END)]
    assert "| robot | better | 36." in table
    assert " to +" in table
    assert "| 5 | 2026-11-" in table
    assert "Protocol: robot `" in table
    assert text.index("## Results") < text.index(readmes.BEGIN)
    assert "Not measured yet." in readme(small, "Two").read_text(encoding="utf-8")
    assert registry.load("One").content_hash == before
    assert main(["leaderboard", "--check"]) == 0
    readme(small, "One").write_text(text.replace("| better |", "| best |"), encoding="utf-8")
    capsys.readouterr()
    assert main(["leaderboard", "--check"]) == 1
    assert "CONTRIBUTIONS/One/README.md" in capsys.readouterr().err


def test_what_is_not_between_the_marks_stays_as_it_was(small):
    record(make_row("robot", "One", 0.36))
    file = readme(small, "One")
    marks = "<!-- results: begin, as of old -->\r\nx\r\n<!-- results: end -->"
    old = f"# Mine\r\n\r\nWords \xff.\r\n{marks}\r\nEnd."
    file.write_bytes(old.encode("latin-1"))
    assert build(small) == 0
    new = file.read_bytes()
    assert b"Words \xff." in new
    assert new.endswith(b"End.")
    assert b"| robot |" in new
    assert b"as of old" not in new


def test_a_readme_without_marks_is_left_alone(small):
    record(make_row("robot", "One", 0.36))
    file = readme(small, "One")
    file.write_text("# Mine\n\nMy own words.\n", encoding="utf-8")
    assert build(small) == 0
    assert file.read_text(encoding="utf-8") == "# Mine\n\nMy own words.\n"


@pytest.mark.parametrize(
    "marks",
    [readmes.BEGIN, readmes.END, f"{readmes.END}\n{readmes.BEGIN}", readmes.block("x") * 2],
)
def test_torn_or_doubled_marks_are_told_and_stop_nobody_elses_board(small, capsys, marks):
    record(make_row("robot", "One", 0.36))
    file = readme(small, "One")
    file.write_text(f"# Mine\n\n{marks}\n", encoding="utf-8")
    assert build(small) == 0
    assert file.read_text(encoding="utf-8") == f"# Mine\n\n{marks}\n"
    assert "CONTRIBUTIONS/One/README.md: the marks" in capsys.readouterr().err


def test_failed_and_stale_rows_are_said_and_the_page_does_not_repeat_the_table(small):
    error = {"kind": "HookError", "what": "| <b>evil</b>", "fix": "Mend it."}
    failed = {"status": "failed", "verdict": None, "scores": (), "error": error}
    record(make_row("robot", "One", 0.36, **failed))
    record(make_row("robot", "Two", 0.36, content_hash="sha256:older"))
    assert build(small) == 0
    one, two = (readme(small, name).read_text(encoding="utf-8") for name in ("One", "Two"))
    assert "| robot | failed |" in one
    assert "evil" not in one
    assert "stale: its code has changed since" in two
    page = (small / "site" / "contributions" / "Two.html").read_text(encoding="utf-8")
    assert "results: begin" not in page
    assert page.count("<td>2026-11") == 0


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        ("\n## Pictures\n\nMine.\n", ["# One", "## Pictures", "Mine."]),
        ("", ["# One"]),
        ("\nMore of them.\n", ["# One", "## Results", "More of them."]),
    ],
)
def test_a_page_shows_no_heading_with_nothing_below(after, shown):
    text = "# One\n\n## Results\n\n" + readmes.block("a table") + after
    assert [line for line in readmes.without_block(text).splitlines() if line] == shown


@settings(max_examples=60)
@given(st.text(), st.text())
def test_writing_twice_is_writing_once(before, after):
    text = before + readmes.block("old") + after
    if readmes.is_marked(text):
        once = readmes._with(text, readmes.block("new"))
        assert once == before + readmes.block("new") + after
        left = readmes.without_block(once)
        assert left.endswith(after)
        assert before.startswith(left[: -len(after) or None].rstrip("\n"))


@pytest.mark.parametrize("torn", ["<!-- results: begin ", "<!-- results: begin -->"])
def test_torn_marks_without_number_cost_no_time(torn):
    readme = torn * (1_000_000 // len(torn))  # as large as the check allows
    began = time.process_time()
    assert not readmes.is_marked(readme)
    assert readmes.without_block(readme) == readme
    assert time.process_time() - began < 2


def test_every_contribution_of_the_hub_has_the_marks():
    for name in registry.contribution_names():
        text = (paths.CONTRIBUTIONS / name / "README.md").read_text(encoding="utf-8")
        assert readmes.is_marked(text), name


def test_the_boards_job_commits_the_readmes(small, monkeypatch, tmp_path):
    from harness.commands.ci import push as module

    server = tmp_path / "server" / "o" / "r.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(server)], check=True)
    subprocess.run(["git", "init", "--quiet", str(small)], check=True)
    record(make_row("robot", "One", 0.36))
    build(small)
    monkeypatch.setenv("GITHUB_SERVER_URL", (tmp_path / "server").as_uri())
    # `build` has written them; the board's own process is tests/harness/commands/ci/test_push.py's.
    monkeypatch.setattr(module, "rewrite", lambda: None)
    assert module.push("token", "o/r")
    command = ["git", "ls-tree", "-r", "--name-only", "main"]
    files = subprocess.run(command, cwd=server, capture_output=True, text=True, check=True).stdout
    assert "CONTRIBUTIONS/One/README.md" in files.split()
    assert "CONTRIBUTIONS/One/contribution.toml" not in files.split()
