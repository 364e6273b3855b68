"""The environment that all sessions share, with a lock that installs nothing."""

import subprocess
import sys
import zipfile

import pytest

from harness import environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all: an environment with pip takes seconds to make."""
    return tmp_path_factory.mktemp("environment")


@pytest.fixture
def root(folder, monkeypatch):
    monkeypatch.setattr(environment, "LOCK", folder / "requirements.txt")
    monkeypatch.setattr(environment, "ENVIRONMENT", folder / ".nox" / "hub")
    monkeypatch.setattr(environment, "STAMP", folder / ".nox" / "hub" / "hub-stamp")
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


class Begun(Exception):
    """Raised where a Python would be made: what comes next has been seen."""


def begun():
    raise Begun


def test_a_failed_install_leaves_no_stamp_and_says_what_to_do(root):
    assert not environment.is_ready()  # nothing is there yet: its Python is made, then pip fails
    (root / "requirements.txt").write_text("no such requirement !!\n")
    with pytest.raises(SystemExit, match="pip ended with code"):
        environment.prepare()
    assert not environment.is_ready()
    assert not environment.STAMP.exists()


def test_it_is_made_once_and_again_only_when_the_lock_changes(root, monkeypatch, capfd):
    assert not environment.is_ready()
    environment.prepare()
    assert environment.is_ready()
    assert "Setting up" in capfd.readouterr().out
    marker = environment.ENVIRONMENT / "marker"
    marker.touch()

    (root / "requirements.txt").write_text("# nothing, said differently\n")
    assert not environment.is_ready()
    environment.prepare()
    assert environment.is_ready()
    assert marker.exists()  # brought up to date in place: torch is not installed twice

    environment.STAMP.unlink()  # what an interruption leaves
    assert not environment.is_ready()
    environment.prepare()
    assert environment.is_ready()
    assert marker.exists()

    pip = next(environment.ENVIRONMENT.rglob("pip/__init__.py")).parent
    pip.rename(pip.with_name("pop"))  # interrupted even earlier: a Python without pip
    environment.STAMP.unlink()
    environment.prepare()
    assert environment.is_ready()
    marker.touch()

    lock_hash = environment.wanted_stamp().partition(" ")[0]
    environment.STAMP.write_text(f"{lock_hash} 3.10")  # another Python's packages do not fit
    monkeypatch.setattr(environment, "has_pip", begun)
    with pytest.raises(Begun):
        environment.prepare()
    assert not environment.ENVIRONMENT.exists()


def test_a_further_package_is_installed_once_and_pip_not_asked_again(root, tmp_path, monkeypatch):
    wheel = tmp_path / "a_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        about = "a_thing-1.0.dist-info"
        file.writestr("a_thing.py", "")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: a-thing\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    environment.prepare()
    ran = []
    monkeypatch.setattr(environment, "run", lambda words: ran.append(words) or 0)
    asked = ["--with=a-thing==1.0", "-c", "pass"]
    assert not environment.has(["a-thing==1.0"])
    assert environment.main(asked) == 0
    assert environment.has(["a-thing==1.0"])
    wheel.unlink()  # pip would fail now
    assert environment.main(asked) == 0
    assert ran == [["-c", "pass"]] * 2
    with pytest.raises(SystemExit, match=r"pip could not install a-thing==2\.0"):
        environment.main(["--with=a-thing==2.0", "-c", "pass"])
    assert len(ran) == 2


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_other_pythons_are_refused_with_a_sentence(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))

    class Version(tuple):
        major, minor = version

    monkeypatch.setattr(sys, "version_info", Version((*version, 0)))
    with pytest.raises(SystemExit, match=rf"this is Python {version[0]}\.{version[1]}"):
        environment.check_python()


def test_the_command_gets_its_arguments_and_its_exit_code_is_kept(monkeypatch):
    code = (
        "import sys; from pathlib import Path; from harness import environment\n"
        "environment.is_ready = lambda: True\n"
        "environment.environment_python = lambda: Path(sys.executable)\n"
        "sys.exit(environment.main(['-c', 'import sys; sys.exit(len(sys.argv[1]))', 'four']))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 4


def test_it_needs_nothing_but_the_standard_library():
    code = (
        "import sys, runpy; runpy.run_path('harness/environment.py', run_name='environment')\n"
        "outside = [n for n, m in sys.modules.items() if 'site-packages' in str(getattr(m, "
        "'__file__', ''))]\nsys.exit(f'{outside}' if outside else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


TWO_AT_ONCE = """
import sys, time
from pathlib import Path
from harness import environment
environment.LOCK_FILE = Path(sys.argv[1])
with environment.alone():
    with open(sys.argv[2], "a") as log: log.write("in ")
    time.sleep(1)
    with open(sys.argv[2], "a") as log: log.write("out ")
"""


def test_two_calls_at_once_set_it_up_one_after_the_other(tmp_path):
    command = [sys.executable, "-c", TWO_AT_ONCE, str(tmp_path / "lock"), str(tmp_path / "log")]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait(timeout=300) for one in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "in out in out "


def test_a_killed_call_leaves_no_lock_behind(tmp_path):
    command = [sys.executable, "-c", TWO_AT_ONCE, str(tmp_path / "lock"), str(tmp_path / "log")]
    killed = subprocess.Popen(command)
    while not (tmp_path / "log").exists():
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    assert subprocess.run(command, timeout=300, check=False).returncode == 0


@pytest.mark.parametrize("package", ["scipy", "onnxruntime", "pandas", "scikit-learn"])
def test_the_lock_has_nothing_that_torch_and_transformers_import_unasked(package):
    """They do where they find it, in every program that loads a model, for up to a second."""
    lines = (environment.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines
    assert not [line for line in lines if line.startswith(f"{package}==")]
