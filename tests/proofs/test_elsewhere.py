"""nox -s elsewhere: what is committed is whole, says what it is of, and the page is made of it."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from harness.contributions import registry
from tests.proofs.elsewhere import names, page
from tests.proofs.elsewhere.base import modules_of, narrow_pipeline, weights_of
from tests.proofs.elsewhere.consumed import random_lora
from tests.proofs.elsewhere.consumers import RefusedError
from tests.proofs.elsewhere.merging import ours, tried
from tests.proofs.elsewhere.programs import MARKS, Program, alone, found_in, importable
from tests.proofs.elsewhere.results import Consumed, Elsewhere
from tests.proofs.elsewhere.wide import one_of_each_kind, one_of_each_shape
from toolkit.core.settings import REFERENCE_NAME
from toolkit.drawings.loras import layout_of
from toolkit.lora_files.layout import sd1_layout
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.write import write_lora


@pytest.fixture(scope="module")
def committed():
    return Elsewhere.model_validate_json(page.RESULT.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_committed_result(committed):
    assert page.PAGE.read_text(encoding="utf-8") == page.text(committed)


PROGRAMS = {
    "sd-scripts", "LyCORIS", "ComfyUI", "A1111", "Forge", "SD.Next", "InvokeAI", "diffusers",
    "peft",
}  # fmt: skip


def test_no_program_differs_from_the_hub(committed):
    """A program may skip layers or refuse a file, and so may the hub: in one sentence."""
    assert {one.program for one in committed.consumed if one.base == "SD 1.4"} == PROGRAMS
    for one in committed.consumed:
        assert one.outcome in ("same", "nothing", "refused"), one
        if one.outcome == "same":
            assert set(one.errors) == {"1", "0.5", "0", "-0.5", "two"}
            assert one.used == one.keys or one.skipped, one
        else:
            assert one.used == 0, one
            assert bool(one.said) == (one.outcome == "refused")


def test_kohyas_format_is_taken_by_all_and_diffusers_by_its_own(committed):
    for one in committed.consumed:
        if one.base == "SD 1.4" and (one.form == "kohya" or one.program in ("diffusers", "peft")):
            assert one.outcome == "same", one
            # kohya's scripts have no place for what is in no block of theirs.
            assert one.used == one.keys or one.program == "sd-scripts", one


def test_each_contribution_has_files_or_a_reason(committed):
    known = {REFERENCE_NAME, *registry.contribution_names()}
    assert {one.name for one in committed.made} <= known
    assert len(committed.made) >= 48
    rows = Counter(one.what for one in committed.consumed if one.base == "SD 1.4")
    for one in committed.made:
        assert bool(one.said) != bool(one.made)
        assert rows[one.name] == (0 if one.said else 2 * len(PROGRAMS) - 1), one.name


def test_names_are_found_in_c_too(committed):
    kohya, diffusers = committed.named
    assert (kohya.form, diffusers.form) == ("kohya", "diffusers")
    assert kohya.layers == diffusers.layers == len(sd1_layout().layers)
    assert not kohya.text
    assert len(kohya.others) == kohya.layers - kohya.known
    assert diffusers.text == 72


def test_a_conversion_of_names_is_compared_with_the_names_of_the_weights(tmp_path):
    """A program that leaves names as they are finds nothing in files of trainers."""
    (tmp_path / "names").write_text("#!/bin/sh\nexec cat\n", encoding="utf-8")
    (tmp_path / "names").chmod(0o755)
    for found in names.named(Program("cat", tmp_path, "")):
        assert (found.known, found.text, len(found.others)) == (0, 72, 282)


def test_other_trainers_files_are_read_or_refused_in_a_sentence(committed):
    assert len(committed.produced) >= 40
    for found in committed.produced:
        assert found.outcome in ("same", "refused"), found
        assert (found.outcome == "refused") == bool(found.said), found


@pytest.fixture(scope="module")
def narrow():
    return narrow_pipeline()


@pytest.fixture(scope="module")
def files(narrow, tmp_path_factory):
    """Two files of three layers."""
    names = list(layout_of(narrow).layers)[:3]
    found = []
    for seed in (1, 2):
        path = tmp_path_factory.mktemp("files") / "x.safetensors"
        write_lora(random_lora(narrow, names, 2, seed), path, dtype="fp32")
        found.append(ours(path, narrow))
    return found


def program(narrow, *, off=0.0, without=(), also=()):
    """Return a made-up program that merges as it should, but for what is asked."""

    def consume(merges, pipeline):
        layout, modules = layout_of(narrow), modules_of(pipeline)
        with torch.no_grad():
            for path, strength in merges:
                for name, layer in read_lora(path, layout).layers.items():
                    if name not in without:
                        modules[name].weight.add_((strength + off) * layer.delta().float())
            for name in also:
                modules[name].weight = torch.nn.Parameter(modules[name].weight + 1)
        return 1 if without != "all" else 0

    return consume


def outcome(narrow, files, consume):
    return tried(
        Consumed(what="x", program="p", form="kohya", base="narrow"), consume, narrow, *files
    )


def test_a_program_that_merges_right_is_the_same(narrow, files):
    before = {name: weight.clone() for name, weight in weights_of(narrow).items()}
    found = outcome(narrow, files, program(narrow))
    assert (found.outcome, found.layers, found.keys, found.skipped) == ("same", 3, 9, 0)
    assert max(found.errors.values()) < 1e-5
    after = weights_of(narrow)
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_a_program_that_merges_wrong_differs(narrow, files):
    first, *_ = files[0].deltas
    *_, other = layout_of(narrow).layers
    assert outcome(narrow, files, program(narrow, off=1e-3)).outcome == "differs"
    assert outcome(narrow, files, program(narrow, also=[other])).said == f"1: {other}"
    found = outcome(narrow, files, program(narrow, without=[first]))
    assert (found.outcome, found.skipped, found.skipped_first) == ("same", 1, first)


def test_a_program_that_forgets_a_layer_beside_a_second_file_differs(narrow, files):
    first, *_ = files[0].deltas

    def forgetful(merges, pipeline):
        without = [first] if len(merges) == 2 else []
        return program(narrow, without=without)(merges, pipeline)

    found = outcome(narrow, files, forgetful)
    assert (found.outcome, found.said) == ("differs", f"two: {first}")


def test_a_program_may_take_nothing_refuse_or_fail(narrow, files):
    def refuses(merges, pipeline):
        raise RefusedError("not mine")

    assert outcome(narrow, files, lambda merges, pipeline: 0).outcome == "nothing"
    assert outcome(narrow, files, refuses).said == "not mine"
    found = outcome(narrow, files, lambda merges, pipeline: 1 // 0)
    assert (found.outcome, found.said[:20]) == ("fails", "1: ZeroDivisionError")


def test_the_kinds_have_each_shape_of_sd14_once():
    kinds, layers = one_of_each_kind(), sd1_layout().layers
    assert {layers[name] for name in kinds} == set(layers.values())
    few = one_of_each_shape(kinds)
    assert len({layers[name] for name in few}) == len(few)
    assert {layers[name].in_features for name in few} >= {320, 640, 768, 1280}


def test_files_of_one_contribution_are_told_from_anothers(narrow, files, tmp_path):
    """The same tensors elsewhere are the same; other values are not."""
    (first, second), path = files, tmp_path / "elsewhere.safetensors"
    path.write_bytes(first.path.read_bytes())
    assert ours(path, narrow).digest == first.digest != second.digest


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


def test_programs_with_modules_of_one_name_do_not_meet(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shared_name.py").write_text(f"whose = {name!r}\n", encoding="utf-8")
    found = []
    for name in ("one", "two"):
        with alone("shared_name"), importable([tmp_path / name], []):
            found.append(__import__("shared_name").whose)
    assert found == ["one", "two"]
    with pytest.raises(ModuleNotFoundError):
        __import__("shared_name")
