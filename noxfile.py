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


# Each command of the harness, with what `nox -l` says about it.
COMMANDS = """
contribution Check, train, score and compare: nox -s contribution -- Example1 (several: a contest).
train        Train on your own pictures: nox -s train -- Example1 --data photos --base BASE.
generate     Draw with a trained contribution: nox -s generate -- Example1 --prompt "a sks robot".
export       Write a training as a file for other programs: nox -s export -- DoRA --format kohya.
profiles     Measure what each contribution does differently: docs/gate/profiles.md.
matrix       Try which hooks work together and write docs/compatibility.md: nox -s matrix.
track        Make a track of your own pictures: nox -s track -- new photos --data DIR.
new          Create a contribution that passes every check: nox -s new -- MyIdea.
check        Check folders without running their code: nox -s check -- MyIdea (or --all).
compare      Compare two contributions: nox -s compare -- Example1 reference.
preview      Show a contribution's newest row in its place on the board: nox -s preview -- Example1.
sweep        Choose a learning rate on held-back training pictures: nox -s sweep -- MyIdea.
verify       Run a recorded row again: nox -s verify -- Example1.
why-stale    List what changed since a contribution was run: nox -s why-stale -- Example1.
plan         List the runs of a board, or run them: nox -s plan -- --executor shard --shard 1/8.
collect      Merge rows that other machines stored into this board: nox -s collect -- DIR.
controls     Measure the hub's own rows and check that each is in its place.
calibrate    Measure how small a difference the protocol can show.
explain      Explain a check with wrong and right code: nox -s explain -- HUB204.
list         List the contributions.
clean        List what runs/ no longer needs; nox -s clean -- --yes removes it.
doctor       Examine the machine and the installation.
leaderboard  Build the site and the tables from the recorded rows: then open runs/site/index.html.
docs         Build the documentation, and its pages about the code: then open runs/docs/index.html.
ci           Run what CI runs: nox -s ci -- check MY-BRANCH (--run: train and compare, too).
"""
# Programs of their own: session -> (module, what `nox -l` says about it).
PROGRAMS = {
    "reference": (
        "src.main",
        "Run the reference by itself, without the harness: nox -s reference -- --steps 50.",
    ),
    "scrape": (
        "src.scraping",
        'Collect pictures and captions from the web: nox -s scrape -- "red panda" --out Dataset.',
    ),
    "dataset": (
        "toolkit.picture_sets",
        "Check a folder of pictures before training: nox -s dataset -- check DIR (or preview).",
    ),
    "lora": (
        "toolkit.lora_files",
        "Inspect or change a LoRA file from any trainer: nox -s lora -- inspect FILE.",
    ),
    "sd14": (
        "tests.proofs.sd14_size",
        "Train, save, load, draw at SD 1.4's size (--each: each contribution). Slow, 8 GB.",
    ),
    "exports": (
        "tests.proofs.exports",
        "Train, export and draw with the file, for every contribution: ten minutes.",
    ),
    "held_up": (
        "tests.proofs.held_up",
        "Is the recommended contribution the best on other pictures, too? 20 splits, an hour.",
    ),
    "confirmed": (
        "tests.proofs.confirmed",
        "Are smuggled adapters seen, and honest contributions left alone? Half an hour.",
    ),
    "simulate": (
        "tests.proofs.simulated",
        "Simulate boards whose truth is known: false differences, coverage, who stands first.",
    ),
    "elsewhere": (
        "tests.proofs.elsewhere",
        "Run other programs on the hub's files and the hub on theirs: -- --programs FOLDER.",
    ),
    "second-calls": (
        "tests.proofs.second_calls",
        "Walk all pairs of calls on one live pipeline, and 2,000 threes: an hour.",
    ),
    "bench": (
        "benchmarks",
        "Measure speed, an hour: nox -s bench, or nox -s bench -- training_step; writes results.",
    ),
    "hostile": (
        "tests.hostile",
        "Run every hostile contribution on every isolation layer; write docs/isolation.md's table.",
    ),
    "fuzz": (
        "tests.fuzz",
        "Feed random bytes to the readers, ten minutes by hypothesis: nox -s fuzz -- --minutes 10.",
    ),
    "kill_anywhere": (
        "tests.kill_anywhere",
        "Kill a run and a board build at 50 random moments each; no file may be incomplete.",
    ),
    "mutants": (
        "tests.mutants.__main__",
        "Measure what the correctness gate catches and write docs/gate/matrix.md (ten minutes).",
    ),
}


# What is said when nothing is typed after the `--`, instead of looking for the hub's own example.
ALONE = {"scrape": 'Say what to look for: nox -s scrape -- "red panda" --count 50 --out Dataset'}


def add_session(name: str, summary: str, *words: str) -> None:
    """Make a session that runs these words with whatever comes after ``--``."""

    def session(session: nox.Session) -> None:
        if name in ALONE and not session.posargs:
            session.error(ALONE[name])
        python(session, "-m", *words, *session.posargs)

    session.__doc__ = summary
    nox.session(session, name=name, python=False)


for line in COMMANDS.strip().splitlines():
    command, summary = line.split(maxsplit=1)
    add_session(command, summary, "harness", command)
for name, (module, summary) in PROGRAMS.items():
    add_session(name, summary, module)


@nox.session(python=False)
def base_model(session: nox.Session) -> None:
    """Measure the embedded base model (--evaluate, --fit), or make it again (its stages)."""
    if "--fit" in session.posargs:
        rest = [argument for argument in session.posargs if argument != "--fit"]
        python(session, "-m", "tests.proofs.fit_for_purpose", *rest)
        return
    arguments = ["evaluate" if a == "--evaluate" else a for a in session.posargs]
    python(session, "-m", "recipes.tiny_sd", *arguments)


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
def app(session: nox.Session) -> None:
    """Open a page on this machine to train, watch and compare on: installs the extra `app`."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    more = [f"--with={package}" for package in extras["app"]]
    python(session, *more, "-m", "harness", "app", *session.posargs)


@nox.session(python=False)
def ray(session: nox.Session) -> None:
    """Kill a node of a real Ray cluster half-way through a board: installs the extra `ray`.

    HUB_RAY_RESULT=benchmarks/results/ray.json writes the result to that file.
    """
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    more = [f"--with={package}" for package in extras["ray"]]
    # Ray leaves sockets and files to its own processes: its warnings are not ours.
    quiet = (
        "-W",
        "ignore::ResourceWarning",
        "-W",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    )
    words = ("-m", "pytest", *quiet, "tests/harness/runs/many/test_ray.py")
    python(session, *more, *words, *session.posargs)


@nox.session(python=False)
def extras(session: nox.Session) -> None:
    """Run the tests that need further packages: LyCORIS, ImageHash, onnxruntime, the app's.

    ``nox -s tests`` skips them; this session does not. It installs them into a folder beside the
    hub's environment, because every program that loads a model would import some of them.
    """
    groups = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    folder = Path(".nox", "extras").absolute()
    packages = (*groups["equality"], *groups["scraping"], *groups["app"])
    python(session, "-m", "pip", "install", "-q", "--no-deps", "-U", "-t", str(folder), *packages)
    session.env.update(HUB_REQUIRE_EXTRAS="1", PYTHONPATH=str(folder))
    # Their own warnings are not ours.
    python(session, "-m", "pytest", "-W", "ignore", "-m", "needs", *session.posargs)


@nox.session(python=False)
def findings(session: nox.Session) -> None:
    """Run the scripts of findings/, each in an environment of its own: nox -s findings -- NAME."""
    folder = Path("findings")
    names = session.posargs or [one.stem for one in folder.glob("[!_]*.sh")]
    changed = []
    for name in sorted(names):
        try:
            session.run("bash", str(folder / f"{name}.sh"), external=True)
        except nox.command.CommandFailed:
            changed.append(name)
    if changed:
        session.error(f"no longer so, or not to be had here: {', '.join(changed)}")


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Generate requirements.txt from pyproject.toml."""
    python(session, "harness/commands/ci/lock.py")
