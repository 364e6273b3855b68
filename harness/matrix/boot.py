"""First code of the matrix's child: the worker's, for one more program."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from harness.worker import boot

CHILD = "harness.matrix.child"

if __name__ == "__main__":
    boot.MODULES = (*boot.MODULES[:1], CHILD)
    boot.boot(CHILD, *sys.argv[1:])
