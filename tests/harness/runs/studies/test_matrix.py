"""The matrix: real hooks in a real child, one try that takes the child with it, and the page."""

import json
import shutil

import pytest

from harness import paths
from harness.commands import cli, matrix
from harness.contributions import registry
from harness.runs.studies.compatibility.plan import all_tries, current, one_try, unknown
from harness.runs.studies.compatibility.running import run_tries
from harness.runs.studies.compatibility.table import render
from tests.harness.support import FIXTURES
from toolkit.core.progress import Progress
from toolkit.core.settings import REFERENCE_NAME


class Quiet(Progress):
    """Shows nothing."""

    def update(self, label: str, done: float, phase: str) -> None:
        """Hear how far it is."""

    def finish(self, label: str, *, ok: bool) -> None:
        """Hear that it is over."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Pairs of a good contribution, of one that needs a matrix B, and of two bad ones."""
    reference = registry.load_reference()
    load = {name: registry.load(name) for name in ("Example1", "LoRAPlus", "IA3", "Buckets")}
    bad = {
        name: registry.load(str((FIXTURES / name).relative_to(paths.ROOT)))
        for name in ("ExitsQuietly", "RaisesInTrain")
    }
    tries = [
        one_try("make_lora", "train", load["IA3"], load["LoRAPlus"], reference),
        one_try("make_lora", "train", load["Example1"], bad["ExitsQuietly"], reference),
        one_try("make_lora", "train", load["Example1"], bad["RaisesInTrain"], reference),
        one_try("make_dataset", "train", load["Buckets"], load["Example1"], reference),
        one_try("make_lora", "generate", load["IA3"], load["Example1"], reference),
        one_try("make_lora", "train", reference, load["Example1"], reference),
    ]
    folder = tmp_path_factory.mktemp("matrix")
    found = list(run_tries(tries, reference, folder, Quiet()))
    assert [one.cell for one in found] == [one.cell for one in tries]
    return found


def test_what_a_stranger_writes_into_the_childs_folder_changes_and_shows_nothing(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a private line\n", encoding="utf-8")
    reference = registry.load_reference()
    liar = registry.load(str((FIXTURES / "ForgesTheMatrix").relative_to(paths.ROOT)))
    code = (FIXTURES / "ForgesTheMatrix" / "src" / "main.py").read_text(encoding="utf-8")
    assert "SECRET" in code  # it looks for the file beside the folder of the child
    tries = [
        one_try("make_lora", "train", liar, reference, reference),
        one_try("make_lora", "train", reference, registry.load("Example1"), reference),
    ]
    found = list(run_tries(tries, reference, tmp_path / "matrix", Quiet()))
    assert [one.state for one in found] == ["fails", "works"]
    assert "private" not in found[0].reason
    assert "\x1b" not in found[0].reason


def test_each_try_has_its_outcome_and_a_dead_child_costs_only_its_own(outcomes):
    states = [one.state for one in outcomes]
    assert states == ["refused", "fails", "fails", "refused", "works", "works"]


def test_a_reason_says_who_needs_what_and_where_a_fault_is(outcomes):
    needs, died, raised, sizes = (one.reason for one in outcomes[:4])
    assert "LoRAPlus's train cannot be used here" in needs
    assert "The process ended" in died
    assert "RaisesInTrain/src/" in raised
    assert "it needs pictures of one size" in sizes


def test_the_page_has_every_pair_and_each_reason_once(outcomes):
    page = render(outcomes)
    assert "| Buckets | no (4) |" in page
    assert "## `make_lora` with `generate`\n\n1 of 1 work." in page
    assert page.count("pictures of one size") == 1
    assert "FAILS (2)" in page


def test_what_is_known_is_not_tried_again_until_its_code_changes(outcomes):
    reference = registry.load_reference()
    example = registry.load("Example1")
    same = one_try("make_lora", "train", reference, example, reference)
    assert unknown([same], outcomes) == []
    assert current([same], outcomes) == [outcomes[-1]]
    changed = example.model_copy(update={"content_hash": "sha256:new"})
    assert unknown([one_try("make_lora", "train", reference, changed, reference)], outcomes)


def test_a_learning_rate_alone_is_no_training_of_its_own():
    reference = registry.load_reference()
    pissa = registry.load("PiSSA")
    tries = all_tries([pissa], reference)
    columns = {one.cell.column for one in tries if one.cell.columns == "train"}
    assert columns == {REFERENCE_NAME}
    assert {one.cell.row for one in tries if one.cell.rows == "make_lora"} == {
        REFERENCE_NAME,
        "PiSSA",
    }


# --- the committed page ---------------------------------------------------------------------------


def test_the_committed_page_is_what_its_file_says():
    outcomes = matrix.read(matrix.FOLDER / matrix.JSON_NAME)
    assert outcomes
    page = (matrix.FOLDER / matrix.PAGE_NAME).read_text(encoding="utf-8")
    assert page == render(outcomes)
    assert [one for one in outcomes if one.state == "fails"] == []


def test_check_notices_a_page_that_was_edited(tmp_path, capsys):
    for name in (matrix.JSON_NAME, matrix.PAGE_NAME):
        shutil.copyfile(matrix.FOLDER / name, tmp_path / name)
    with (tmp_path / matrix.PAGE_NAME).open("a", encoding="utf-8") as page:
        page.write("All of it works.\n")
    assert cli.main(["matrix", "--check", "--out", str(tmp_path)]) == 1
    assert "is not what compatibility.json says" in " ".join(capsys.readouterr().out.split())


def test_some_pairs_tried_again_leave_the_others_as_they_are(tmp_path, monkeypatch, capsys):
    for name in (matrix.JSON_NAME, matrix.PAGE_NAME):
        shutil.copyfile(matrix.FOLDER / name, tmp_path / name)
    tried = []

    def run_tries(tries, *rest):
        tried.extend(one.cell for one in tries)
        known = {one.cell: one for one in matrix.read(tmp_path / matrix.JSON_NAME)}
        for one in tries:
            yield known[one.cell].model_copy(update={"reason": "tried again"})

    monkeypatch.setattr(matrix, "run_tries", run_tries)
    monkeypatch.setattr(matrix, "trust_all", lambda *rest: None)
    before = matrix.read(tmp_path / matrix.JSON_NAME)
    words = ["matrix", "--only", "EMA", "--fresh", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    capsys.readouterr()
    after = matrix.read(tmp_path / matrix.JSON_NAME)
    assert [one.cell for one in after] == [one.cell for one in before]
    assert {one.cell for one in after if one.reason == "tried again"} == set(tried)
    assert tried
    assert all("EMA" in (cell.row, cell.column) for cell in tried)


def test_a_damaged_file_of_outcomes_is_a_clear_error(tmp_path, capsys):
    (tmp_path / matrix.JSON_NAME).write_text(json.dumps([{"cell": 1}]), encoding="utf-8")
    assert cli.main(["matrix", "--check", "--out", str(tmp_path)]) == 1
    assert "not readable" in capsys.readouterr().err
