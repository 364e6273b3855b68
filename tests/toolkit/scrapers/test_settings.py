"""The command line and .env."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from src.scraping import OUT, QUERY, main
from toolkit.scrapers import licences
from toolkit.scrapers.cli import parse_options
from toolkit.scrapers.keys import Secret, read_settings
from toolkit.scrapers.settings import settings_from

ROOT = Path(__file__).resolve().parents[3]


def test_all_wrong_options_are_named_at_once(capsys):
    wrong = ["", "--count", "0", "--provider", "altavista", "--licences", "mine", "--timeout", "0"]
    wrong += ["--template", "x", "--max-aspect", "nan", "--caption", "poem", "--max-nsfw", "2"]
    assert main(wrong) == 2
    text = capsys.readouterr().err
    for word in (
        "query",
        "--count",
        "--provider",
        "--licences",
        "--timeout",
        "--template",
        "--max-aspect",
        "--caption",
        "--max-nsfw",
    ):
        assert f"- {word}:" in text
    assert "openverse, wikimedia, bing, brave" in text


def test_every_option_is_read():
    source = inspect.getsource(sys.modules["toolkit.scrapers.settings"]) + inspect.getsource(main)
    unread = [
        name
        for name in vars(parse_options(QUERY, OUT, []))
        if f"options.{name}" not in source and f'"{name}"' not in source
    ]
    assert unread == []


def test_the_defaults_of_the_command_line_are_those_of_the_rules():
    from toolkit.scrapers.download import DownloadRules
    from toolkit.scrapers.pictures.look import PictureRules
    from toolkit.scrapers.web.client import WebRules

    settings = settings_from(parse_options(QUERY, OUT, []))
    assert settings.web == WebRules()
    assert settings.pictures == PictureRules()
    assert settings.downloads == DownloadRules()
    assert settings.search.licences == licences.DEFAULT


def test_a_missing_key_and_contact_cost_no_request(archive, scrape, tmp_path):
    for provider, word in (("brave", "API_KEY"), ("bing", "API_KEY"), ("wikimedia", "CONTACT")):
        result = scrape("--provider", provider, "--licences", "unknown")
        assert result.code == 1
        assert f"put {word}=" in result.err
    assert archive.record.requests == []
    assert not (tmp_path / "out").exists()


def test_a_search_engine_without_licences_needs_consent(archive, scrape, monkeypatch):
    monkeypatch.setenv("API_KEY", "sesame")
    result = scrape("--provider", "brave")
    assert result.code == 1
    assert "add 'unknown' to --licences" in result.err
    assert archive.record.requests == []


def test_the_key_of_the_first_document_s_example_is_no_key(tmp_path):
    (tmp_path / ".env").write_text(
        'API_KEY="YOUR_BING_API_KEY"\nCONTACT=ada@example.org\nOPENVERSE_TOKEN=\n'
    )
    settings = read_settings(tmp_path)
    assert "API_KEY" not in settings
    assert settings["CONTACT"] == "ada@example.org"
    assert "OPENVERSE_TOKEN" not in settings


def test_env_beside_the_command_is_read_and_the_environment_comes_first(
    archive, scrape, tmp_path, monkeypatch
):
    (tmp_path / ".env").write_text("OPENVERSE_TOKEN=from-the-file\nCONTACT=from-the-file\n")
    monkeypatch.setenv("CONTACT", "from-outside")
    archive.openverse(archive.pictures(1))
    assert scrape().code == 0
    headers = archive.record.requests[0].headers
    assert headers["Authorization"] == "Bearer from-the-file"
    assert headers["User-Agent"] == "sd-lora-finetuning/0.1 (from-outside)"


def test_a_secret_does_not_print_itself():
    secret = Secret(" sesame ")
    assert "sesame" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "sesame"
    assert not Secret("  ")


def test_private_addresses_have_to_be_named(archive, scrape, tmp_path, capsys):
    code = main(["x", "--base-url", archive.url, "--out", str(tmp_path / "out")])
    assert code == 1
    text = capsys.readouterr().err
    assert "not https" in text
    assert "--allow-private-addresses HOST" in text
    assert archive.record.requests == []


def test_too_few_pictures_are_a_failure(archive, scrape):
    archive.openverse(archive.pictures(2))
    assert scrape("--min-images", "3").code == 1
    assert scrape("--min-images", "2").code == 0


def test_help_and_misspelt_options_are_quick():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['scraping', sys.argv[1]]\n"
        "try:\n"
        "    runpy.run_module('src.scraping', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    slow = {'torch', 'requests', 'PIL', 'numpy', 'scipy', 'pydantic'}\n"
        "    print(stop.code, sorted(slow & set(sys.modules)))\n"
    )
    for option, expected in (("--help", "0 []"), ("--cuont", "2 []")):
        result = subprocess.run(
            [sys.executable, "-c", code, option],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.stdout.splitlines()[-1] == expected


def test_a_run_does_not_import_torch(archive, tmp_path):
    from tests.toolkit.scrapers.conftest import quick

    archive.openverse(archive.pictures(1))
    code = "import sys; from src.scraping import main; main(); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, *quick(archive, tmp_path / "out")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "1 of 5 pictures" in result.stdout
    assert result.stdout.splitlines()[-1] == "False"


def test_the_harness_knows_nothing_of_the_scrapers():
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("toolkit.scrapers"), path
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("toolkit.scrapers") for name in node.names), (
                    path
                )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CC BY 4.0", "by"),
        ("CC BY-SA 3.0 de", "by-sa"),
        ("cc-by-nc-nd-2.0", "by-nc-nd"),
        ("by-nc-sa", "by-nc-sa"),
        ("CC0 1.0", "cc0"),
        ("CC-Zero", "cc0"),
        ("Public domain", "pdm"),
        ("PD-old-100", "pdm"),
        ("PDM 1.0", "pdm"),
        ("No restrictions", "pdm"),
        ("GFDL 1.2", "unknown"),
        ("Copyrighted by Ada", "unknown"),
        ("All rights reserved", "unknown"),
        ("", "unknown"),
    ],
)
def test_licences_by_whatever_name(name, code):
    assert licences.code(name) == code
