"""The main job from end to end: what goes wrong, what is left alone, and recipes."""

import json
import shutil
from pathlib import Path

from safetensors import safe_open

from tests.harness.test_main_job import BUDGET, harness, hub, row_of
from toolkit.drawings.metadata import read_drawing

__all__ = ["hub"]


def test_a_contribution_that_raises_leaves_a_failed_row_and_exits_non_zero(hub):
    source = hub / "tests" / "fixtures" / "contributions" / "RaisesInTrain"
    shutil.copytree(source, hub / "CONTRIBUTIONS" / "RaisesInTrain")
    result = harness(hub, "contribution", "RaisesInTrain", *BUDGET)
    assert result.returncode == 1
    assert "hook 'train' raised ZeroDivisionError" in result.stdout
    assert "CONTRIBUTIONS/RaisesInTrain/src/main.py:12" in result.stdout
    row = row_of(hub, "RaisesInTrain")
    assert row.status == "failed"
    assert row.error.kind == "GateError"
    assert row.contract.failed == ("HUB-C00",)
    assert any("the second step went wrong" in line for line in row.error.log_tail)
    page = next((hub / "runs" / "robot" / "RaisesInTrain").glob("*/page.html"))
    assert "<script>" not in page.read_text(encoding="utf-8")


def test_a_folder_with_faults_is_not_run_and_all_faults_are_shown(hub):
    folder = hub / "CONTRIBUTIONS" / "Broken"
    shutil.copytree(hub / "tests/fixtures/contributions/StopsEarly", folder)
    text = (folder / "contribution.toml").read_text().replace("StopsEarly", "Broken")
    (folder / "contribution.toml").write_text(text)
    shutil.rmtree(folder / "Dataset")
    (folder / "src" / "main.py").write_text("from lora import make_lora\n")
    result = harness(hub, "contribution", "Broken", *BUDGET)
    assert result.returncode == 1
    assert result.stdout.count("HUB") + result.stderr.count("HUB") >= 2
    assert row_of(hub, "Broken").error.kind == "CheckError"
    assert not list((hub / "runs" / "robot" / "Broken").glob("*/train"))


def test_nothing_is_written_outside_the_run_folder(hub):
    before = {p: p.stat().st_mtime_ns for p in source_files(hub)}
    assert harness(hub, "contribution", "Example1", "--seeds", "1,", "--skip-gate").returncode == 0
    assert {p: p.stat().st_mtime_ns for p in source_files(hub)} == before


def source_files(hub: Path):
    for path in hub.rglob("*"):
        inside = path.relative_to(hub).parts
        if path.is_file() and inside[0] != "runs" and "__pycache__" not in inside:
            yield path


def test_a_recipe_is_trained_scored_and_says_whose_work_it_is(hub):
    words = ("contribution", "PiSSA", "--with", "train=MinSNR", *BUDGET)
    result = harness(hub, *words, "--skip-gate")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "settings of PiSSA and MinSNR" in result.stdout
    row = row_of(hub, "PiSSA+MinSNR")
    assert row.status == "ok"
    assert row.origins["make_lora"] == "PiSSA"
    assert row.settings_from == {"train": ("PiSSA", "MinSNR")}
    (adapter,) = (hub / "runs" / "robot" / "PiSSA+MinSNR").glob("*/train/seed-*/adapter.*")
    with safe_open(adapter, framework="pt") as file:
        header = file.metadata()
    assert header["hub.name"] == "PiSSA+MinSNR"
    assert json.loads(header["hub.origins"]) == row.origins
    refused = harness(hub, *words, "--record")
    assert refused.returncode == 2
    assert "nox -s new -- MyMix --with make_lora=PiSSA --with train=MinSNR" in refused.stderr

    # The name of its runs is a name for every other command, too.
    drawn = harness(hub, "generate", "PiSSA+MinSNR", "--prompt", "a robot", "--steps", "2")
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    (picture,) = (hub / "runs" / "generated" / "PiSSA+MinSNR").glob("*.png")
    assert read_drawing(picture).origins == row.origins
