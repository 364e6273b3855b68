"""The command line as a user meets it: in this process where a process of its own adds nothing."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from harness import paths
from harness.commands.cli import ALIASES, COMMANDS, build_parser, main


def harness(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **options,
    )


@pytest.fixture
def here(capsys):
    """Call the command line in this process; a start takes half a second."""

    def call(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, here):
    result = here(command, "--help")
    assert result.returncode == 0
    assert COMMANDS[command][1:] in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("contribution", ["Nobody"]),
        ("generate", ["Nobody", "--prompt", "a"]),
        ("new", ["Example1"]),
        ("check", ["Nobody"]),
        ("explain", []),
        ("list", []),
        ("registry", ["--check"]),
        ("doctor", []),
    ],
)
def test_the_defaults_that_help_shows_are_the_defaults(command, arguments, here):
    parsed = build_parser(command).parse_args([command, *arguments])
    help_text = " ".join(here(command, "--help").stdout.split())
    for default in re.findall(r"(\w+) \w+ [^()]*\(default: (\w+)\)", help_text):
        assert default[1] in {str(value) for value in vars(parsed).values()}


def test_aliases_lead_to_commands():
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert harness("run", "--help").returncode == 0


def test_an_unknown_command_is_refused_with_the_known_ones():
    result = harness("contributoin", "Example1")
    assert result.returncode == 2
    assert "contribution" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "missing", "line"),
    [
        (["contribution"], "missing: NAME", "nox -s contribution -- Example1"),
        (["generate"], "missing: NAME, --prompt", "nox -s generate -- Example1 --prompt "),
        (["generate", "Example1"], "missing: --prompt", "nox -s generate -- Example1 --prompt "),
        (["new"], "missing: NAME", "nox -s new -- MyIdea"),
        (["track"], "missing: action", "nox -s track -- new photos --data DIR"),
        (["track", "new", "photos"], "missing: --data", "nox -s track -- new photos --data DIR"),
        (["list", "--nonsense"], "unrecognized arguments: --nonsense", "--help lists the commands"),
    ],
)
def test_a_call_that_lacks_something_is_answered_with_a_line_that_works(
    arguments, missing, line, here
):
    result = here(*arguments)
    assert result.returncode == 2
    assert missing in result.stderr
    assert line in result.stderr
    assert "usage:" not in result.stderr
    assert len(result.stderr.splitlines()) <= 3


def test_an_unknown_contribution_is_refused_with_a_near_name():
    result = harness("contribution", "Exmaple1")
    assert result.returncode == 2
    assert "There is no contribution named 'Exmaple1'" in result.stderr
    assert "Example1" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("seeds", ["", "a", "0,0", "-1", "0,,1"])
def test_wrong_seeds_are_refused_at_once(seeds, here):
    result = here("contribution", "Example1", f"--seeds={seeds}")
    assert result.returncode == 2
    assert "--seeds" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["check", "--all"], ["explain"], ["--help"]]
)
def test_quick_commands_import_no_torch(arguments):
    code = (
        "import sys; from harness.commands.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'woke {heavy}' if heavy else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_list_names_every_contribution():
    entries = {entry["name"]: entry for entry in json.loads(harness("list", "--json").stdout)}
    assert entries["Example1"]["path"] == "CONTRIBUTIONS/Example1"
    assert set(entries) == {path.name for path in paths.CONTRIBUTIONS.iterdir()}
    assert "Example1" in harness("list").stdout


def test_doctor_looks_at_everything():
    result = harness("doctor")
    for subject in (
        "Python",
        "torch",
        "lock",
        "device",
        "memory",
        "disk",
        "base model",
        "isolation",
    ):
        assert subject in result.stdout
    assert ("NO " in result.stdout) == (result.returncode == 1)


def test_doctor_names_what_is_missing_and_the_remedy(monkeypatch, capsys):
    from harness.commands import doctor

    monkeypatch.setattr(doctor, "DISK_GIB", 1e9)
    monkeypatch.setattr(
        doctor, "locked_versions", lambda: {"pluggy": "0.0.1", "no-such-package": "1.0"}
    )
    assert doctor.run(None) == 1
    out = capsys.readouterr().out
    assert "pluggy 1.7.0 (lock: 0.0.1), no-such-package missing (lock: 1.0)" in out
    assert "Free some space" in out


def test_doctor_reports_an_incomplete_base_model(monkeypatch, tmp_path):
    from harness.commands import doctor

    monkeypatch.setattr(doctor, "track_names", lambda: ["robot"])
    monkeypatch.setattr("harness.protocol.track.paths.ROOT", tmp_path)
    (line,) = doctor.models()
    assert not line.ok
    assert "not there" in line.found
    assert line.remedy == "It is part of the repository: git checkout -- models"


def test_doctor_does_not_miss_a_base_that_is_no_part_of_the_repository(monkeypatch, tmp_path):
    from harness.commands import doctor

    monkeypatch.setattr(doctor, "track_names", lambda: ["sd14-robot"])
    monkeypatch.setattr("harness.protocol.track.paths.ROOT", tmp_path)
    (line,) = doctor.models()
    assert line.ok
    place = "models/stable-diffusion-v1-4"
    assert line.found == f"{place} is not here; only the track sd14-robot needs it"
    (tmp_path / place).mkdir(parents=True)  # half a download is another matter
    (line,) = doctor.models()
    assert not line.ok
    assert "incomplete" in line.found


def test_options_out_of_range_are_refused_with_their_name(here):
    for option, name in (("--steps=0", "--steps: Input"), ("--seed=-1", "--seed: Input")):
        result = here("generate", "Example1", "--prompt", "a", option)
        assert result.returncode == 2
        assert name in result.stderr
        assert "Traceback" not in result.stderr
    assert here("generate", "Example1", "--prompt", "a", "--count", "0").returncode == 2
    assert here("contribution", "Example1", "--seeds", str(2**31)).returncode == 2
    assert here("contribution", "Example1", "--device", "tpu").returncode == 2


def test_the_parent_imports_no_contribution_and_no_reference():
    code = (
        "import sys; from harness.contributions import registry\n"
        "from harness.runs import page, pipeline\n"
        "from harness.commands import contribution, generate\n"
        "from harness.protocol.track import load_track\n"
        "pipeline.check(registry.load('Example1')); load_track('robot').protocol_hash()\n"
        "bad = [n for n in sys.modules if n.split('.')[0] in ('src', 'CONTRIBUTIONS', 'torch')]\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
