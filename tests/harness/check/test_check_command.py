"""``check`` and ``explain`` as somebody types them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths
from harness.check.rules import RULES
from harness.commands import check, explain
from harness.gate.catalogue import all_probes
from harness.gate.profile.catalogue import PROPERTIES
from toolkit.core.errors import EnvironmentFault, UsageError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def hub(tmp_path, monkeypatch, copy_clean):
    """A hub with two clean contributions."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "CONTRIBUTIONS", tmp_path / "CONTRIBUTIONS")
    monkeypatch.setattr(paths, "REFERENCE", tmp_path / "src")
    for name in ("Alpha", "Beta"):
        folder = copy_clean(name=name)
        toml = folder / "contribution.toml"
        toml.write_text(toml.read_text().replace("Clean", name))
    return tmp_path


def run(*arguments):
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.run(parser.parse_args(arguments))


def git(hub, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments],
        cwd=hub,
        check=True,
        capture_output=True,
    )


def test_no_argument_checks_all(hub, capsys):
    assert run() == 0
    assert capsys.readouterr().out == "Alpha: all checks passed\nBeta: all checks passed\n"


def test_error_gives_one_and_hint_gives_zero(hub, capsys):
    (hub / "CONTRIBUTIONS/Beta/src/a.ipynb").write_text("{}")
    assert run("Beta") == 0
    assert "1 hint in Beta" in capsys.readouterr().out
    (hub / "CONTRIBUTIONS/Beta/README.md").unlink()
    assert run("--all") == 1
    out = capsys.readouterr().out
    assert "1 error, 1 hint in Beta" in out and "Alpha: all checks passed" in out
    assert "nox -s explain -- HUB004" in out


def test_unknown_name_suggests_near_ones(hub):
    with pytest.raises(UsageError) as caught:
        run("Alhpa")
    assert "Alpha" in caught.value.fix


def test_names_and_all_together_are_refused(hub):
    with pytest.raises(UsageError):
        run("Alpha", "--all")


def test_reference_is_no_contribution(hub):
    (hub / "src").mkdir()
    with pytest.raises(UsageError, match="reference"):
        run("src")


def test_json_and_github(hub, capsys):
    (hub / "CONTRIBUTIONS/Beta/README.md").unlink()
    assert run("--format", "json") == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding["rule"] == "HUB004"
    assert run("--format", "github") == 1
    assert capsys.readouterr().out.startswith("::error file=CONTRIBUTIONS/Beta,title=HUB004::")


def test_clean_output_for_programs(hub, capsys):
    assert run("--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run("--format", "github") == 0
    assert capsys.readouterr().out == ""


def test_fix_mends_and_says_so(hub, capsys):
    (hub / "CONTRIBUTIONS/Beta/.DS_Store").write_text("x")
    assert run("Beta") == 1
    assert "--fix mends some" in capsys.readouterr().out
    assert run("Beta", "--fix") == 0
    assert "mended HUB403  CONTRIBUTIONS/Beta/.DS_Store" in capsys.readouterr().out


def test_changed_since_sees_commits_and_the_working_tree(hub, capsys):
    git(hub, "init", "-q", "-b", "main")
    git(hub, "add", ".")
    git(hub, "commit", "-qm", "start")
    assert run("--changed-since", "main") == 0
    assert capsys.readouterr().out == "There is nothing to check.\n"
    (hub / "CONTRIBUTIONS/Beta/src/new é.py").write_text("A = 1\n")
    assert run("--changed-since", "main") == 0
    assert capsys.readouterr().out == "Beta: all checks passed\n"
    git(hub, "checkout", "-qb", "topic")
    git(hub, "add", ".")
    git(hub, "commit", "-qm", "beta")
    git(hub, "checkout", "-q", "main")
    (hub / "CONTRIBUTIONS/Alpha/README.md").write_text("# x\n\nSomebody else's change.\n")
    git(hub, "commit", "-qam", "alpha on main")
    git(hub, "checkout", "-q", "topic")
    assert run("--changed-since", "main") == 0
    assert capsys.readouterr().out == "Beta: all checks passed\n"
    git(hub, "rm", "-rq", "CONTRIBUTIONS/Beta")
    assert run("--changed-since", "main") == 0
    assert capsys.readouterr().out == "There is nothing to check.\n"


def test_a_git_that_fails_is_an_error_and_not_an_empty_change(hub):
    git(hub, "init", "-q", "-b", "main")
    git(hub, "add", ".")
    git(hub, "commit", "-qm", "start")
    (hub / "CONTRIBUTIONS/Beta/src/new.py").write_text("A = 1\n")
    (hub / ".git" / "index").write_bytes(b"damaged")
    with pytest.raises(EnvironmentFault, match="git diff failed"):
        run("--changed-since", "main")


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", ""])
def test_unknown_ref(hub, ref):
    git(hub, "init", "-q")
    with pytest.raises(UsageError, match="git knows no"):
        check._changed_names(ref)
    assert not (hub / "x").exists()


def test_explain_lists_and_shows(capsys):
    assert explain.run(argparse.Namespace(rule=None)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(RULES) + len(all_probes()) + len(PROPERTIES) and lines[0].startswith(
        "HUB001  "
    )
    assert any(line.startswith("HUB-C01  ") for line in lines)
    assert explain.run(argparse.Namespace(rule="hub204")) == 0
    assert capsys.readouterr().out.startswith("# HUB204: ")
    with pytest.raises(UsageError, match="There is no rule"):
        explain.run(argparse.Namespace(rule="HUB999"))


def test_check_imports_no_heavy_library_and_runs_no_contribution(tmp_path):
    trap = tmp_path / "CONTRIBUTIONS" / "Trap" / "src"
    trap.mkdir(parents=True)
    mark = tmp_path / "ran"
    trap.joinpath("main.py").write_text(f"open({str(mark)!r}, 'w')\n")
    code = (
        "import sys, pathlib\n"
        "from harness import paths\n"
        f"paths.ROOT = pathlib.Path({str(tmp_path)!r})\n"
        "paths.CONTRIBUTIONS = paths.ROOT / 'CONTRIBUTIONS'\n"
        "import argparse\n"
        "from harness.commands import check\n"
        "parser = argparse.ArgumentParser(); check.add_arguments(parser)\n"
        "print(check.run(parser.parse_args(['--all'])))\n"
        "heavy = 'torch numpy requests transformers diffusers tokenizers PIL rich jinja2'\n"
        "print([name for name in heavy.split() if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith('CONTRIBUTIONS')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-3:] == ["1", "[]", "[]"]
    assert not mark.exists()


def test_pictures_import_pillow_but_not_numpy_or_torch(folder):
    code = (
        "import sys, pathlib\n"
        "from harness.check import check_folder\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "assert check_folder(folder, root=folder.parent.parent) == []\n"
        "print([n for n in ('torch', 'numpy', 'requests', 'tokenizers') if n in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
