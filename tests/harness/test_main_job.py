"""The main job from end to end: real workers, real scorer; one test on the real base.

One file, so that one process runs it all: the reference is checked, trained and scored once.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from harness.protocol.row_files import read_row
from tests.clone import clone, small_clone
from tests.typed import Typist
from toolkit.base_models.identity import base_hash
from toolkit.base_models.load import load_pipeline
from toolkit.drawings.loras import tensors_hash
from toolkit.drawings.metadata import read_drawing
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.write import write_lora

BUDGET = ("--seeds", "1")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    return small_clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def harness(hub):
    """Type a command in the small hub."""
    with Typist(hub) as typist:
        yield typist


def row_of(hub, name):
    (path,) = (hub / "runs" / "robot" / name).glob("*/row.json")
    return read_row(path)


def test_a_new_contribution_is_green_at_once(hub, harness):
    assert harness("new", "Foo").returncode == 0
    result = harness("contribution", "Foo", *BUDGET)
    assert result.returncode == 0, result.stdout + result.stderr
    row = row_of(hub, "Foo")
    assert row.verdict.sentence in " ".join(result.stdout.split())
    assert row.status == "ok"
    (path,) = (hub / "runs" / "robot" / "Foo").glob("*/row.json")
    assert json.loads(path.read_text())["schema_version"] == 3
    assert path.stat().st_size < 20_000
    assert row.own_hooks == ("make_lora",)
    folder = next((hub / "runs" / "robot" / "Foo").glob("*/page.html")).parent
    assert (folder / "sheet.webp").stat().st_size < 60_000
    curves = {path.parent.name for path in folder.glob("tensorboard/*/events.out.tfevents.*")}
    assert {"Foo-seed-0", "reference-seed-0"} <= curves

    # The scaffold is the reference's own method, so it has to get the reference's own figures.
    assert row.verdict.difference == pytest.approx(0, abs=1e-3)
    assert row.costs.train_seconds > 0
    assert row.costs.peak_memory_bytes > 100e6

    # The reference is trained once and then shared; an unchanged contribution answers at once.
    again = harness("contribution", "Foo", *BUDGET)
    assert "Nothing has changed" in again.stdout
    assert row_of(hub, "Foo") == row

    # What was recorded appears where the leaderboard keeps it.
    recorded = harness("contribution", "Foo", *BUDGET, "--record")
    assert recorded.returncode == 0
    assert read_row(hub / "leaderboard" / "results" / "robot" / "Foo.json") == row

    # It can be verified, previewed, compared, and says why it would have to run again.
    verified = harness("verify", "Foo")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "Agrees" in verified.stdout
    assert "Foo (this run)" in harness("preview", "Foo").stdout
    compared = harness("compare", "Foo", "reference", "--seeds", "1")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    page = (hub / "runs" / "robot" / "compare" / "Foo-reference.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4 * 9
    assert harness("why-stale", "Foo").returncode == 0
    with (hub / "CONTRIBUTIONS" / "Foo" / "README.md").open("a") as readme:
        readme.write("More words.\n")
    assert harness("why-stale", "Foo").returncode == 0  # words change nothing that is measured
    with (hub / "CONTRIBUTIONS" / "Foo" / "src" / "lora.py").open("a") as code:
        code.write("# More code.\n")
    stale = harness("why-stale", "Foo")
    assert stale.returncode == 1
    assert "CONTRIBUTIONS/Foo changed" in stale.stdout


def test_an_adapter_that_is_no_change_of_weights_is_judged_by_its_pictures(hub, harness):
    source = hub / "tests" / "fixtures" / "contributions" / "NotAffine"
    shutil.copytree(source, hub / "CONTRIBUTIONS" / "NotAffine")
    result = harness("contribution", "NotAffine", *BUDGET, "--skip-gate")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "not ranked" in result.stdout
    row = row_of(hub, "NotAffine")
    assert row.status == "unmergeable"
    assert row.verdict is None
    assert row.own_pictures[0].own.similarity is not None


def test_generate_uses_the_newest_adapter_and_trains_first_when_there_is_none(hub, harness):
    out = hub / "pictures"
    arguments = ["--prompt", "a sks robot", "--count", "2", "--steps", "3", "--seed", "5"]
    result = harness("generate", "Example1", *arguments, "--out", str(out))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "so it trains first" in result.stdout
    names = sorted(path.name for path in out.iterdir())
    assert names == ["a-sks-robot-5.png", "a-sks-robot-6.png", "grid.png"]
    first = (out / names[0]).read_bytes()

    # Each picture says what made it.
    drawing = read_drawing(out / names[1])
    assert (drawing.contribution, drawing.base) == ("Example1", "models/random")
    assert (drawing.prompt, drawing.seed, drawing.config.num_inference_steps) == (
        "a sks robot",
        6,
        3,
    )
    (adapter,) = (hub / "runs/robot/Example1").glob("*/train/seed-0/adapter.safetensors")
    assert drawing.adapter_sha256 == tensors_hash(adapter)
    assert drawing.base_sha256 == base_hash(load_pipeline(hub / "models/random"))
    with Image.open(out / names[1]) as picture:
        assert "Sampler: PLMS, CFG scale: 3, Seed: 6" in picture.info["parameters"]

    base = harness("generate", "Example1", *arguments, "--scale", "0", "--out", str(hub / "base"))
    assert base.returncode == 0
    assert "trains first" not in base.stdout
    assert (hub / "base" / names[0]).read_bytes() != first

    # A LoRA file of anybody's, beside the contribution's own adapter.
    layer = LoraLayer(torch.randn(2, 16, 1, 1), torch.randn(16, 2, 1, 1), alpha=2.0)
    file = hub / "style.safetensors"
    write_lora(Lora({"unet.mid_block.attentions.0.proj_in": layer}), file)
    more = ["--lora", f"{file}:0.7", "--out", str(hub / "more")]
    result = harness("generate", "Example1", *arguments, *more)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (hub / "more" / names[0]).read_bytes() != first
    assert read_drawing(hub / "more" / names[0]).loras[0].weight == 0.7

    # Nothing is ignored in silence: Example1's own generate knows no samplers.
    result = harness("generate", "Example1", *arguments, "--scheduler", "ddim")
    assert result.returncode == 1
    assert "the base's own sampler only" in result.stderr


def test_a_contribution_that_raises_leaves_a_failed_row_and_exits_non_zero(hub, harness):
    source = hub / "tests" / "fixtures" / "contributions" / "RaisesInTrain"
    shutil.copytree(source, hub / "CONTRIBUTIONS" / "RaisesInTrain")
    result = harness("contribution", "RaisesInTrain", *BUDGET)
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


def test_a_folder_with_faults_is_not_run_and_all_faults_are_shown(hub, harness):
    folder = hub / "CONTRIBUTIONS" / "Broken"
    shutil.copytree(hub / "tests/fixtures/contributions/StopsEarly", folder)
    text = (folder / "contribution.toml").read_text().replace("StopsEarly", "Broken")
    (folder / "contribution.toml").write_text(text)
    shutil.rmtree(folder / "Dataset")
    (folder / "src" / "main.py").write_text("from lora import make_lora\n")
    result = harness("contribution", "Broken", *BUDGET)
    assert result.returncode == 1
    assert result.stdout.count("HUB") + result.stderr.count("HUB") >= 2
    assert row_of(hub, "Broken").error.kind == "CheckError"
    assert not list((hub / "runs" / "robot" / "Broken").glob("*/train"))


def test_the_real_base_is_taught_and_nothing_is_written_outside_the_run_folder(tmp_path):
    hub = clone(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in source_files(hub)}
    words = ("-m", "harness", "contribution", "Example1", "--seeds", "1,", "--skip-gate")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, *words], cwd=hub, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Example1 lowers the held-out loss" in result.stdout
    assert row_of(hub, "Example1").status == "ok"
    assert {p: p.stat().st_mtime_ns for p in source_files(hub)} == before


def source_files(hub: Path):
    for path in hub.rglob("*"):
        inside = path.relative_to(hub).parts
        if path.is_file() and inside[0] != "runs" and "__pycache__" not in inside:
            yield path


def test_a_recipe_is_trained_scored_and_says_whose_work_it_is(hub, harness):
    words = ("contribution", "PiSSA", "--with", "train=MinSNR", *BUDGET)
    result = harness(*words, "--skip-gate")
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
    refused = harness(*words, "--record")
    assert refused.returncode == 2
    assert "nox -s new -- MyMix --with make_lora=PiSSA --with train=MinSNR" in refused.stderr

    # The name of its runs is a name for every other command, too.
    drawn = harness("generate", "PiSSA+MinSNR", "--prompt", "a robot", "--steps", "2")
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    (picture,) = (hub / "runs" / "generated" / "PiSSA+MinSNR").glob("*.png")
    assert read_drawing(picture).origins == row.origins
