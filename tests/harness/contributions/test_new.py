"""The scaffold: whole or not at all, and clean from the first moment."""

import json
import shutil
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import paths
from harness.check import check_folder
from harness.commands import new
from harness.contributions.copying import with_values
from harness.contributions.file import read_contribution_file
from toolkit.core.errors import UsageError


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


def test_the_next_steps_are_those_that_the_guide_announces(contributions, capsys):
    create("MyIdea")
    first, *steps = capsys.readouterr().out.splitlines()
    assert first == "CONTRIBUTIONS/MyIdea is there. Next:"
    begins = ("nox -s contribution -- ", "edit CONTRIBUTIONS/MyIdea/src/", "nox -s check -- ")
    assert len(steps) == len(begins)
    for step, begin in zip(steps, begins, strict=True):
        assert step.strip().startswith(begin)
    guide = " ".join((paths.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    rest = "followed by a command that runs it, a file to edit and a command that checks it."
    assert f"`{first}`, {rest}" in guide


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
    def interrupted(folder, *_):
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


# --- from somebody else's ---


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A hub with copies of three contributions of different kinds."""
    folder = tmp_path / "CONTRIBUTIONS"
    for name in ("Example1", "DoRA", "MinSNR"):
        shutil.copytree(paths.CONTRIBUTIONS / name, folder / name)
    monkeypatch.setattr(paths, "CONTRIBUTIONS", folder)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return folder


@pytest.mark.parametrize(
    ("parent", "opened"),
    [("Example1", "src/dataset.py"), ("DoRA", "src/lora.py"), ("MinSNR", "contribution.toml")],
)
def test_a_copy_of_a_contribution_is_green_and_says_where_it_comes_from(
    beside, capsys, parent, opened
):
    before = {p: p.read_bytes() for p in (beside / parent).rglob("*") if p.is_file()}
    assert create("MyIdea", "--from", parent) == 0
    assert f"MyIdea/{opened}, change one thing" in capsys.readouterr().out
    folder = beside / "MyIdea"
    errors = [one for one in check_folder(folder, root=beside.parent) if one.severity == "error"]
    assert errors == []
    mine, theirs = (
        read_contribution_file(beside / name / "contribution.toml")[0]
        for name in ("MyIdea", parent)
    )
    assert mine.based_on == (parent,)
    assert mine.authors == (new.guess_author(),)
    assert (mine.hooks, mine.settings) == (theirs.hooks, theirs.settings)
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert f"CONTRIBUTIONS.{parent}" not in text
        assert f"-- {parent}" not in text
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert f"nox -s compare -- MyIdea {parent}" in readme
    assert before == {p: p.read_bytes() for p in (beside / parent).rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "reference"), "Example1 has all four hooks"),
        (("--from", "Dora2"), "Did you mean: DoRA"),
        (("--from", "DoRA", "--kind", "code"), "Use only one of them"),
    ],
)
def test_a_start_that_cannot_be_made_says_what_can(beside, options, said):
    with pytest.raises(UsageError) as caught:
        create("MyIdea", *options)
    assert said in str(caught.value)
    assert not (beside / "MyIdea").exists()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["name", "links", "hooks", "license"]), st.lists(TEXTS)),
    st.booleans(),
    TEXTS,
)
def test_setting_keys_changes_nothing_else_in_any_toml(values, tables, text):
    lists = {
        key: ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in each)
        for key, each in values.items()
    }
    lines = [f"{key} = [\n  {each}\n] # why" for key, each in lists.items()]
    toml = "\n".join([*lines, *(["", "[settings.lora]", 'name = "kept"'] if tables else [])])
    before = tomllib.loads(toml)
    after = tomllib.loads(with_values(toml, {"name": text, "based_on": [text]}))
    assert after == {**before, "name": text, "based_on": [text]}
