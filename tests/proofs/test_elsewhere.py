"""nox -s elsewhere: what is committed is whole, says what it is of, and the page is made of it."""

from __future__ import annotations

import pytest

from tests.proofs.elsewhere import page
from tests.proofs.elsewhere.programs import MARKS, found_in, importable
from tests.proofs.elsewhere.results import Elsewhere


@pytest.fixture(scope="module")
def committed():
    return Elsewhere.model_validate_json(page.RESULT.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_committed_result(committed):
    assert page.PAGE.read_text(encoding="utf-8") == page.text(committed)


def test_no_program_differs_from_the_hub(committed):
    """A program may skip layers, and the hub may refuse a file: in one sentence."""
    assert {one.program for one in committed.consumed} >= {
        "sd-scripts", "ComfyUI", "A1111", "LyCORIS", "diffusers", "peft",
    }  # fmt: skip
    for one in committed.consumed:
        assert one.outcome == "same", one
        assert set(one.errors) == {"1", "0.5", "0", "-0.5"}
        assert one.used == one.keys or one.skipped, one
    assert len(committed.produced) >= 25
    for found in committed.produced:
        assert found.outcome in ("same", "refused"), found
        assert (found.outcome == "refused") == bool(found.said), found


def test_programs_that_are_not_there_are_said(tmp_path):
    assert {name for name, one in found_in(tmp_path).items() if one.folder is None} == set(MARKS)
    (tmp_path / "ComfyUI" / "comfy").mkdir(parents=True)
    (tmp_path / "ComfyUI" / "comfy" / "lora.py").touch()
    (tmp_path / "ComfyUI.commit").write_text("0123456789abcdef\n", encoding="utf-8")
    assert found_in(tmp_path)["ComfyUI"].commit == "0123456789ab"
    assert found_in(tmp_path)["ComfyUI"].code == tmp_path / "ComfyUI"
    with pytest.raises(FileNotFoundError, match="A1111"):
        _ = found_in(tmp_path)["A1111"].code


def test_stand_ins_are_gone_afterwards(tmp_path):
    (tmp_path / "some_program.py").write_text(
        "import some_web_page\nfrom some_web_page.parts import Button\nmade = Button('x')\n"
        "class Mine(Button):\n    own = 1\n",
        encoding="utf-8",
    )
    with importable([tmp_path], ["some_web_page"]):
        import some_program

        assert some_program.Mine.own == 1
    with pytest.raises(ModuleNotFoundError):
        __import__("some_web_page.other")
