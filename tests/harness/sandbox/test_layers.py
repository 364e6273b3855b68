"""Choosing a layer, by really trying them."""

import subprocess
import sys

import pytest

from harness import paths
from harness.sandbox import layers, seccomp, trial
from harness.sandbox.choose import choose, why_not
from toolkit.core.errors import EnvironmentFault

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the layers need Linux")


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.delenv(layers.WANTED, raising=False)
    monkeypatch.delenv(layers.REQUIRED, raising=False)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    trial.remembered.cache_clear()
    yield
    trial.remembered.cache_clear()


def test_the_strongest_that_works_is_chosen():
    chosen = choose()
    assert why_not(chosen) is None
    stronger = layers.LAYERS[: layers.LAYERS.index(chosen)]
    assert all(why_not(layer) for layer in stronger)


@LINUX
def test_a_trial_is_remembered_until_the_next_boot(tmp_path, monkeypatch):
    chosen = choose()
    if chosen == "process":
        pytest.skip("no layer works here")
    trial.remembered.cache_clear()

    def never(layer):
        raise AssertionError("it was tried again")

    monkeypatch.setattr(trial, "trial", never)
    assert choose() == chosen
    (tmp_path / "runs" / ".sandbox-trials.json").write_text("[]")  # damaged: tried again
    trial.remembered.cache_clear()
    with pytest.raises(AssertionError):
        choose(chosen)


def test_a_layer_can_be_asked_for_by_option_and_by_variable(monkeypatch):
    assert choose("process") == "process"
    monkeypatch.setenv(layers.WANTED, "process")
    assert choose() == "process"


def test_an_unknown_layer_is_named_with_the_known_ones():
    with pytest.raises(EnvironmentFault, match="no isolation layer 'chroot'") as error:
        choose("chroot")
    assert "bubblewrap" in error.value.fix


def test_a_layer_that_is_not_there_is_an_error_with_its_reason(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentFault, match="'bubblewrap' does not work here: "):
        choose("bubblewrap")


def test_ci_fails_below_the_layer_that_it_requires(monkeypatch):
    monkeypatch.setenv(layers.REQUIRED, "namespaces")
    with pytest.raises(EnvironmentFault, match="HUB_REQUIRE_ISOLATION=namespaces, but"):
        choose("process")


@LINUX
def test_a_trial_complains_about_a_layer_that_does_not_hold(monkeypatch):
    monkeypatch.setattr(layers, "landlock_rules", lambda view: None)
    monkeypatch.setattr(seccomp, "supported", lambda: True)
    complaint = trial.trial("landlock")
    assert complaint is not None
    assert "can be read" in complaint
    assert "can be written to" in complaint


def test_the_command_shows_the_layer_and_what_it_promises():
    done = subprocess.run(
        [sys.executable, "-m", "harness", "generate", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--isolation" in done.stdout
    assert "--trust" in done.stdout
