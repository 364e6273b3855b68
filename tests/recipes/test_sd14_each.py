"""Every contribution at Stable Diffusion 1.4's size: the committed result and its page."""

from __future__ import annotations

import pytest

from harness.contributions import registry
from recipes.sd14_size import each
from toolkit.core.settings import REFERENCE_NAME


def test_the_committed_page_is_that_of_the_committed_result():
    assert each.PAGE.read_text(encoding="utf-8") == each.page(each.read())


def test_every_contribution_was_tried():
    names = [REFERENCE_NAME, *registry.contribution_names()]
    assert [one.name for one in each.read()] == names


def test_one_that_fails_says_why():
    size = each.Size(name="Odd", state="fails", hashes=("a", "b"), seconds=2.0, reason="no room")
    assert "| Odd | fails: no room | 0 | 0.0 | 2 |" in each.page([size])


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(each, "RESULT", tmp_path / "each.json")
    monkeypatch.setattr(each, "PAGE", tmp_path / "page.md")
    return tmp_path


def test_what_works_is_not_tried_again(elsewhere, monkeypatch):
    tried = []

    def nobody(one, base, hashes):
        tried.append(one.file.name)
        return each.Size(name=one.file.name, state="works", hashes=hashes, seconds=1.0)

    monkeypatch.setattr(each, "tried", nobody)
    monkeypatch.setattr(each, "build_base", lambda: elsewhere)
    assert each.measure_all() == 0
    everyone = [REFERENCE_NAME, *registry.contribution_names()]
    assert tried == everyone

    first = each.read()
    changed = first[1].model_copy(update={"hashes": ("older", "older")})
    each.write([first[0], changed, *first[2:]])
    tried.clear()
    assert each.measure_all() == 0
    assert tried == [everyone[1]]
