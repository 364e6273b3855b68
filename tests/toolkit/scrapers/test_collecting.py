"""From a query to a folder, against a real server."""

from __future__ import annotations

import hashlib

from PIL import Image


def test_a_query_becomes_pictures_captions_and_credits(archive, scrape):
    archive.openverse(archive.pictures(7), page_size=3)
    result = scrape("--count", "7")
    assert (result.code, result.err) == (0, "")
    assert "7 of 7 pictures" in result.out
    folder = result.folder
    assert len(folder.names) == 7
    for name in folder.names:
        data = (folder.path / "Images" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest().startswith(name.removesuffix(".jpg"))
        with Image.open(folder.path / "Images" / name) as picture:
            assert picture.size == (96, 80)
    assert set(folder.captions) == {name.removesuffix(".jpg") for name in folder.names}
    assert "Red panda number a in a tree\n" in folder.captions.values()
    metadata = folder.lines("metadata.jsonl")
    assert {line["file_name"] for line in metadata} == {f"Images/{n}" for n in folder.names}
    first = folder.lines("sources.jsonl")[0]
    assert first["license"] == "by"
    assert first["creator"] == "Ada (the) [photographer]"
    credits = (folder.path / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "7 pictures: 7 by." in credits
    assert r"[Ada \(the\) \[photographer\]](https://example.org/people/ada)" in credits
    assert not (folder.path / ".scraping").exists()


def test_the_search_stops_when_there_are_enough(archive, scrape):
    archive.openverse(archive.pictures(30), page_size=5)
    assert scrape("--count", "4").code == 0
    assert archive.asked("/images/")["/images/"] == 1
    assert sum(archive.asked("/p/").values()) == 4
