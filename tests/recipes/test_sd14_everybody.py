"""Everybody at Stable Diffusion 1.4's size: the committed result, and the page made from it."""

from __future__ import annotations

import pytest

from harness.contributions import registry
from recipes.sd14_size import everybody
from toolkit.core.settings import REFERENCE_NAME


def test_the_committed_page_is_that_of_the_committed_result():
    assert everybody.PAGE.read_text(encoding="utf-8") == everybody.page(everybody.read())


def test_everybody_was_tried():
    names = [REFERENCE_NAME, *registry.contribution_names()]
    assert [one.name for one in everybody.read()] == names


def test_one_that_fails_says_why():
    size = everybody.Size(name="Odd", state="fails", hashes=("a", "b"), seconds=2.0, said="no room")
    assert "| Odd | fails: no room | 0 | 0.0 | 2 |" in everybody.page([size])


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(everybody, "RESULT", tmp_path / "everybody.json")
    monkeypatch.setattr(everybody, "PAGE", tmp_path / "page.md")
    return tmp_path


def test_what_works_is_not_tried_again(elsewhere, monkeypatch):
    tried = []

    def nobody(one, base, hashes):
        tried.append(one.file.name)
        return everybody.Size(name=one.file.name, state="works", hashes=hashes, seconds=1.0)

    monkeypatch.setattr(everybody, "tried", nobody)
    monkeypatch.setattr(everybody, "build_base", lambda: elsewhere)
    assert everybody.everybody() == 0
    everyone = [REFERENCE_NAME, *registry.contribution_names()]
    assert tried == everyone

    first = everybody.read()
    changed = first[1].model_copy(update={"hashes": ("older", "older")})
    everybody.write([first[0], changed, *first[2:]])
    tried.clear()
    assert everybody.everybody() == 0
    assert tried == [everyone[1]]
