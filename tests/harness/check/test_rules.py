"""Every fixture breaks exactly what it says, and the clean ones break nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.check import check_folder, check_many
from harness.check.rules import RULES

FIXTURES = Path(__file__).parents[2] / "fixtures" / "check"
BROKEN = sorted(FIXTURES.glob("HUB*"))

# Faults that could not live in git (links, encodings, bombs): test_built_faults.py makes them.
BUILT = frozenset(
    {"HUB002"}
    | {f"HUB{number}" for number in range(305, 311)}
    | {f"HUB{number}" for number in range(402, 411)}
    | {"HUB412", "HUB413"}
)


@pytest.mark.parametrize("fixture", BROKEN, ids=lambda path: path.name)
def test_fixture_gives_exactly_the_expected_findings(fixture: Path, tmp_path: Path, lay_over: Any):
    folder, expected = lay_over(fixture)
    found = check_folder(folder, root=tmp_path)
    prefix = f"CONTRIBUTIONS/{folder.name}"
    assert [
        {
            "rule": finding.rule,
            "path": finding.path.removeprefix(prefix).removeprefix("/"),
            **({"line": finding.line} if finding.line else {}),
            "message": finding.message,
            "fix": finding.fix,
        }
        for finding in found
    ] == expected["findings"]
    assert fixture.name[:6] in {finding.rule for finding in found}


@pytest.mark.parametrize("kind", ["clean_code", "clean_config"])
def test_clean_folder_has_no_finding(kind: str, tmp_path: Path, copy_clean: Any):
    assert check_folder(copy_clean(kind), root=tmp_path) == []


def test_every_rule_has_a_fixture_and_every_fixture_a_rule():
    on_disk = {path.name[:6] for path in BROKEN}
    assert on_disk | BUILT == {rule.id for rule in RULES}
    assert not on_disk & BUILT


def test_rules_are_complete_sorted_and_each_is_one_function():
    folder = Path(check_folder.__code__.co_filename).parent / "rules"
    written = [
        number
        for file in folder.glob("*.py")
        if file.stem != "__init__"
        for number in re.findall(r'rule\(\s*"(HUB\d{3})"', file.read_text(encoding="utf-8"))
    ]
    assert [rule.id for rule in RULES] == sorted(written)
    assert len({rule.id for rule in RULES}) == len({rule.check for rule in RULES}) == len(RULES)


def test_findings_are_sorted_by_path_line_and_rule(tmp_path: Path, lay_over: Any):
    folder, _ = lay_over(FIXTURES / "HUB104_many_wrong_values")
    found = check_folder(folder, root=tmp_path)
    assert found == sorted(found, key=lambda f: (f.path, f.line or 0, f.rule, f.message))


def test_faults_of_all_kinds_are_reported_at_once(tmp_path: Path, lay_over: Any):
    folder, _ = lay_over(FIXTURES / "HUB102_near_and_wrong_table")
    (folder / "README.md").unlink()
    (folder / "src" / "lora.py").write_text("def make_lora(:\n")
    (folder / "Dataset/ImageCaptions/robot1.txt").write_text("")
    rules = {finding.rule for finding in check_folder(folder, root=tmp_path)}
    assert {"HUB004", "HUB102", "HUB201", "HUB303"} <= rules


def test_many_folders_are_judged_like_each_alone(tmp_path: Path, copy_clean: Any):
    one, two = copy_clean(name="One"), copy_clean(name="Two")
    both = check_many([one, two], root=tmp_path)
    assert both == check_folder(one, root=tmp_path) + check_folder(two, root=tmp_path)
    assert [finding.rule for finding in both] == ["HUB003", "HUB003"]


def test_folder_outside_the_repository_is_shown_by_its_name(tmp_path: Path, copy_clean: Any):
    folder = copy_clean(name="Other")
    (finding,) = check_folder(folder, root=tmp_path / "elsewhere")
    assert finding.path == "Other/contribution.toml"
