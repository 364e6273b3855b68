"""Load one contribution's hooks into a pluggy manager of its own. Runs in the worker only.

One manager per contribution, never one for all: in a shared manager one contribution's ``tryfirst``
or wrapper would take over every ``train``. A hook that a contribution does not declare comes
from the reference *by declaration*; the reference is never registered as a fallback, so a
forgotten ``@hookimpl`` cannot pass unnoticed. In a recipe each part has its manager, too.
"""

from __future__ import annotations

import importlib
import inspect
import linecache
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from harness import PROJECT, hookspecs, paths
from harness.contributions.record import Contribution
from harness.contributions.registry import is_reference
from harness.errors import HookError, HookResultError, PluginError
from harness.worker.needs import require_needs
from toolkit.core.errors import HubError, describe
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME, HookName

MOST_FRAMES = 50
FORBIDDEN_OPTIONS = ("wrapper", "hookwrapper", "tryfirst", "trylast", "optionalhook", "specname")


@dataclass(frozen=True)
class Hooks:
    """The four hooks of one run, each with the contribution it comes from.

    Args:
        owner: The contribution that is run; its code may also be at fault inside the hook of
            another, for instance when the reference's ``train`` calls its adapter.
        managers: Hook name -> the manager that calls it.
        origins: Hook name -> the contribution it comes from.
    """

    owner: Contribution
    managers: dict[HookName, pluggy.PluginManager]
    origins: dict[HookName, Contribution]

    def call(self, hook: HookName, **arguments: Any) -> Any:
        """Call one hook.

        Raises:
            HookError: The hook raised; the message names the hook, the file and the line.
            HookResultError: The hook returned None.
        """
        origin = self.origins[hook]
        if hook == "train":
            with self.blaming("make_dataset"):  # whose items are looked at
                require_needs(self.origins["train"], arguments["adapter"], arguments["dataset"])
        with self.blaming(hook):
            result = getattr(self.managers[hook].hook, hook)(**arguments)
        if result is None:
            raise HookResultError(
                f"{origin.file.name}'s hook {hook!r} returned None.",
                where=self.place(hook),
                fix=f"Return what harness/hookspecs.py describes for {hook!r}.",
            )
        return result

    def place(self, hook: HookName) -> str:
        """Return ``file:line in function`` of the function behind a hook."""
        return place_of(self.managers[hook], hook)

    @contextmanager
    def blaming(self, hook: HookName) -> Iterator[None]:
        """Turn what is raised inside into a HookError that points at the line at fault.

        The code of the contribution and its parts is looked for first, then the hook's.
        """
        try:
            yield
        except HubError:
            raise
        except Exception as error:
            origin = self.origins[hook]
            authors = [one for one in self.owner.folders if not is_reference(one)]
            own = innermost(error, *authors)
            author = next((one for one in authors if own and own == innermost(error, one)), origin)
            what = describe(error)
            if author.path != origin.path:
                caller = f"the {REFERENCE_NAME}" if is_reference(origin) else origin.file.name
                story = f"{author.file.name}'s code, called by {caller}'s hook {hook!r},"
            else:
                story = f"{origin.file.name}'s hook {hook!r}"
            raise HookError(
                f"{story} raised {what}",
                where=own or innermost(error, origin) or origin.path,
                fix="Mend that line and run again; log.txt has the whole traceback.",
            ) from error


def place_of(manager: pluggy.PluginManager, hook: HookName) -> str:
    """Return ``file:line in function`` of the function that implements a hook."""
    function = inspect.unwrap(getattr(manager.hook, hook).get_hookimpls()[0].function)
    code = function.__code__
    file = Path(code.co_filename).resolve()
    name = file.relative_to(paths.ROOT).as_posix() if file.is_relative_to(paths.ROOT) else file.name
    line = code.co_firstlineno  # of the first decorator
    while linecache.getline(str(file), line).lstrip().startswith(("@", "#")):
        line += 1
    return f"{name}:{line} in {code.co_name}"


def own_trace(error: BaseException, contribution: Contribution) -> tuple[str, ...]:
    """Return the lines of a traceback in files of its own or its parts, and the message."""
    folders = [(paths.ROOT / one.path).resolve() for one in contribution.folders]
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        for frame in traceback.extract_tb(cause.__traceback__)[-MOST_FRAMES:]:
            file = Path(frame.filename).resolve()
            if any(file.is_relative_to(folder) for folder in folders):
                name = file.relative_to(paths.ROOT).as_posix()
                lines += [f'  File "{name}", line {frame.lineno}, in {frame.name}']
                lines += [f"    {frame.line}"] if frame.line else []
        if lines and not isinstance(cause, HubError):
            return (*lines, describe(cause))
        cause = cause.__cause__
    return tuple(lines)


def main_file(origin: Contribution) -> str:
    """Return the path of a contribution's main.py."""
    return "src/main.py" if origin.path == "src" else f"{origin.path}/src/main.py"


def innermost(error: BaseException, *origins: Contribution) -> str | None:
    """Return ``file:line in function`` of the innermost frame in contributions' folders."""
    folders = [(paths.ROOT / origin.path).resolve() for origin in origins]
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if any(Path(frame.filename).resolve().is_relative_to(folder) for folder in folders)
    ]
    if not own:
        return None
    name = Path(own[-1].filename).resolve().relative_to(paths.ROOT).as_posix()
    return f"{name}:{own[-1].lineno} in {own[-1].name}"


def load_hooks(contribution: Contribution, reference: Contribution) -> Hooks:
    """Load the hooks of a contribution and its parts, and the reference's for what they lack.

    Raises:
        PluginError: A module cannot be imported, or registers other hooks than it declares.
    """
    origins = {hook: contribution.code_of(hook) or reference for hook in HOOK_NAMES}
    # The reference last: it imports torch, and a fault of the contribution's own comes before that.
    sources = {one.path: one for one in sorted(origins.values(), key=is_reference)}
    loaded = {path: load_manager(one) for path, one in sources.items()}
    managers = {hook: loaded[origin.path] for hook, origin in origins.items()}
    return Hooks(contribution, managers, origins)


def load_manager(contribution: Contribution) -> pluggy.PluginManager:
    """Import a contribution's main.py and register it in a manager of its own.

    Raises:
        PluginError: See the module's rules; every message says what to write instead.
    """
    module = import_main(contribution)
    where = main_file(contribution)
    check_options(module, where)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=contribution.file.name)
        manager.check_pending()  # Without it a misspelt hook registers and is never called.
    except pluggy.PluginValidationError as error:
        raise PluginError(
            f"{contribution.file.name} does not fit the contract: {error}",
            where=where,
            fix="Compare names and parameters with harness/hookspecs.py.",
        ) from error
    found = {hook for hook in HOOK_NAMES if getattr(manager.hook, hook).get_hookimpls()}
    declared = set(contribution.file.hooks)
    if found != declared:
        raise PluginError(
            f"{contribution.file.name} declares the hooks {sorted(declared)} but main.py registers "
            f"{sorted(found)}.",
            where=where,
            fix="Import each declared hook in main.py, mark it with @hookimpl, and list exactly "
            "those under `hooks` in contribution.toml.",
        )
    return manager


def import_main(contribution: Contribution) -> ModuleType:
    """Import ``CONTRIBUTIONS.<Name>.src.main``.

    The path is the module's name, so equal file names in different folders never clash.
    """
    try:
        return importlib.import_module(contribution.module)
    except Exception as error:
        raise PluginError(
            f"{contribution.file.name} cannot be imported: {describe(error)}",
            where=innermost(error, contribution) or main_file(contribution),
            fix=f"It must work by itself: python -c 'import {contribution.module}'",
        ) from error


def check_options(module: ModuleType, where: str) -> None:
    """Refuse hook implementations whose options or parameters change what the harness calls."""
    for name, function in inspect.getmembers(module, inspect.isroutine):
        options = getattr(function, f"{PROJECT}_impl", None)
        if options is None:
            continue
        used = [option for option in FORBIDDEN_OPTIONS if options.get(option)]
        if used:
            raise PluginError(
                f"The hook {name!r} is marked with {', '.join(used)}.",
                where=where,
                fix="Write a bare @hookimpl: each hook has exactly one implementation here.",
            )
        for parameter in inspect.signature(function).parameters.values():
            plain = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            if not plain or parameter.default is not inspect.Parameter.empty:
                raise PluginError(
                    f"The hook {name!r} has the parameter {str(parameter)!r}.",
                    where=where,
                    fix="Hook parameters are plain names: no defaults, no *, no **.",
                )
