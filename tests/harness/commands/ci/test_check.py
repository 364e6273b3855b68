"""The pull-request job, on branches of a real git repository."""

from __future__ import annotations

import json

import pytest

from harness import paths
from harness.commands.ci.check import check_pull_request, describe
from harness.commands.ci.path_rule import is_name
from harness.commands.cli import main
from toolkit.core.errors import UsageError


def rules_of(report):
    return {finding.rule for finding in report.findings if finding.severity == "error"}


def test_a_good_branch_is_fine_and_names_what_to_run(hub):
    hub.branch("good", {"CONTRIBUTIONS/Example1/README.md": readme(hub) + "\nMore words.\n"})
    report = check_pull_request(hub, "main", "good")
    assert report.fine
    assert report.runnable == ("Example1",)
    assert "train and compare Example1" in describe(report)


def test_what_main_did_meanwhile_is_not_the_branch_s_change(hub):
    hub.branch("good", {"CONTRIBUTIONS/Example1/README.md": readme(hub) + "\nMore words.\n"})
    (hub.folder / "harness" / "cli.py").write_text("# newer\n", encoding="utf-8")
    hub.git("commit", "--quiet", "--all", "-m", "main goes on")
    assert check_pull_request(hub, "main", "good").judgement.kind == "contribution"


def test_two_folders_are_two_pull_requests_unless_a_maintainer_s(hub):
    hub.branch("two", {**hub.copy_of_example("One"), **hub.copy_of_example("Two")})
    report = check_pull_request(hub, "main", "two")
    assert "CI001" in rules_of(report)
    assert report.runnable == ()
    assert "Nothing was run" in describe(report)
    trusted = check_pull_request(hub, "main", "two", maintainer=True)
    assert "CI001" not in rules_of(trusted)
    assert trusted.judgement.names == ("One", "Two")


def test_a_contribution_may_not_bring_a_change_of_the_harness_along(hub):
    hub.branch(
        "sly",
        {
            "CONTRIBUTIONS/Example1/README.md": readme(hub) + "\nMore.\n",
            "harness/commands/cli.py": "import os\n",
        },
    )
    report = check_pull_request(hub, "main", "sly")
    assert "CI002" in rules_of(report)
    assert any("harness/commands/cli.py" in finding.message for finding in report.findings)
    assert not report.runnable


def test_a_change_of_the_hub_alone_runs_no_contribution(hub):
    hub.branch("hub-only", {"harness/commands/cli.py": "# better\n"})
    report = check_pull_request(hub, "main", "hub-only")
    assert report.fine
    assert report.judgement.kind == "hub"
    assert report.runnable == ()


@pytest.mark.parametrize("path", ["registry.toml", "leaderboard/results/robot/Example1.json"])
def test_generated_files_are_not_edited_by_hand(hub, path):
    hub.branch("forged", {path: "{}\n"})
    assert "CI003" in rules_of(check_pull_request(hub, "main", "forged"))


def test_a_removed_folder_is_said_and_not_run(hub):
    files = [str(b.path) for b in hub.files(hub.commit("main"), "CONTRIBUTIONS/Example1")]
    hub.branch("gone", dict.fromkeys(files))
    report = check_pull_request(hub, "main", "gone")
    assert report.fine
    assert report.judgement.removed == ("Example1",)
    assert "removes Example1" in describe(report)


HOSTILE = [
    ("100644", b"CONTRIBUTIONS/$(touch pwned)/x.py", b"x"),
    ("100644", b"CONTRIBUTIONS/`id`;rm -rf ~/x.py", b"x"),
    ("100644", b"CONTRIBUTIONS/a\n::error::b/x.py", b"x"),
    ("100644", b"CONTRIBUTIONS/--help/x.py", b"x"),
    ("100644", b"CONTRIBUTIONS/\xff\xfe/x.py", b"x"),
    ("100644", b"CONTRIBUTIONS/<script>/x.py", b"x"),
    ("100644", "CONTRIBUTIONS/ex\u202eampl/x.py".encode(), b"x"),
]


def test_hostile_folder_names_are_refused_and_never_handed_on(hub):
    hub.branch_of_entries("hostile", HOSTILE)
    report = check_pull_request(hub, "main", "hostile", maintainer=True)
    assert sum(finding.rule == "CI004" for finding in report.findings) == len(HOSTILE)
    assert report.judgement.names == ()
    text = describe(report)
    text.encode("utf-8")  # can be written
    assert "<script>" not in text
    assert "\n::error::" not in text
    assert "$(touch" not in text


def test_names_that_pass_on_are_harmless_in_any_shell():
    for name in ("a;b", "a b", "$x", "é", "-x", "a/b", "x" * 40, "", "A\n"):
        assert not is_name(name)
    assert is_name("MyIdea_2")


def test_links_submodules_and_stray_files_are_refused(hub):
    hub.branch_of_entries(
        "special",
        [
            ("120000", b"CONTRIBUTIONS/Example1/link", b"/etc/passwd"),
            ("160000", b"CONTRIBUTIONS/Example1/module", b""),
            ("100644", b"CONTRIBUTIONS/stray.txt", b"x"),
        ],
    )
    report = check_pull_request(hub, "main", "special")
    found = [(f.rule, f.path) for f in report.findings if f.rule.startswith("CI")]
    assert ("CI005", "CONTRIBUTIONS/Example1/link") in found
    assert ("CI005", "CONTRIBUTIONS/Example1/module") in found
    assert ("CI004", "CONTRIBUTIONS/stray.txt") in found


def test_python_s_own_caches_are_refused_because_no_check_reads_them(hub):
    hidden = ("src/helper.pyc", "src/__pycache__/weights.safetensors")
    entries = [("100644", f"CONTRIBUTIONS/Example1/{name}".encode(), b"x") for name in hidden]
    hub.branch_of_entries("hidden", entries)
    report = check_pull_request(hub, "main", "hidden")
    found = [finding.path for finding in report.findings if finding.rule == "CI007"]
    assert sorted(found) == sorted(f"CONTRIBUTIONS/Example1/{name}" for name in hidden)
    assert report.runnable == ()


def test_files_that_git_obeys_are_refused_before_anybody_reviews(hub):
    hidden = (".gitattributes", "src/.gitignore", "src/.GitModules", ".github/x.yml", ".mailmap")
    entries = [("100644", f"CONTRIBUTIONS/Example1/{n}".encode(), b"* binary") for n in hidden]
    kept = ("100644", b"CONTRIBUTIONS/Example1/Dataset/.gitkeep", b"")
    hub.branch_of_entries("orders", [*entries, kept])
    report = check_pull_request(hub, "main", "orders", maintainer=True)
    found = [finding.path for finding in report.findings if finding.rule == "CI008"]
    assert sorted(found) == sorted(f"CONTRIBUTIONS/Example1/{name}" for name in hidden)
    assert "HUB412" in rules_of(report)
    assert report.runnable == ()


def test_the_hub_s_own_orders_to_git_are_a_change_of_the_hub(hub):
    hub.branch("own", {".gitattributes": "* text\n"})
    assert check_pull_request(hub, "main", "own").fine


def test_a_folder_of_too_many_files_is_never_written_out(hub):
    many = [("100644", f"CONTRIBUTIONS/Example1/n{i}.txt".encode(), b"x") for i in range(201)]
    hub.branch_of_entries("many", many)
    report = check_pull_request(hub, "main", "many")
    assert rules_of(report) == {"CI006"}


def test_the_faults_of_the_folder_are_found_without_running_it(hub):
    marker = hub.folder / "it-ran"
    bad = f"open({str(marker)!r}, 'w')\ndef make_lora(x): pass\n"
    hub.branch("bad", {"CONTRIBUTIONS/Example1/src/main.py": bad})
    report = check_pull_request(hub, "main", "bad")
    assert "HUB204" in rules_of(report) or "HUB202" in rules_of(report)
    assert not marker.exists()


def test_a_copy_gets_a_hint_about_its_substance(hub):
    files = hub.copy_of_example("Copycat")
    toml = "CONTRIBUTIONS/Copycat/contribution.toml"
    files[toml] = str(files[toml]).replace("rank = 4", "rank = 8")
    hub.branch("copy", files)
    report = check_pull_request(hub, "main", "copy")
    sentence = report.likeness["Copycat"].sentence()
    assert "the same as Example1: differs in lora.rank only." in sentence


def test_an_unknown_branch_is_an_error_with_a_remedy(hub):
    with pytest.raises(UsageError, match="knows no commit or branch 'nobody'"):
        check_pull_request(hub, "main", "nobody")
    with pytest.raises(UsageError, match="knows no commit"):
        check_pull_request(hub, "main", "--help")


def test_the_command_writes_summary_and_output_and_fails_on_errors(
    hub, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    hub.branch("good", {"CONTRIBUTIONS/Example1/README.md": readme(hub) + "\nMore words.\n"})
    hub.branch("bad", {"CONTRIBUTIONS/Example1/x.pkl": "x"})
    words = ["--repository", str(hub.folder), "--base", "main"]
    assert main(["ci", "check", "good", *words]) == 0
    assert (tmp_path / "output").read_text() == 'names=["Example1"]\n'
    assert main(["ci", "check", "bad", *words]) == 1
    outputs = (tmp_path / "output").read_text().splitlines()
    assert json.loads(outputs[-1].removeprefix("names=")) == []
    assert "x.pkl" in capsys.readouterr().out
    assert "## Check" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def readme(hub):
    return (hub.folder / "CONTRIBUTIONS/Example1/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["code", "config", "mix", "copy"])
def test_a_template_s_readme_is_not_yet_a_readme(hub, kind):
    """`check` lets a new folder pass; a pull request has to say what it is."""
    template = (paths.ROOT / "harness/contributions/scaffolds" / kind / "README.md").read_text()
    hub.branch("new", {"CONTRIBUTIONS/Example1/README.md": template})
    report = check_pull_request(hub, "main", "new")
    found = [finding for finding in report.findings if finding.rule == "CI009"]
    assert found
    assert not report.runnable
    assert all(finding.line for finding in found)
    # What a template says about the result is asked after the pull request, by the hub's own row.
    written = template.partition("## Results")[2]
    text = f"# Example1\n\n## What\n\nOther layers.\n\n## Why\n\nSo.\n\n## Results\n{written}"
    hub.branch("told", {"CONTRIBUTIONS/Example1/README.md": text})
    assert "CI009" not in rules_of(check_pull_request(hub, "main", "told"))
