"""Every contribution at Stable Diffusion 1.4's size: the committed result and its page."""

from __future__ import annotations

import pytest

from harness.contributions import registry
from tests.proofs.sd14_size import each
from tests.proofs.sd14_size.each import BOOK
from toolkit.core.settings import REFERENCE_NAME


def test_the_committed_page_is_that_of_the_committed_result():
    assert BOOK.page.read_text(encoding="utf-8") == BOOK.text(BOOK.read())


def test_every_contribution_was_tried():
    names = [REFERENCE_NAME, *registry.contribution_names()]
    assert [one.name for one in BOOK.read()] == names


def test_one_that_fails_says_why():
    size = each.Size(name="Odd", state="fails", hashes=("a", "b"), seconds=2.0, reason="no room")
    assert "| Odd | fails: no room | 0 | 0.0 | 2 |" in BOOK.text([size])


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(BOOK, "result", tmp_path / "each.json")
    monkeypatch.setattr(BOOK, "page", tmp_path / "page.md")
    return tmp_path


def test_what_works_is_not_tried_again(elsewhere):
    tried = []

    def nobody(one, hashes):
        tried.append(one.file.name)
        return each.Size(name=one.file.name, state="works", hashes=hashes, seconds=1.0)

    assert BOOK.run(nobody) == 0
    everyone = [REFERENCE_NAME, *registry.contribution_names()]
    assert tried == everyone

    first = BOOK.read()
    changed = first[1].model_copy(update={"hashes": ("older", "older")})
    BOOK.write([first[0], changed, *first[2:]])
    tried.clear()
    assert BOOK.run(nobody) == 0
    assert tried == [everyone[1]]
