"""Keep pace on a machine that others use too.

An operation on two threads waits for the slower one. When another program holds a core, that is so
slow that one thread alone is several times faster; when the machine is free, two are. So try both
now and then.
"""

from __future__ import annotations

import time

import torch

TRIAL_EVERY = 30  # steps
TRIAL_STEPS = 2


class ThreadChooser:
    """Chooses between one thread and all of them by the time that steps take."""

    def __init__(self, enabled: bool) -> None:
        """Remember the number of threads in use at the start; do nothing unless `enabled`."""
        self._most = torch.get_num_threads()
        self._enabled = enabled and self._most > 1
        self._taken_s: dict[int, float] = {}
        self._count = 0
        self._began = time.monotonic()

    def before_step(self) -> None:
        """Set the number of threads for the coming step."""
        if not self._enabled:
            return
        phase = self._count % TRIAL_EVERY
        threads = torch.get_num_threads()
        if phase == 0:
            threads = self._most
        elif phase == TRIAL_STEPS:
            threads = 1
        elif phase == 2 * TRIAL_STEPS:
            threads = min(self._taken_s, key=lambda key: self._taken_s[key])
        if threads != torch.get_num_threads():
            torch.set_num_threads(threads)
        self._began = time.monotonic()

    def after_step(self) -> None:
        """Note how long the step took."""
        if not self._enabled:
            return
        # The second step of a trial counts: the first one still pays for the change.
        self._taken_s[torch.get_num_threads()] = time.monotonic() - self._began
        self._count += 1
