"""A few moments; nox -s kill_anywhere takes fifty."""

import sys

import pytest

from tests.kill_anywhere.kill import finish, kill_after, small_hub


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_leaves_whole_files_and_the_next_one_ends_the_same(tmp_path):
    hub = small_hub(tmp_path)
    seconds, undisturbed = finish(hub)
    for path in (hub / "runs" / "robot").iterdir():
        path.rename(path.with_name(f"{path.name}-undisturbed"))
    for share in (0.2, 0.55, 0.9):
        kill_after(hub, share * seconds)
    _, again = finish(hub)
    assert again == undisturbed
