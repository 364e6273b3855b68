"""The GitHub workflows keep the promises of docs/ci.md."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness import paths

FOLDER = paths.ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
# What no Python package can do: a system package, and the right to make namespaces.
SYSTEM = re.compile(
    r"^sudo (apt-get update -q|apt-get install -qy bubblewrap"
    r"|install -m 644 \.ci/bwrap\.apparmor /etc/apparmor\.d/bwrap"
    r"|apparmor_parser --replace /etc/apparmor\.d/bwrap)$"
)
PINNED = re.compile(r"^actions/[a-z-]+@[0-9a-f]{40}$")


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def steps(workflow):
    return [(job, step) for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_the_four_of_the_page():
    assert {path.stem for path in WORKFLOWS} == {"board", "canary", "check", "tests"}


def test_nobody_has_rights_unless_a_job_says_so(workflow):
    assert workflow["permissions"] == {}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_no_dangerous_trigger(workflow):
    # YAML 1.1 reads the key `on` as true.
    triggers = set(workflow[True])
    assert triggers <= {"pull_request", "push", "schedule", "workflow_dispatch"}


def test_every_action_is_pinned_by_its_commit(workflow):
    for _, step in steps(workflow):
        if "uses" in step:
            assert PINNED.match(step["uses"]), step["uses"]


def test_every_command_is_a_nox_session_or_sets_the_system_up_and_nothing_is_put_into_it(workflow):
    for _, step in steps(workflow):
        if "run" in step:
            assert "${{" not in step["run"]
            assert re.match(r"^(nox -s |python -m pip install nox==)", step["run"]) or all(
                SYSTEM.match(line) for line in step["run"].splitlines()
            ), step["run"]


def test_checkouts_keep_no_credentials(workflow):
    for _, step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_jobs_that_run_contributions_may_write_nothing_and_demand_isolation(workflow):
    for job, step in steps(workflow):
        if "nox -s ci -- run " in step.get("run", ""):
            assert job["permissions"] == {"contents": "read"}
            assert step["env"]["HUB_REQUIRE_ISOLATION"] in {"landlock", "namespaces", "bubblewrap"}


def test_both_jobs_of_a_pull_request_see_the_commit_that_started_them():
    check = yaml.safe_load((FOLDER / "check.yml").read_text(encoding="utf-8"))
    refs = [
        step["with"]["ref"]
        for _, step in steps(check)
        if step.get("with", {}).get("path") == "pull-request"
    ]
    assert refs == ["${{ github.event.pull_request.head.sha }}"] * 2


@pytest.mark.parametrize("name", ["check", "board"])
def test_one_job_sums_up_and_is_always_there(name):
    workflow = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    # No `paths`: a required check that is never started would hold a pull request up for ever.
    assert all(not (event or {}).get("paths") for event in workflow[True].values())
    assert workflow["jobs"]["verdict"]["if"] == "always()"
    others = set(workflow["jobs"]) - {"verdict"}
    assert set(workflow["jobs"]["verdict"]["needs"]) >= others - {"run"}


def test_the_board_is_written_from_all_seeds_on_the_main_of_the_moment():
    jobs = yaml.safe_load((FOLDER / "board.yml").read_text(encoding="utf-8"))["jobs"]
    runs = [step["run"] for step in jobs["run"]["steps"] if "ci -- run " in step.get("run", "")]
    assert all("--record" in one.split() for one in runs)
    assert runs
    checkout, download = jobs["record"]["steps"][:2]
    assert checkout["with"]["ref"] == "main"
    assert checkout["with"]["fetch-depth"] == 0
    assert "merge-multiple" not in download["with"]
    done = [step.get("run", "") for step in jobs["record"]["steps"]]
    # What was pushed is compared with the results before anything is published.
    assert done.index("nox -s ci -- push") < done.index("nox -s leaderboard -- --check")


def test_everything_has_an_owner_but_the_contributions():
    lines = (paths.ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    # Of several that fit, GitHub takes the last one.
    assert [len(rule) for rule in rules] == [2, 1]
    assert [rule[0] for rule in rules] == ["*", "/CONTRIBUTIONS/"]


def test_the_labels_that_forms_give_exist():
    folder = paths.ROOT / ".github"
    known = {one["name"] for one in yaml.safe_load((folder / "labels.yml").read_text("utf-8"))}
    assert "hacktoberfest-accepted" in known
    for form in (folder / "ISSUE_TEMPLATE").glob("*.yml"):
        given = yaml.safe_load(form.read_text(encoding="utf-8")).get("labels", [])
        assert set(given) <= known, form.name


def test_no_secret_is_named_anywhere():
    for path in WORKFLOWS:
        assert "secrets." not in path.read_text(encoding="utf-8"), path.name


def test_the_linters_of_the_workflows_are_satisfied_and_find_a_hole(tmp_path):
    lint = [sys.executable, str(paths.ROOT / "harness/commands/ci/lint_workflows.py")]
    assert subprocess.run(lint, capture_output=True, check=False).returncode == 0
    copy = tmp_path / "hub"
    shutil.copytree(paths.ROOT / ".github", copy / ".github")
    (copy / "harness/commands/ci").mkdir(parents=True)
    shutil.copy(lint[1], copy / "harness/commands/ci")
    target = copy / ".github" / "workflows" / "check.yml"
    text = target.read_text(encoding="utf-8")
    target.write_text(text.replace('"$BASE"', "${{ github.head_ref }}"), encoding="utf-8")
    lint[1] = str(copy / "harness/commands/ci" / Path(lint[1]).name)
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "template-injection" in done.stdout
