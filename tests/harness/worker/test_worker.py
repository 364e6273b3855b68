"""Real workers on contributions that are wrong in one way each."""

import os
import time
from pathlib import Path

import psutil
import pytest

from harness.contributions.registry import load, load_reference
from harness.sandbox.child import Child, run_children
from harness.sandbox.environment import child_environment
from harness.worker.jobs import Answer, TrainJob, seed_folder
from tests.harness.forked import ForkedChild
from tests.harness.support import FIXTURES


class Silent:
    """A progress that shows nothing."""

    def update(self, label, done, text): ...

    def finish(self, label, *, ok): ...


def drawing_little(contribution):
    """The contribution with two steps a picture instead of twenty."""
    file = contribution.file
    generate = file.settings.generate.model_copy(update={"num_inference_steps": 2})
    settings = file.settings.model_copy(update={"generate": generate})
    return contribution.model_copy(update={"file": file.model_copy(update={"settings": settings})})


def start(name, base, out, timeout_s=600, steps=3, kind=Child, **options):
    contribution = load(str(FIXTURES / name)) if name != "reference" else load_reference()
    job = TrainJob(
        contribution=drawing_little(contribution),
        reference=load_reference(),
        base_model=str(base),
        out=out,
        data_dir=Path("tracks/robot/train").resolve(),
        resolution=64,
        steps=steps,
        batch_size=2,
        seeds=(0,),
        prompts=("a robot",),
    )
    read = Answer.model_validate_json
    return kind(name, "harness.worker.main", job, out, timeout_s, read, **options)


def run(name, base, out, **options):
    child = start(name, base, out, **options)
    run_children([child], Silent())
    assert child.outcome is not None
    return child.outcome


# Both kinds of answers cross the sandbox once; the others come from forks, which need no start.
ALL_THE_WAY = ("RaisesInItem", "HooksTheText")


def quickest(name):
    return Child if name in ALL_THE_WAY or not hasattr(os, "fork") else ForkedChild


def is_alive(pid):
    """Tell whether a process runs; a zombie that waits for its new parent counts as ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def processes_naming(path):
    """Find processes with a path on their command line, wherever they hang in the tree."""
    return [p for p in psutil.process_iter(["cmdline"]) if str(path) in str(p.info["cmdline"])]


def test_the_reference_trains_and_leaves_its_files(random_base, tmp_path):
    outcome = run("reference", random_base, tmp_path / "out")
    assert outcome.status == "ok", outcome.error
    seed = outcome.answer.seeds[0]
    assert len(seed.losses) == 3
    assert seed.merge_error < 1e-4
    assert seed.trainable_parameters > 0
    folder = seed_folder(tmp_path / "out", 0)
    assert (folder / "delta.safetensors").is_file()
    assert (folder / "adapter.safetensors").is_file()
    assert (folder / "own-0.png").is_file()
    assert not list((tmp_path / "out").rglob("*.tmp"))


FAULTS = {
    "RaisesInDataset": ("HookError", "make_dataset", "src/main.py:12 in open_pictures"),
    "RaisesInLora": ("HookError", "make_lora", "src/main.py:8 in make_lora"),
    "RaisesInTrain": ("HookError", "train", "src/main.py:12 in train"),
    "RaisesInGenerate": ("HookError", "generate", "src/main.py:8 in"),
    "ReturnsNone": ("HookResultError", "make_lora", "ReturnsNone/src/main.py:7 in make_lora"),
    "StopsEarly": ("HookResultError", "1 losses", "StopsEarly/src/main.py:7 in train"),
    "ChangesTheVae": ("HookResultError", "VAE", ""),
    "TrainsInSecret": ("HookResultError", "does not bring the trained model back", ""),
    "RaisesInItem": ("HookError", "picture 0 went missing", "src/main.py:11 in __getitem__"),
    "Explodes": ("HookResultError", "NaN", ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_an_answer_that_names_what_and_where(name, random_base, tmp_path):
    kind, what, where = FAULTS[name]
    outcome = run(name, random_base, tmp_path / "out", kind=quickest(name))
    assert outcome.status == "failed"
    assert outcome.error.kind == kind
    assert what in outcome.error.what
    assert where in (outcome.error.where or "")
    assert outcome.error.fix


UNMERGEABLE = {"NotAffine": "no longer an affine map", "HooksTheText": "relative error"}


@pytest.mark.parametrize("name", UNMERGEABLE)
def test_what_is_no_change_of_weights_leaves_its_own_pictures_and_says_why(
    name, random_base, tmp_path
):
    outcome = run(name, random_base, tmp_path / "out", kind=quickest(name))
    assert outcome.status == "ok", outcome.error
    assert UNMERGEABLE[name] in outcome.answer.seeds[0].unmergeable
    folder = seed_folder(tmp_path / "out", 0)
    assert (folder / "own-0.png").is_file()
    assert not (folder / "delta.safetensors").exists()


def test_the_log_tail_is_kept_without_control_characters(random_base, tmp_path):
    outcome = run("RaisesInTrain", random_base, tmp_path / "out")
    log = "\n".join(outcome.error.log_tail)
    assert "step 2 <script>" in log
    assert "ZeroDivisionError" in log
    assert "src/main.py" in log
    assert "site-packages" not in log  # the contribution's own lines of the traceback only
    assert "harness/" not in log
    whole = (tmp_path / "out" / "log.txt").read_text()
    assert "harness/worker/hooks.py" in whole
    assert "\x1b" not in log


@pytest.mark.parametrize("name", ["ExitsQuietly", "ForgesItsAnswer"])
def test_a_worker_that_ends_without_a_true_answer_has_crashed(name, random_base, tmp_path):
    outcome = run(name, random_base, tmp_path / "out")
    assert outcome.status == "crashed"
    assert outcome.error.kind == "WorkerCrash"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_the_time_limit_ends_the_worker_and_its_children(random_base, tmp_path):
    outcome = run("Hangs", random_base, tmp_path / "out", timeout_s=12)
    assert outcome.status == "timeout"
    assert "12 s" in outcome.error.what
    assert any("child" in line for line in outcome.error.log_tail)
    assert not processes_naming(tmp_path)


def test_the_first_failure_ends_the_others(random_base, tmp_path):
    quick = start("RaisesInDataset", random_base, tmp_path / "a")
    slow = start("Hangs", random_base, tmp_path / "b", timeout_s=600)
    began = time.monotonic()
    run_children([quick, slow], Silent())
    assert time.monotonic() - began < 120
    assert quick.outcome is not None
    assert quick.outcome.error is not None
    assert slow.outcome is None


def test_secrets_do_not_reach_a_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("API_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "secret")
    environment = child_environment(tmp_path, "1")
    assert "secret" not in environment.values()
    assert environment["HOME"].startswith(str(tmp_path))
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert os.environ["PATH"] == environment["PATH"]
