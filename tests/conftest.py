"""What every test needs, in whatever way the tests were started."""

import os
import signal
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

REQUIRED = "HUB_REQUIRE_EXTRAS"  # set by `nox -s extras`, which installs what tests need

# A background job of a shell, such as some CI runners start, ignores Ctrl-C, and its children
# inherit that. The tests about stopping send the signal for real.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Models here are tiny, and a process of pytest-xdist for each core fills the machine: further
# threads would only wait for each other, each at full load. A child of a test inherits it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is.
settings.register_profile("hub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hub")

# A file is the work of one process (pytest-xdist's loadfile), and each of these takes half a minute
# of processor time or more: begun last, they would leave one core idle while the other ends them.
# By cost; tests/processor_time.py measures it.
LONG_FILES = (
    "test_main_job.py",
    "test_contest_for_real.py",
    "test_kill_anywhere.py",
    "test_board.py",
    "test_probes.py",
    "test_killed.py",
    "test_worker.py",
    "test_hostile.py",
    "test_trainers.py",
    "test_forging.py",
    "test_calibrate.py",
)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a package which the hub does without, unless it is required."""
    if REQUIRED in os.environ:
        return
    for marker in item.iter_markers("needs"):
        for package in marker.args:
            if find_spec(package) is None:
                pytest.skip(f"{package} is not installed: nox -s extras")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: position for position, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))  # stable: the rest stays
