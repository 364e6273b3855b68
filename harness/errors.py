"""Everything that can go wrong, as one tree.

    HubError                      what happened, where, how to fix it
    ├── UsageError                the command asks for something that is not there      (exit 2)
    ├── EnvironmentFault          the machine or the installation lacks something
    ├── BaseModelError            the base model is missing, incomplete or damaged
    ├── DataSetError              a folder of training pictures is at fault
    ├── CheckError            a folder breaks the hub's rules; carries every finding
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
    ├── DeltaError             a file that a worker wrote cannot be accepted
    └── ResultFileError           a result file on disk is damaged or of another schema

Each class has an entry in docs/troubleshooting.md and a fixture that raises it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from toolkit.core.errors import HubError
from toolkit.core.record import Record


class Finding(Record):
    """One thing a check noticed, with its address and remedy."""

    rule: str = Field(description="identifier such as HUB012; `harness explain` documents it")
    severity: Literal["error", "hint"]
    message: str = Field(description="what is wrong, in one sentence")
    path: str = Field(description="file or folder, relative to the repository")
    line: int | None = Field(default=None, ge=1)
    fix: str = Field(description="what to do about it")
    fixable: bool = Field(default=False, description="whether `check --fix` can mend it")


class CheckError(HubError):
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
