"""All probes, in the order of their numbers. A new one is a function in probes/ and a page."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from harness.gate import probes
from harness.gate.probe import Probe
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.property import Property
from toolkit.core.errors import UsageError


@cache
def all_probes() -> tuple[Probe, ...]:
    """Return every probe of the package ``probes``."""
    names = (module.name for module in pkgutil.iter_modules(probes.__path__))
    modules = (importlib.import_module(f"{probes.__name__}.{name}") for name in names)
    found = (one for module in modules for one in vars(module).values() if isinstance(one, Probe))
    return tuple(sorted(found, key=lambda probe: probe.id))


def choose(ids: tuple[str, ...]) -> tuple[Probe | Property, ...]:
    """Return the probes and properties with these ids, in any case; none means all.

    Raises:
        UsageError: There is no such probe or property.
    """
    every: tuple[Probe | Property, ...] = (*all_probes(), *PROPERTIES)
    known = {one.id.upper(): one for one in every}
    wanted = [i.upper() for i in ids]
    unknown = [i for i in ids if i.upper() not in known]
    if unknown:
        raise UsageError(
            f"There is no probe {', '.join(sorted(unknown))}.",
            fix="`nox -s explain` lists probes (HUB-C00) and properties (training.noise).",
        )
    return tuple(one for key, one in known.items() if not wanted or key in wanted)
