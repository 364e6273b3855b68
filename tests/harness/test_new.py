"""The scaffold: whole or not at all, and clean from the first moment."""

import tomllib

import pytest

from harness import paths
from harness.commands import new
from harness.contribution_file import read_contribution_file
from harness.errors import UsageError
from harness.structure import check_folder


@pytest.fixture
def contributions(tmp_path, monkeypatch):
    folder = tmp_path / "CONTRIBUTIONS"
    monkeypatch.setattr(paths, "CONTRIBUTIONS", folder)
    return folder


def create(name, *options):
    parser = __import__("argparse").ArgumentParser()
    new.add_arguments(parser)
    return new.run(parser.parse_args([name, *options]))


def test_a_new_folder_has_no_findings_at_all(contributions, capsys):
    assert create("MyIdea") == 0
    assert check_folder(contributions / "MyIdea", root=contributions.parent) == []
    assert "nox -s contribution -- MyIdea" in capsys.readouterr().out


def test_no_placeholder_is_left(contributions):
    create("MyIdea")
    for path in (contributions / "MyIdea").rglob("*"):
        if path.suffix in {".py", ".toml", ".md"}:
            assert "$" not in path.read_text(encoding="utf-8"), path
    file, findings = read_contribution_file(contributions / "MyIdea" / "contribution.toml")
    assert findings == []
    assert file.name == "MyIdea"
    assert file.hooks == ("make_lora",)


@pytest.mark.parametrize("author", ['Ann "the hammer" O\\Neil', "Zoë Ørsted", "李雷 😀", "a'b"])
def test_any_author_gives_valid_toml(contributions, monkeypatch, author):
    monkeypatch.setattr(new, "guess_author", lambda: author)
    create("MyIdea")
    text = (contributions / "MyIdea" / "contribution.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["authors"] == [author]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("my-idea", "MyIdea"),
        ("1st try", "StTry"),
        ("class", "Class"),
        ("con", "MyIdea"),
        ("base", "MyIdea"),
        ("Reference", "MyIdea"),
        ("x!", "MyIdea"),
        ("é", "MyIdea"),
    ],
)
def test_names_that_cannot_be_folders_are_refused_with_a_suggestion(
    contributions, name, suggestion
):
    with pytest.raises(UsageError) as caught:
        create(name)
    assert suggestion in str(caught.value)
    assert not contributions.exists() or not list(contributions.iterdir())


def test_a_taken_name_is_refused_whatever_its_case(contributions):
    create("MyIdea")
    for name in ("MyIdea", "myidea"):
        with pytest.raises(UsageError, match="already"):
            create(name)


def test_an_interrupted_start_leaves_nothing(contributions, monkeypatch):
    def interrupted(folder, _name, _kind):
        folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(new, "write_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create("MyIdea")
    assert list(contributions.iterdir()) == []


def test_a_contribution_of_settings_only_has_no_python_and_no_findings(contributions, capsys):
    assert create("MySettings", "--kind", "config") == 0
    folder = contributions / "MySettings"
    assert check_folder(folder, root=contributions.parent) == []
    assert not list(folder.rglob("*.py"))
    file, findings = read_contribution_file(folder / "contribution.toml")
    assert findings == []
    assert file.hooks == ()
    assert (file.settings.lora.rank, file.settings.train.lr_schedule) == (8, "cosine")
    assert "MySettings/contribution.toml, change one thing" in capsys.readouterr().out


def test_the_settings_that_are_commented_out_are_settings(contributions):
    create("MySettings", "--kind", "config")
    path = contributions / "MySettings" / "contribution.toml"
    text = path.read_text(encoding="utf-8")
    assert text.count("\n# min_snr_gamma") == text.count("\n# noise_offset") == 1
    path.write_text(text.replace("\n# min", "\nmin").replace("\n# noise", "\nnoise"), "utf-8")
    file, findings = read_contribution_file(path)
    assert findings == []
    assert file.settings.train.min_snr_gamma == 5.0
