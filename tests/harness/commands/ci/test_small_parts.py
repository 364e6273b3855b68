"""Substance and summary."""

from __future__ import annotations

import shutil

import pytest

from harness import paths
from harness.commands.ci.substance import nearest
from harness.commands.ci.summary import differences_section, plain, row_section, set_output
from harness.gate.profile.summary import Difference
from tests.harness.support import example_row
from toolkit.core.errors import UsageError

# --- substance ---


def write(folder, code="", settings=""):
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.py").write_text(code, encoding="utf-8")
    (folder / "contribution.toml").write_text(
        f'name = "{folder.name}"\nauthors = ["x"]\n{settings}', encoding="utf-8"
    )
    return folder


def test_comments_names_and_docstrings_do_not_make_a_contribution(tmp_path):
    one = write(tmp_path / "One", 'def f(x):\n    """Say."""\n    return x\n')
    two = write(tmp_path / "Two", "# mine!\ndef f(x):\n\n    return x  # really\n")
    found = nearest(two, [one, two])
    assert found.share == 1.0
    assert found.sentence() == "100 % the same as One: nothing that runs is different."


def test_the_hint_names_what_differs(tmp_path):
    code = "def f(x):\n    return x\n" + "".join(f"A{i} = {i}\n" for i in range(40))
    one = write(tmp_path / "One", code, "[settings.lora]\nrank = 4\n")
    two = write(
        tmp_path / "Two", code.replace("return x", "return -x"), "[settings.lora]\nrank = 8\n"
    )
    found = nearest(two, [one])
    assert 0.9 < found.share < 1
    assert found.differs_in == ("lora.rank", "main.py:f")


def test_code_that_cannot_be_parsed_is_compared_as_text(tmp_path):
    one, two = write(tmp_path / "One", "def ("), write(tmp_path / "Two", "def (")
    assert nearest(one, [two]).share == 1.0


def test_the_scaffold_alone_is_recognised(tmp_path):
    example = paths.CONTRIBUTIONS / "Example1"
    shutil.copytree(example, tmp_path / "Copy")
    assert nearest(tmp_path / "Copy", [example]).share == 1.0
    assert nearest(tmp_path / "Copy", []) is None


# --- summary ---


def test_no_word_of_a_stranger_means_anything_in_the_summary():
    evil = "<img src=x> | `a` **b** @everyone #1 [x](javascript:y) https://e.org\n::error::"
    text = plain(evil)
    assert not set("<>|`*@[]()\n") & set(text)
    assert "https://" not in text
    assert len(plain("x" * 9999)) <= 400


def test_a_failed_run_is_described_with_its_remedy():
    error = {"kind": "HookError", "what": "bang", "where": "a.py:1", "fix": "mend", "log_tail": "x"}
    error["log_tail"] = ["</pre><script>"]
    text = row_section(example_row(status="failed", error=error, verdict=None))
    assert "bang" in text
    assert "mend" in text
    assert "<script>" not in text


def test_one_output_cannot_set_another(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    with pytest.raises(UsageError):
        set_output("names", "[]\nevil=1")
    set_output("names", "[]")
    assert (tmp_path / "output").read_text() == "names=[]\n"


def test_the_summary_says_in_five_lines_what_is_different_and_lets_no_markup_through():
    found = [
        Difference(property=f"training.p{i}", measured="mean 1 (reference: 0)", why="<b>mine</b>")
        for i in range(7)
    ]
    lines = differences_section(found).splitlines()[2:]
    assert len(lines) == 5
    assert "<b>" not in lines[0]
    assert lines[0].startswith("- training&#46;p0&#58; mean 1")
    assert "And 3 more" in lines[4]
    assert "as the reference" in differences_section(())
