"""All probes, in the order of their numbers. A new one is a function in probes/ and a page."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from harness.gate import probes
from harness.gate.probe import Probe
from toolkit.core.errors import UsageError


@cache
def all_probes() -> tuple[Probe, ...]:
    """Return every probe of the package ``probes``."""
    names = (module.name for module in pkgutil.iter_modules(probes.__path__))
    modules = (importlib.import_module(f"{probes.__name__}.{name}") for name in names)
    found = (one for module in modules for one in vars(module).values() if isinstance(one, Probe))
    return tuple(sorted(found, key=lambda probe: probe.id))


def choose(ids: tuple[str, ...]) -> tuple[Probe, ...]:
    """Return the probes with these ids; none means all.

    Raises:
        UsageError: There is no such probe.
    """
    wanted = {i.upper() for i in ids}
    unknown = wanted - {probe.id for probe in all_probes()}
    if unknown:
        raise UsageError(
            f"There is no probe {', '.join(sorted(unknown))}.",
            fix="`nox -s explain` lists the probes, HUB-C00 and up.",
        )
    return tuple(probe for probe in all_probes() if not wanted or probe.id in wanted)
