"""The page of proposed captions in a real browser: what is typed there is what is saved."""

from __future__ import annotations

import json

import pytest

from tests.harness.board.browser import browser, find_browser
from tests.situations.situation import good, write
from toolkit.picture_sets.cli import main
from toolkit.picture_sets.propose import read_lines

# The text of what is offered as a file.
SAVED = """new Promise(done => {
  const offered = URL.createObjectURL;
  URL.createObjectURL = blob => { blob.text().then(done); return offered(blob); };
  document.querySelectorAll("textarea")[1].value = 'a "red" mug,\\nbroken';
  document.getElementById("save").click();
})"""


@pytest.mark.skipif(find_browser() is None, reason="no browser on this machine")
def test_corrected_captions_are_saved_as_the_list_that_is_read(tmp_path, monkeypatch):
    write(good(3), tmp_path)
    monkeypatch.chdir(tmp_path)

    class Rude:
        name = "fake"

        def words(self, hit, picture):
            return '</textarea><script>document.title = "broken in"</script>'

    monkeypatch.setattr("toolkit.scrapers.captions.writers.make_captioner", lambda *_: Rude())
    assert main(["caption", "photos", "--caption", "blip", "--all"]) == 0
    with browser(tmp_path) as page:
        page.open((tmp_path / "runs/captions/photos/captions.html").as_uri())
        assert page.run("document.title") == "Captions of photos"
        text = page.run(SAVED)
        assert page.complaints() == []
    (tmp_path / "saved.jsonl").write_text(text, encoding="utf-8")
    assert len(text.splitlines()) == 3
    assert json.loads(text.splitlines()[1])["text"] == 'a "red" mug,\nbroken'
    found = read_lines(tmp_path / "saved.jsonl")
    assert found["1.png"] == 'a "red" mug, broken'
    assert "</textarea>" in found["0.png"]
