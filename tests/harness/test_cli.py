"""The command line as a user meets it: a real process each time."""

import json
import subprocess
import sys

import pytest

from harness.cli import ALIASES, COMMANDS, build_parser


def harness(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **options,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = harness(command, "--help")
    assert result.returncode == 0
    assert COMMANDS[command][1:] in " ".join(result.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_read(command):
    import importlib
    import inspect

    module = importlib.import_module(f"harness.commands.{command}")
    parser = build_parser(command)
    sub = next(a for a in parser._actions if hasattr(a, "choices") and a.choices).choices[command]
    source = inspect.getsource(module)
    for action in sub._actions:
        if action.dest != "help":
            assert f"args.{action.dest}" in source, f"{command} never reads {action.dest}"


def test_aliases_lead_to_commands():
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert harness("run", "--help").returncode == 0


def test_an_unknown_command_is_refused_with_the_known_ones():
    result = harness("contributoin", "Example1")
    assert result.returncode == 2
    assert "contribution" in result.stderr


def test_an_unknown_contribution_is_refused_with_a_near_name():
    result = harness("contribution", "Exmaple1")
    assert result.returncode == 2
    assert "There is no contribution named 'Exmaple1'" in result.stderr
    assert "Example1" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("seeds", ["", "a", "0,0", "-1", "0,,1"])
def test_wrong_seeds_are_refused_at_once(seeds):
    result = harness("contribution", "Example1", f"--seeds={seeds}")
    assert result.returncode == 2
    assert "--seeds" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["check", "--all"], ["explain"], ["--help"]]
)
def test_quick_commands_wake_no_torch(arguments):
    code = (
        "import sys; from harness.cli import main\n"
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
    entries = json.loads(harness("list", "--json").stdout)
    assert {"name": "Example1", "path": "CONTRIBUTIONS/Example1"}.items() <= entries[0].items()
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
    monkeypatch.setattr("harness.track.paths.ROOT", tmp_path)
    (line,) = doctor.models()
    assert not line.ok
    assert "not there" in line.found
