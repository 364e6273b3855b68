"""Each archive's interface, by JSON of the shape that it was recorded with."""

from __future__ import annotations

import pytest

from toolkit.scrapers.providers import PROVIDERS


def commons_page(i: int, url: str) -> dict:
    return {
        "pageid": 1000 - i,
        "ns": 6,
        "title": f"File:Red panda IMG {4000 + i}.jpg",
        "index": i + 1,
        "imagerepository": "local",
        "imageinfo": [
            {
                "size": 4_000_000,
                "width": 4000,
                "height": 3000,
                "thumburl": url,
                "thumbwidth": 1280,
                "thumbheight": 960,
                "url": "https://upload.wikimedia.org/original.jpg",
                "descriptionurl": f"https://commons.wikimedia.org/wiki/File:Panda_({i}).jpg",
                "mime": "image/jpeg",
                "extmetadata": {
                    "ObjectName": {"value": f"Red panda IMG {4000 + i}", "source": "x"},
                    "ImageDescription": {
                        "value": '<div class="en">A <b>red panda</b> on a branch.<br>Taken with a '
                        "phone.</div>",
                        "source": "commons-desc-page",
                    },
                    "Artist": {"value": '<a href="//x" title="User:Eve">Eve &amp; co</a>'},
                    "LicenseShortName": {"value": "CC BY 4.0"},
                    "LicenseUrl": {"value": "https://creativecommons.org/licenses/by/4.0"},
                    "Categories": {"value": "Ailurus fulgens|Animals in trees"},
                },
            }
        ],
    }


@pytest.fixture
def commons(archive):
    """Wikimedia Commons with five pictures, two to a page, in another order than the search's."""
    urls = archive.pictures(5)

    def answer(exchange):
        start = int(exchange.query.get("gsroffset", "0"))
        pages = [commons_page(i, urls[i]) for i in range(start, min(start + 2, 5))]
        body = {"batchcomplete": True, "query": {"pages": pages[::-1]}}
        if start + 2 < 5:
            body["continue"] = {"gsroffset": start + 2, "continue": "gsroffset||"}
        exchange.answer_json(body)

    archive.routes["/w/api.php"] = answer
    return archive


def test_wikimedia_is_paged_to_its_end_and_told_who_asks(commons, scrape, monkeypatch):
    monkeypatch.setenv("CONTACT", "ada@example.org")
    result = scrape("--provider", "wikimedia", "--count", "50")
    assert result.code == 0
    assert commons.asked("/w/")["/w/api.php"] == 3
    assert {request.headers["User-Agent"] for request in commons.record.requests} == {
        "sd-lora-finetuning/0.1 (ada@example.org)"
    }
    sources = result.folder.lines("sources.jsonl")
    assert [s["page_url"] for s in sources] == [
        f"https://commons.wikimedia.org/wiki/File:Panda_({i}).jpg" for i in range(5)
    ]
    assert sources[0]["creator"] == "Eve & co"
    assert sources[0]["license"] == "by"
    # The title says nothing but a camera's number; the description's first sentence does.
    assert set(result.folder.captions.values()) == {"A red panda on a branch\n"}
    credits = (result.folder.path / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "(https://commons.wikimedia.org/wiki/File:Panda_%280%29.jpg)" in credits


def test_wikimedias_own_error_is_shown(archive, scrape, monkeypatch):
    monkeypatch.setenv("CONTACT", "ada@example.org")
    lag = {"error": {"code": "maxlag", "info": "Waiting for a server: 7 seconds lagged"}}
    archive.routes["/w/api.php"] = lambda exchange: exchange.answer_json(lag)
    result = scrape("--provider", "wikimedia")
    assert result.code == 1
    assert "7 seconds lagged" in result.err


def test_bings_pages_follow_nextoffset_and_its_key_travels_in_a_header(
    archive, scrape, monkeypatch
):
    monkeypatch.setenv("API_KEY", "sesame")
    urls = archive.pictures(5)

    def answer(exchange):
        assert exchange.headers["Ocp-Apim-Subscription-Key"] == "sesame"
        offset = int(exchange.query["offset"])
        # Pages overlap by one, and the last one says its own offset.
        part = urls[max(0, offset - 1) : offset + 2]
        value = [
            {"name": f"Red panda {u}", "contentUrl": u, "hostPageUrl": "https://x.org"}
            for u in part
        ]
        following = min(offset + 2, 6) if offset < 5 else offset
        exchange.answer_json({"_type": "Images", "value": value, "nextOffset": following})

    archive.routes["/v7.0/images/search"] = answer
    result = scrape("--provider", "bing", "--licences", "cc0,pdm,by,unknown", "--count", "50")
    assert (result.code, len(result.folder.names)) == (0, 5)
    assert "sesame" not in result.out + result.err
    assert all(
        b"sesame" not in p.read_bytes() for p in result.folder.path.rglob("*") if p.is_file()
    )


def test_bing_is_gone_and_says_so_before_any_request(
    archive, scrape, monkeypatch, tmp_path, capsys
):
    from src.scraping import main

    assert main(["x", "--provider", "bing", "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert "retired the Bing Image Search API on 2025-08-11" in text
    assert "API_KEY" in text
    assert "licence" in text
    assert not (tmp_path / "out").exists()


def test_brave_has_one_page(archive, scrape, monkeypatch):
    monkeypatch.setenv("API_KEY", "sesame")
    results = [
        {
            "type": "image_result",
            "title": "A red panda asleep",
            "url": "https://x.org",
            "properties": {"url": u},
        }
        for u in archive.pictures(3)
    ]

    def answer(exchange):
        assert exchange.headers["X-Subscription-Token"] == "sesame"
        exchange.answer_json({"type": "images", "results": results})

    archive.routes["/res/v1/images/search"] = answer
    result = scrape("--provider", "brave", "--licences", "unknown", "--count", "9")
    assert (result.code, len(result.folder.names)) == (0, 3)


def test_openverse_gets_the_token_the_licences_and_no_more_than_twenty_a_page(
    archive, scrape, monkeypatch
):
    monkeypatch.setenv("OPENVERSE_TOKEN", "sesame")
    archive.openverse(archive.pictures(2), license="by-sa")
    assert scrape("--licences", "cc0,by-sa").code == 0
    request = archive.record.requests[0]
    assert request.headers["Authorization"] == "Bearer sesame"
    assert "license=cc0%2Cby-sa" in request.path
    assert "page_size=20" in request.path
    assert "mature=false" in request.path


@pytest.mark.parametrize("name", PROVIDERS)
def test_fields_that_are_missing_null_or_of_another_type_do_no_harm(
    archive, scrape, monkeypatch, name
):
    monkeypatch.setenv("API_KEY", "sesame")
    monkeypatch.setenv("CONTACT", "ada@example.org")
    odd = [
        None,
        7,
        "x",
        {},
        {"url": None, "tags": [None, {"name": 3}], "title": [], "width": "big"},
    ]
    odd += [
        {"properties": 3, "contentUrl": 4, "imageinfo": {"a": 1}},
        {"imageinfo": [{"url": 5}, None]},
    ]
    answers = {
        "results": odd,
        "value": odd,
        "query": {"pages": odd},
        "continue": "x",
        "page_count": "many",
    }
    for path in ("/images/", "/w/api.php", "/v7.0/images/search", "/res/v1/images/search"):
        archive.routes[path] = lambda exchange: exchange.answer_json(answers)
    result = scrape("--provider", name, "--licences", "by,unknown")
    assert result.code == 1
    assert "0 of 5 pictures" in result.out
    assert "Traceback" not in result.err


# --- an interface that does not do what it should ------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (401, (), b'{"detail": "no"}', ["wants a key", "OPENVERSE_TOKEN", "docs/scraping.md"]),
        (403, (), b"<html>blocked</html>", ["refuses this machine", "another network"]),
        (429, (), b"{}", ["had enough", "Come back later"]),
        (429, [("Retry-After", "86400")], b"{}", ["had enough", "in 86400 s"]),
        (429, [("Retry-After", "soon")], b"{}", ["had enough", "after soon"]),
        (400, (), b'{"detail": {"q": ["too long"]}}', ["refuses the request (400)", "too long"]),
        (502, (), b"<html>", ["out of order (502)"]),
        (302, [("Location", "https://elsewhere.example/x")], b"", ["moved", "elsewhere.example"]),
        (200, (), b"", ["nothing at all"]),
        (200, (), b"<html>please log in</html>", ["something else than JSON", "web page"]),
        (200, (), b'{"results": [', ["something else than JSON"]),
        (200, (), b"[" * 100_000, ["something else than JSON"]),
        (200, (), b"[]", ["another shape"]),
    ],
)
def test_a_refusal_is_one_clear_message(archive, scrape, status, headers, body, words):
    archive.routes["/images/"] = lambda exchange: exchange.answer(
        body, status=status, kind="text/html", headers=headers
    )
    result = scrape("--retries", "1")
    assert result.code == 1
    assert result.err.startswith("error: The search service")
    for word in words:
        assert word in result.err
    assert archive.url in result.err
    assert len(archive.record.requests) <= 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_and_not_shown(archive, scrape, monkeypatch, status):
    monkeypatch.setenv("OPENVERSE_TOKEN", "sesame")
    archive.routes["/images/"] = lambda exchange: exchange.answer_json(
        {"detail": "Bearer sesame is not valid"}, status=status
    )
    result = scrape()
    assert "Check OPENVERSE_TOKEN in .env" in result.err
    assert "Bearer <key> is not valid" in result.err
    assert "sesame" not in result.err + result.out


@pytest.mark.parametrize("headers", [(), [("Retry-After", "0")], [("Retry-After", "1")]])
def test_a_busy_service_is_asked_again_when_it_wants(archive, scrape, headers):
    archive.openverse(archive.pictures(2))
    real = archive.routes["/images/"]

    def busy_first(exchange):
        if len(archive.record.requests) == 1:
            exchange.answer_json({}, status=429, headers=headers)
        else:
            real(exchange)

    archive.routes["/images/"] = busy_first
    assert scrape().code == 0
    first, second = (r.at for r in archive.record.requests[:2])
    assert second - first >= (1.0 if headers and headers[0][1] == "1" else 0.0)


def test_what_was_found_before_a_refusal_is_kept_and_the_next_run_goes_on(archive, scrape):
    archive.openverse(archive.pictures(4), page_size=2)
    pages = archive.routes["/images/"]
    archive.routes["/images/"] = lambda exchange: (
        pages(exchange) if exchange.query["page"] == "1" else exchange.answer(b"", status=403)
    )
    result = scrape()
    assert (result.code, len(result.folder.names)) == (1, 2)
    assert len(result.folder.lines("metadata.jsonl")) == 2
    archive.routes["/images/"] = pages
    result = scrape()
    assert (result.code, len(result.folder.names)) == (0, 4)
    assert set(archive.asked("/p/").values()) == {1}


def test_a_service_that_is_not_there(scrape, archive, tmp_path):
    archive.close()
    result = scrape("--timeout", "0.5")
    assert result.code == 1
    assert "cannot be asked: connection failed" in result.err


def test_an_answer_without_end_is_cut(archive, scrape):
    def endless(exchange):
        exchange.send_response(200)
        exchange.send_header("Connection", "close")
        exchange.end_headers()
        for _ in range(100_000):
            exchange.wfile.write(b" " * 65536)

    archive.routes["/images/"] = endless
    assert "too many bytes" in scrape().err
