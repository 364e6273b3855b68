"""The hub's commands: ``nox -l`` lists them, ``nox -s <session>`` runs one.

All sessions share one environment (harness/environment.py) and call ``python -m harness`` with the
same words, so every command works without nox, and in CI.
"""

import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["tests"]

# After Ctrl-C a command gets this long to end its own children and tidy up, in seconds.
PATIENCE = 20.0


def python(session: nox.Session, *arguments: str) -> None:
    """Run the hub's Python on ``arguments``, setting its environment up first when needed."""
    session.run(
        sys.executable,
        "harness/environment.py",
        *arguments,
        external=True,
        interrupt_timeout=PATIENCE,
        terminate_timeout=PATIENCE,
    )


def harness(session: nox.Session, command: str) -> None:
    """Run one harness command with the arguments after ``--``."""
    python(session, "-m", "harness", command, *session.posargs)


@nox.session(python=False)
def contribution(session: nox.Session) -> None:
    """Check, train, score and compare one contribution: nox -s contribution -- Example1."""
    harness(session, "contribution")


@nox.session(python=False)
def train(session: nox.Session) -> None:
    """Train on your own pictures: nox -s train -- Example1 --data photos --base BASE."""
    harness(session, "train")


@nox.session(python=False)
def generate(session: nox.Session) -> None:
    """Draw with a trained contribution: nox -s generate -- Example1 --prompt "a sks robot"."""
    harness(session, "generate")


@nox.session(python=False)
def export(session: nox.Session) -> None:
    """Write a training as a file for other programs: nox -s export -- DoRA --format kohya."""
    harness(session, "export")


@nox.session(python=False)
def matrix(session: nox.Session) -> None:
    """Try which hooks work together and write docs/compatibility.md: nox -s matrix."""
    harness(session, "matrix")


@nox.session(python=False)
def new(session: nox.Session) -> None:
    """Create a contribution that passes every check: nox -s new -- MyIdea."""
    harness(session, "new")


@nox.session(python=False)
def check(session: nox.Session) -> None:
    """Check folders without running their code: nox -s check -- MyIdea (or --all)."""
    harness(session, "check")


@nox.session(python=False)
def compare(session: nox.Session) -> None:
    """Compare two contributions: nox -s compare -- Example1 reference."""
    harness(session, "compare")


@nox.session(python=False)
def preview(session: nox.Session) -> None:
    """Show a contribution's newest row in its place on the board: nox -s preview -- Example1."""
    harness(session, "preview")


@nox.session(python=False)
def sweep(session: nox.Session) -> None:
    """Choose a learning rate on held-back training pictures: nox -s sweep -- MyIdea."""
    harness(session, "sweep")


@nox.session(python=False)
def verify(session: nox.Session) -> None:
    """Run a recorded row again: nox -s verify -- Example1."""
    harness(session, "verify")


@nox.session(name="why-stale", python=False)
def why_stale(session: nox.Session) -> None:
    """List what changed since a contribution was run: nox -s why-stale -- Example1."""
    harness(session, "why-stale")


@nox.session(python=False)
def plan(session: nox.Session) -> None:
    """List the runs of a board, or run them: nox -s plan -- --executor shard --shard 1/8."""
    harness(session, "plan")


@nox.session(python=False)
def collect(session: nox.Session) -> None:
    """Merge rows that other machines stored into this board: nox -s collect -- DIR."""
    harness(session, "collect")


@nox.session(python=False)
def controls(session: nox.Session) -> None:
    """Measure the hub's own rows and check that each is in its place."""
    harness(session, "controls")


@nox.session(python=False)
def calibrate(session: nox.Session) -> None:
    """Measure how small a difference the protocol can show."""
    harness(session, "calibrate")


@nox.session(python=False)
def explain(session: nox.Session) -> None:
    """Explain a check with wrong and right code: nox -s explain -- HUB204."""
    harness(session, "explain")


@nox.session(name="list", python=False)
def list_contributions(session: nox.Session) -> None:
    """List the contributions."""
    harness(session, "list")


@nox.session(python=False)
def reference(session: nox.Session) -> None:
    """Run the reference by itself, without the harness: nox -s reference -- --steps 50."""
    python(session, "-m", "src.main", *session.posargs)


@nox.session(python=False)
def scrape(session: nox.Session) -> None:
    """Collect pictures and captions from the web: nox -s scrape -- "red panda" --out Dataset."""
    python(session, "-m", "src.scraping", *session.posargs)


@nox.session(python=False)
def dataset(session: nox.Session) -> None:
    """Check a folder of pictures before training: nox -s dataset -- check DIR (or preview)."""
    python(session, "-m", "toolkit.picture_sets", *session.posargs)


@nox.session(python=False)
def clean(session: nox.Session) -> None:
    """List what runs/ no longer needs; nox -s clean -- --yes removes it."""
    harness(session, "clean")


@nox.session(python=False)
def doctor(session: nox.Session) -> None:
    """Examine the machine and the installation."""
    harness(session, "doctor")


@nox.session(python=False)
def leaderboard(session: nox.Session) -> None:
    """Build the site and the tables from the recorded rows: then open runs/site/index.html."""
    harness(session, "leaderboard")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Build the documentation, and its pages about the code: then open runs/docs/index.html."""
    harness(session, "docs")


@nox.session(python=False)
def ci(session: nox.Session) -> None:
    """Run what CI runs: nox -s ci -- check MY-BRANCH (--run: train and compare, too)."""
    harness(session, "ci")


@nox.session(python=False)
def lora(session: nox.Session) -> None:
    """Inspect or change a LoRA file from any trainer: nox -s lora -- inspect FILE."""
    python(session, "-m", "toolkit.lora_files", *session.posargs)


@nox.session(python=False)
def base_model(session: nox.Session) -> None:
    """Measure the embedded base model (--evaluate, --fit), or make it again (its stages)."""
    if "--fit" in session.posargs:
        rest = [argument for argument in session.posargs if argument != "--fit"]
        python(session, "-m", "recipes.fit_for_purpose", *rest)
        return
    arguments = ["evaluate" if a == "--evaluate" else a for a in session.posargs]
    python(session, "-m", "recipes.tiny_sd", *arguments)


@nox.session(python=False)
def sd14(session: nox.Session) -> None:
    """Train, save, load, draw at SD 1.4's size (--each: each contribution). Slow, 8 GB."""
    python(session, "-m", "recipes.sd14_size", *session.posargs)


@nox.session(python=False)
def exports(session: nox.Session) -> None:
    """Train, export and draw with the file, for every contribution: ten minutes."""
    python(session, "-m", "recipes.exports", *session.posargs)


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Measure speed, an hour: nox -s bench, or nox -s bench -- training_step; writes results."""
    python(session, "-m", "benchmarks", *session.posargs)


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, import-linter, and the linters of the GitHub workflows."""
    python(session, "-m", "ruff", "check", ".")
    python(session, "-m", "ruff", "format", "--check", ".")
    python(session, "-m", "mypy")
    # The layers of the house: pyproject.toml, [tool.importlinter].
    python(
        session,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
    )
    python(session, "harness/commands/ci/lint_workflows.py")


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Run lint, types and tests: what CI runs."""
    lint(session)
    workers = ("--numprocesses", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
    python(session, "-m", "pytest", *workers, *session.posargs)


@nox.session(python=False)
def hostile(session: nox.Session) -> None:
    """Run every hostile contribution on every isolation layer; write docs/isolation.md's table."""
    python(session, "-m", "tests.hostile", *session.posargs)


@nox.session(python=False)
def fuzz(session: nox.Session) -> None:
    """Feed random bytes to the readers, ten minutes by hypothesis: nox -s fuzz -- --minutes 10."""
    python(session, "-m", "tests.fuzz", *session.posargs)


@nox.session(python=False)
def kill_anywhere(session: nox.Session) -> None:
    """Kill a run and a board build at 50 random moments each; no file may be incomplete."""
    python(session, "-m", "tests.kill_anywhere", *session.posargs)


@nox.session(python=False)
def ray(session: nox.Session) -> None:
    """Kill a node of a real Ray cluster half-way through a board: installs the extra `ray`.

    HUB_RAY_RESULT=benchmarks/results/ray.json writes the result to that file.
    """
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    python(session, "-m", "pip", "install", "--quiet", *extras["ray"])
    # Ray leaves sockets and files to its own processes: its warnings are not ours.
    quiet = (
        "-W",
        "ignore::ResourceWarning",
        "-W",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    )
    python(session, "-m", "pytest", *quiet, "tests/harness/runs/many/test_ray.py", *session.posargs)


@nox.session(python=False)
def extras(session: nox.Session) -> None:
    """Run the tests that need further packages: LyCORIS, ImageHash, onnxruntime.

    ``nox -s tests`` skips them; this session does not. It installs them into a folder beside the
    hub's environment, because every program that loads a model would import some of them.
    """
    groups = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    folder = Path(".nox", "extras").absolute()
    packages = (*groups["equality"], *groups["scraping"])
    python(session, "-m", "pip", "install", "-q", "--no-deps", "-U", "-t", str(folder), *packages)
    session.env.update(HUB_REQUIRE_EXTRAS="1", PYTHONPATH=str(folder))
    # Their own warnings are not ours.
    python(session, "-m", "pytest", "-W", "ignore", "-m", "needs", *session.posargs)


@nox.session(python=False)
def mutants(session: nox.Session) -> None:
    """Measure what the correctness gate catches and write docs/gate/matrix.md (ten minutes)."""
    python(session, "-m", "tests.mutants.__main__", *session.posargs)


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Generate requirements.txt from pyproject.toml."""
    python(session, "harness/commands/ci/lock.py")
