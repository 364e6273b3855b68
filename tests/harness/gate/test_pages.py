"""Every probe has a page, the pages tell the truth, and `explain` finds them without torch."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from harness import paths
from harness.check.python_source import Module
from harness.gate.catalogue import all_probes, choose
from harness.gate.experiments import EXPERIMENTS
from toolkit.core.errors import EnvironmentFault, UsageError

PAGES = sorted(paths.GATE_DOCS.glob("HUB-C*.md"))


def test_every_probe_has_a_page_and_every_page_a_probe():
    assert [page.stem for page in PAGES] == [probe.id for probe in all_probes()]


@pytest.mark.parametrize("probe", all_probes(), ids=lambda probe: probe.id)
def test_a_page_agrees_with_its_probe(probe):
    text = (paths.GATE_DOCS / f"{probe.id}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {probe.id}: {probe.title}\n")
    assert ("An error:" in text) == (probe.severity == "error")
    assert ("[gate]" in text) == probe.exemptible
    wrong, right = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for code in (wrong, right):
        assert Module("example.py", code).fault is None
    for toml in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        assert tomllib.loads(toml)["gate"]["exempt"].keys() == {probe.id}


@pytest.mark.parametrize("probe", all_probes(), ids=lambda probe: probe.id)
def test_a_finding_takes_its_words_from_the_page(probe):
    page = (paths.GATE_DOCS / f"{probe.id}.md").read_text(encoding="utf-8")
    assert probe.meaning.endswith(".") and probe.fix
    assert "```" not in probe.meaning + probe.fix
    words = " ".join(page.split())
    assert f"## Why it matters {probe.meaning} ##" in words
    assert probe.fix in words.partition(" ## Right ")[2].partition(" ## ")[0]


def test_a_probe_without_its_page_says_where_it_should_be(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "GATE_DOCS", tmp_path)
    probe = replace(choose(("HUB-C20",))[0])  # one that has not read its page yet
    with pytest.raises(EnvironmentFault, match=r"HUB-C20 is missing") as caught:
        probe.meaning  # noqa: B018
    assert caught.value.where == str(tmp_path / "HUB-C20.md")


def test_every_probe_names_an_experiment_and_known_causes():
    known = {one.id for one in choose(())}
    for probe in all_probes():
        assert probe.experiment in EXPERIMENTS or probe.id == "HUB-C00"
        assert probe.id not in probe.because
        assert set(probe.because) <= known


def test_explain_knows_probes_without_waking_torch():
    code = (
        "import sys; from harness.commands.cli import main; main(['explain', 'hub-c18']); "
        "main(['explain']); "
        "assert 'torch' not in sys.modules"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.startswith("# HUB-C18: The saved adapter does not bring the model back")
    assert "HUB-C20  The untrained adapter changes the base  (error, exemptible)" in shown
    assert "training.noise  The noise that is added  (error, differs)" in shown
    assert "training.order  In which order the pictures come  (error, differs)" in shown
    assert "training.mode  In which mode the U-Net trains  (hint, differs)" in shown
    assert "drawing.order  Which picture is whose  (error)" in shown


def test_an_unknown_probe_is_a_wrong_call():
    with pytest.raises(UsageError, match="HUB-C99"):
        choose(("HUB-C99",))
    assert [probe.id for probe in choose(("hub-c18",))] == ["HUB-C18"]
