"""The documentation: true to the code, without a dead link, deaf to the rest of the world."""

from __future__ import annotations

import hashlib
import inspect
import re
import shutil

import pytest

from harness import hookspecs, paths, records
from harness.board import site as board
from harness.board.collect import collect
from harness.check.rules.imports import HARNESS_NAMES
from harness.commands.cli import main
from harness.commands.documentation import build, reference
from harness.commands.documentation.docstrings import markdown
from harness.contributions.record import ContributionFile
from tests.harness.board import synthetic_hub
from tests.harness.board.browser import browser, find_browser
from toolkit.core.errors import HubError, UsageError
from toolkit.core.settings import HOOK_NAMES


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("docs") / "site"
    build.build(out, board="../index.html")
    return out


def test_the_pages_about_the_code_say_what_the_code_says(capsys):
    assert main(["docs", "--check"]) == 0, "nox -s docs writes them anew"
    assert "matches the code" in capsys.readouterr().out


def test_the_pages_about_imports_name_all_that_the_check_lets_through():
    pages = ("AGENTS.md", "docs/checks/HUB224.md", "docs/checks/HUB228.md")
    agents, inner, packages = ((paths.ROOT / page).read_text(encoding="utf-8") for page in pages)
    for name in HARNESS_NAMES:
        assert f"`{name.rpartition('.')[2]}`" in agents, name
        assert f"`{name.rpartition('.')[2]}`" in inner, name
    for library in paths.LIBRARIES:
        assert f"`toolkit.{library}`" in agents
        assert f"`toolkit.{library}`" in packages


def test_a_page_that_differs_is_named(tmp_path, monkeypatch, capsys):
    shutil.copytree(reference.FOLDER, tmp_path / "reference")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    file = tmp_path / "reference" / "hooks.md"
    file.write_text(file.read_text(encoding="utf-8") + "More.\n", encoding="utf-8")
    assert main(["docs", "--check"]) == 1
    assert "reference/hooks.md" in capsys.readouterr().err
    reference.write()
    assert main(["docs", "--check"]) == 0


def test_every_hook_argument_and_setting_has_its_place():
    _, hooks, settings, checks = reference.pages().values()
    for name in HOOK_NAMES:
        section = hooks[hooks.index(f"## {name}\n") :]
        for argument in inspect.signature(getattr(hookspecs, name)).parameters:
            assert f"- `{argument}`: " in section, (name, argument)
    for record in (records.LoraConfig, records.TrainConfig, records.DatasetConfig,
                   records.GenerateConfig, ContributionFile):  # fmt: skip
        for field in set(record.model_fields) - {"settings", *reference.OTHER_TABLES}:
            assert f"| `{field}` |" in settings, (record.__name__, field)
    tables = {f"## {name}" for name in ContributionFile.model_fields} & set(settings.splitlines())
    assert tables == {f"## {name}" for name in reference.OTHER_TABLES}
    assert "| `rank` | whole number | ≥ 1, ≤ 256 | `4` |" in settings
    assert "HUB204" in checks
    assert "HUB-C18" in checks


def test_a_docstring_becomes_a_list():
    def documented():
        """Do it.

        Args:
            one: The ``first``,
                on two lines.

        Returns:
            A number.
        """

    text = markdown(documented)
    assert "- `one`: The `first`,\n  on two lines." in text
    assert "**Returns**\n\nA number." in text


def test_every_page_of_docs_is_in_the_site_and_says_nothing_to_others(site):
    for page in (paths.ROOT / "docs").rglob("*.md"):
        name = page.relative_to(paths.ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / name.replace("README", "index")).is_file(), name
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe)[^>]*src="?(?:https?:)?//', text), page
        assert not re.findall(r'<link[^>]*rel="?stylesheet"?[^>]*href="?(?:https?:)?//', text), page


@pytest.mark.parametrize(
    "link", ["[x](nowhere.md)", "[x](../harness/nowhere.py)", "[x](ci.md#nothing-of-the-kind)"]
)
def test_a_dead_link_fails_the_build_and_is_named(tmp_path, monkeypatch, link):
    copy = tmp_path / "hub"
    ignored = shutil.ignore_patterns("checks", "images", "__pycache__")
    shutil.copytree(paths.ROOT / "docs", copy / "docs", ignore=ignored)
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "AGENTS.md", "SECURITY.md",
                 "NOTICE.md", "LEADERBOARD.md"):  # fmt: skip
        shutil.copy(paths.ROOT / name, copy)
    for page in copy.rglob("*.md"):
        page.write_text("# A page\n", encoding="utf-8")
    (copy / "docs" / "ci.md").write_text(f"# CI\n\n{link}\n", encoding="utf-8")
    shutil.copytree(paths.ROOT / "harness", copy / "harness")
    for library in paths.ROOT.glob("*/__init__.py"):
        if library.parent.name != "harness":
            (copy / library.parent.name).symlink_to(library.parent, target_is_directory=True)
    monkeypatch.setattr(paths, "ROOT", copy)
    with pytest.raises(HubError) as caught:
        build.build(tmp_path / "site")
    assert "ci.md" in str(caught.value)
    assert re.search(r"nowhere|nothing-of-the-kind", str(caught.value))


def test_a_folder_of_somebody_elses_is_not_emptied(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="not of the documentation"):
        build.build(tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


def test_the_script_for_the_search_is_the_published_one():
    folder = paths.ROOT / "harness" / "commands" / "documentation" / "static"
    digest = hashlib.sha256((folder / "iframe-worker.js").read_bytes()).hexdigest()
    assert digest in (folder / "licences.txt").read_text(encoding="utf-8")


def test_the_board_and_the_documentation_know_each_other(site, tmp_path):
    page = site / "gate" / "index.html"
    assert 'href="../../index.html"' in page.read_text(encoding="utf-8")
    with synthetic_hub.hub_at(tmp_path / "hub"):
        board.build(collect(), tmp_path / "with", docs=True)
        board.build(collect(), tmp_path / "without")
    texts = [(tmp_path / name / "index.html").read_text("utf-8") for name in ("with", "without")]
    assert ['href="docs/index.html"' in text for text in texts] == [True, False]


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_the_search_works_in_a_page_opened_from_a_file(site, tmp_path):
    with browser(tmp_path) as page:
        page.show(1280, 900)
        page.open((site / "index.html").as_uri() + "?q=min_snr_gamma")
        found = page.run(
            "new Promise(done => { const look = () => { const links ="
            "[...document.querySelectorAll('.md-search-result__link')].map(a => a.href);"
            "links.length ? done(links) : setTimeout(look, 100); };"
            "setTimeout(() => done([]), 20000); look(); })"
        )
        assert any("reference/settings.html" in link for link in found), found
        assert page.complaints() == []
        foreign = [url for url in page.requests() if not url.startswith(("file:", "data:"))]
        assert foreign == []
