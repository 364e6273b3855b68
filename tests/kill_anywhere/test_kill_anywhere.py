"""A few moments; nox -s kill_anywhere takes fifty of each."""

import sys

import pytest

from tests.kill_anywhere.kill import SUBJECTS, finish, kill_after, small_hub

# As shares of the undisturbed command's time. The undisturbed run is the first and measures the
# reference, too, which is half of it: at 0.8 the others have long ended.
MOMENTS = {"run": (0.2, 0.4), "board": (0.35, 0.8)}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    return small_hub(tmp_path_factory.mktemp("kill"))


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_killed_command_leaves_whole_files_and_the_next_one_ends_the_same(name, hub):
    subject = SUBJECTS[name]
    seconds, undisturbed = finish(hub, subject)
    for share in MOMENTS[name]:
        kill_after(hub, subject, share * seconds, undisturbed)
    _, again = finish(hub, subject)
    assert again == undisturbed
