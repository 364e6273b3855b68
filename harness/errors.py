"""Everything that can go wrong, as one tree.

    HubError                      what happened, where, how to fix it
    ├── UsageError                the command asks for something that is not there      (exit 2)
    ├── EnvironmentFault          the machine or the installation lacks something
    ├── BaseModelError            the base model is missing, incomplete or damaged
    ├── DataSetError              a folder of training pictures is at fault
    ├── StructureError            a folder breaks the hub's rules; carries every finding
    ├── ContributionError         the contribution's own code is at fault
    │   ├── PluginError           its main.py cannot be loaded or registers the wrong hooks
    │   ├── HookError             a hook raised
    │   ├── HookResultError       a hook returned something the contract does not allow
    │   ├── MixError              its train needs what the other parts of a recipe lack
    │   └── GateError             a probe of the correctness gate failed
    ├── WorkerError               the worker process ended without an answer
    │   ├── WorkerCrash           it died (signal, exit code)
    │   └── WorkerLimit           it was stopped at a limit
    │       ├── WorkerTimeout     it ran longer than the track allows
    │       ├── WorkerCpuTime     it used more processor time
    │       ├── WorkerMemory      it used more memory
    │       ├── WorkerProcesses   it had more processes at once
    │       ├── WorkerDisk        it wrote more into its folder
    │       └── WorkerOutput      it printed more
    ├── ArtefactError             a file that a worker wrote cannot be accepted
    └── ResultFileError           a result file on disk is damaged or of another schema

Each class has an entry in docs/troubleshooting.md and a fixture that raises it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records import Finding


class HubError(Exception):
    """A fault with an address and a remedy.

    Args:
        what: One sentence: what is wrong.
        where: ``file:line`` or the name of the thing at fault.
        fix: What the reader can do about it, in the imperative.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  at   {self.where}")
        if self.fix:
            lines.append(f"  fix  {self.fix}")
        return "\n".join(lines)


class UsageError(HubError):
    """The command asks for something that is not there."""

    exit_code = 2


class EnvironmentFault(HubError):
    """The machine or the installation lacks something."""


class BaseModelError(HubError):
    """The base model is missing, incomplete or damaged."""


class DataSetError(HubError, ValueError):
    """A folder of training pictures is at fault. A ValueError too: src/ knows no hub errors."""


class StructureError(HubError):
    """A folder breaks the hub's rules."""

    def __init__(self, what: str, findings: tuple[Finding, ...], *, fix: str | None = None) -> None:
        super().__init__(what, fix=fix)
        self.findings = findings


class ContributionError(HubError):
    """The contribution's own code is at fault."""


class PluginError(ContributionError):
    """A contribution's main.py cannot be loaded or registers the wrong hooks."""


class HookError(ContributionError):
    """A hook raised."""


class HookResultError(ContributionError):
    """A hook returned something the contract does not allow."""


class MixError(ContributionError):
    """A ``train`` needs something that the adapter or the data set of another part lacks."""


class GateError(ContributionError):
    """The correctness gate found an error: the contribution is not trained, scored or ranked."""


class WorkerError(HubError):
    """The worker process ended without an answer."""


class WorkerCrash(WorkerError):
    """The worker died: a signal, an exit code."""


class WorkerLimit(WorkerError):
    """The worker was stopped at a limit."""


class WorkerTimeout(WorkerLimit):
    """The worker ran longer than the track allows."""


class WorkerCpuTime(WorkerLimit):
    """The worker and what it started used more processor time than it may."""


class WorkerMemory(WorkerLimit):
    """The worker and what it started used more memory than they may."""


class WorkerProcesses(WorkerLimit):
    """The worker started more processes than it may."""


class WorkerDisk(WorkerLimit):
    """The worker wrote more into its folder than it may."""


class WorkerOutput(WorkerLimit):
    """The worker printed more than it may."""


class ArtefactError(HubError):
    """A file that a worker wrote cannot be accepted."""


class ResultFileError(HubError):
    """A result file on disk is damaged or of another schema."""


def said(error: BaseException) -> str:
    """Return ``Type: message`` of any exception, also of one that cannot be turned into text."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a stranger's __str__ may raise anything
        return f"{type(error).__name__}: (its message cannot be read)"
