"""Which packages a contribution may import: the hub's lock, and an allow-list of extras."""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from pathlib import Path

# The one list of extra packages. All contributions share one environment, so each has exactly
# one version; a maintainer raises it for everybody at once. Value: what `import` calls it.
ALLOWED = {
    "bitsandbytes==0.50.2": "bitsandbytes",
    "lycoris-lora==4.1.3": "lycoris",
    "peft==0.21.2": "peft",
    "prodigyopt==1.1.2": "prodigyopt",
    "schedulefree==1.4.1": "schedulefree",
}

# Distributions whose import name is not their own name with underscores.
_IMPORT_NAMES = {
    "attrs": ("attr", "attrs"),
    "markdown-it-py": ("markdown_it",),
    "opencv-python-headless": ("cv2",),
    "pillow": ("PIL",),
    "python-dateutil": ("dateutil",),
    "python-dotenv": ("dotenv",),
    "pyyaml": ("yaml",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
}

# This installation's own lock, also for folders that are checked in another root.
_ROOT = Path(__file__).resolve().parents[2]

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==|@|;|$)")


def normalised(name: str) -> str:
    """Return a distribution name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def locked() -> frozenset[str]:
    """Return the import names of everything in the hub's lock."""
    lock = _ROOT / "requirements.txt"
    if lock.is_file():
        requirements = lock.read_text(encoding="utf-8").splitlines()
    else:
        # A checkout whose lock has not been compiled yet still knows its direct dependencies.
        project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        requirements = project["project"]["dependencies"]
    names: set[str] = set()
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement.strip())
        if found:
            name = normalised(found[1])
            names.update(_IMPORT_NAMES.get(name, (name.replace("-", "_"),)))
    return frozenset(names)


def is_available(module: str) -> bool:
    """Tell whether ``import module`` works for every contribution."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in locked()


def allowed_import_names(dependencies: tuple[str, ...]) -> frozenset[str]:
    """Return the import names that the declared extras bring."""
    return frozenset(ALLOWED[name] for name in dependencies if name in ALLOWED)


def extra_that_provides(module: str) -> str | None:
    """Return the allow-listed requirement that brings ``module``."""
    top = module.partition(".")[0]
    return next((pin for pin, name in ALLOWED.items() if name == top), None)
