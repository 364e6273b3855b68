"""Every row of docs/situations.md happens as it stands there."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import pytest

from harness import paths
from tests.situations.page import PAGE, page
from tests.situations.situation import Situation, write
from tests.situations.tables import SITUATIONS

# What is said wherever something went wrong that nobody had thought of.
UNFORESEEN = ("Traceback", "Error:", "<class", "0x7f")


def call(words: list[str]) -> int:
    """Run a command in this process."""
    from harness.commands.cli import main as hub
    from toolkit.drawings.cli import main as draw
    from toolkit.lora_files.cli import main as lora
    from toolkit.picture_sets.cli import main as dataset
    from toolkit.scrapers.cli import main as scrape
    from toolkit.training_runs.command_line import main as reference

    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing was to be computed here")

    session, *rest = words
    try:
        if session == "dataset":
            return dataset(rest)
        if session == "lora":
            return lora(rest)
        if session == "scrape":
            return scrape("red panda", Path("Dataset"), rest)
        if session == "draw":
            return draw(never, 1, rest)
        if session == "reference":
            return reference(never, rest)
        return hub(words)
    except SystemExit as stop:
        return int(stop.code or 0)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("case", SITUATIONS, ids=[f"{s.part}: {s.title}" for s in SITUATIONS])
def test_it_happens_as_it_says(case: Situation, tmp_path, monkeypatch, capsys):
    write(case.files, tmp_path)
    before = digests(tmp_path)
    (tmp_path / "models").symlink_to(paths.ROOT / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    code = call(shlex.split(case.typed))
    out, err = capsys.readouterr()
    said = out + err
    assert code == case.code, said
    for words in case.says:
        assert words in said
    for words in (*case.hides, *UNFORESEEN):
        assert words not in said
    after = digests(tmp_path)
    assert {name: after.get(name) for name in before} == before, "a file of the user's changed"
    if case.then:
        case.then(tmp_path, said)


def test_the_page_is_what_the_command_writes():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.situations"


def test_there_are_enough_and_no_two_are_called_the_same():
    titles = [(case.part, case.title) for case in SITUATIONS]
    assert len(titles) == len(set(titles))
    assert len(titles) >= 120
