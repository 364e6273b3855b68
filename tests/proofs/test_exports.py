"""Every contribution's export: the committed result, and the page made from it."""

from __future__ import annotations

import pytest

from harness.contributions import registry
from tests.proofs.exports import __main__ as exports
from toolkit.core.settings import REFERENCE_NAME


def test_the_committed_page_is_that_of_the_committed_result():
    assert exports.BOOK.page.read_text(encoding="utf-8") == exports.BOOK.text(exports.BOOK.read())


def test_every_contribution_was_tried_and_none_fails():
    found = {one.name: one for one in exports.BOOK.read()}
    assert set(found) == {REFERENCE_NAME, *registry.contribution_names()}
    for one in found.values():
        assert all(export.state != "fails" for export in one.exports.values()), one.name
        assert one.exports["merged"].state == "works", one.name


def test_a_file_that_holds_everything_draws_the_same_picture():
    for one in exports.BOOK.read():
        for export in one.exports.values():
            if export.state == "works" and (export.left_out or 0.0) < 0.001:
                assert export.apart < 0.001, one.name


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("error: Training changed 3 parameters that no LoRA holds, and no weight: a.\n  fix  x", "refused"),  # noqa: E501
        ("note\nerror: A LoRA file holds no biases, norms or embeddings, and", "refused"),
        ("error: What X trained is no change of the base's weights, so no file can hold it.", "refused"),  # noqa: E501
        ("error: The library makes something else of the file: off by 3%.", "fails"),
        ("Traceback\nKeyError: 'x'", "fails"),
    ],
)  # fmt: skip
def test_only_what_a_format_has_no_room_for_is_a_reason(reason, state):
    assert exports.refused(reason).state == state


def test_the_figures_of_a_line_are_shares():
    kohya = exports.Export(state="works", made_of="its own factors", left_out=2e-4, apart=1e-5)
    merged = exports.Export(state="works", apart=0.0, changed=0.05)
    one = exports.Exports(name="Foo", hashes=("a", "b"), exports={"kohya": kohya, "merged": merged})
    assert (
        exports.BOOK.text([one]).splitlines()[-1]
        == "| Foo | its own factors | 0.02% | <0.01% | 0.00% | 5.00% |"
    )
