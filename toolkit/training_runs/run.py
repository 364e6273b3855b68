"""The reporter of a run: after each step it logs, validates, draws and saves as configured.

Any ``train`` hook that calls ``reporter.step`` gets the log, the progress line, validation and
samples; one that also offers its state (``ResumableReporter``) gets checkpoints and resuming.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit.core import atomic
from toolkit.core.errors import HubError, UsageError
from toolkit.core.reporting import TrainState
from toolkit.lora_files import adapters

from . import memory
from .checkpoints import Checkpoints
from .half import computes_bfloat16
from .journal import Journal
from .own_folder import PLAN_FILE, RECIPE_FILE, SHEET_FILE
from .plan import RunPlan, schedule_note
from .recipe import as_toml
from .samples import Draw, Samples
from .stopping import StopRequest
from .validation import Validation

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Stopped(KeyboardInterrupt):
    """The user wanted to stop; the text says what was kept and how to go on."""


class Display(Protocol):
    """Where a run shows how far it is."""

    def start(self, done: int) -> None:
        """Hear how many steps were done before."""

    def show(self, step: int, loss: float, memory: int) -> None:
        """Show a finished step; ``memory`` in bytes."""

    def say(self, sentence: str) -> None:
        """Show a sentence."""


class Run:
    """One training run in its folder; a ``ResumableReporter``.

    Args:
        plan: What the run is.
        folder: Where everything goes.
        pipeline: The base with the adapter attached.
        adapter: What is trained.
        grid: Pictures for the validation loss, ``(pixel_values (3, H, W), caption)``.
        draw: The contribution's ``generate`` on this pipeline and adapter.
        display: Shows how far it is.
        stop_file: See ``StopRequest``.
    """

    def __init__(
        self,
        plan: RunPlan,
        folder: Path,
        pipeline: StableDiffusionPipeline,
        adapter: nn.Module,
        grid: Dataset[tuple[Tensor, str]],
        draw: Draw,
        display: Display,
        stop_file: Path | None = None,
    ) -> None:
        self.is_main = is_main_process()  # the one that writes
        self.cache_dir = plan.cache_dir
        self._plan, self._folder, self._display = plan, folder, display
        self._device, self._adapter = pipeline.unet.device, adapter
        self._identity = plan.identity()
        self._checkpoints = Checkpoints(folder / "checkpoints", plan.keep_checkpoints, display.say)
        # Looked at before anything is computed: other settings are refused at once.
        self._found = self._checkpoints.newest(self._identity)
        self._stop = StopRequest(stop_file, is_main=self.is_main)
        self._stop_heard_at: int | None = None
        self._journal = Journal(folder, tensorboard=plan.tensorboard and self.is_main)
        half = HALF.get(plan.train.mixed_precision)
        autocast = (
            torch.autocast(self._device.type, dtype=half) if half else contextlib.nullcontext()
        )
        self._samples = Samples(
            pipeline, draw, plan.prompts, plan.sampling, folder / "samples", autocast
        )
        wants_grid = plan.validate_every > 0 and self.is_main
        self._validation = Validation(pipeline, grid, autocast) if wants_grid else None
        self._last_step_at = time.monotonic()

    def __enter__(self) -> Self:
        if self.is_main:
            atomic.write_text(self._folder / PLAN_FILE, self._plan.model_dump_json(indent=1))
            atomic.write_text(self._folder / RECIPE_FILE, as_toml(self._plan))
            self._samples.draw_base()
            if self._validation and self._found is None:
                self._journal.write(0, validation_loss=self._validation.loss())
        if self._plan.init and self._found is None:
            start_from(self._adapter, self._plan.init)
            self._display.say(f"Starting from {self._plan.init.name}.")
        self._stop.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.__exit__(*exception)
        self._journal.close()

    # --- what a train hook calls ----------------------------------------------------------------

    def resume(self) -> TrainState | None:
        """Return the state of the newest whole checkpoint, or None for a fresh start."""
        done = self._found.step if self._found else 0
        if self.is_main:
            self._journal.forget_after(done)
        self._display.start(done)
        self._last_step_at = time.monotonic()
        if self._found is None:
            return None
        self._display.say(f"Going on after step {done} of {self._plan.train.steps}.")
        if note := schedule_note(self._found.identity, self._identity, done):
            self._display.say(note)
        return self._found.state

    def step(self, step: int, loss: float) -> None:
        """Log and show a finished step; validate and draw when it is time to."""
        if not self.is_main:
            return
        now = time.monotonic()
        values = {"loss": loss, "seconds": now - self._last_step_at}
        used = memory.peak_now(self._device)
        if self._validation and self._is_due(step, self._plan.validate_every):
            values["validation_loss"] = self._validation.loss()
        self._journal.write(step, **values)
        self._display.show(step, loss, used)
        if "validation_loss" in values:
            self._display.say(f"step {step}: validation loss {values['validation_loss']:.4f}")
        if self._is_due(step, self._plan.sample_every):
            self._display.say(f"step {step}: {self._samples.draw_sheet(step)}")
        self._last_step_at = time.monotonic()
        self._stop_without_checkpoint(step)

    def checkpoint(self, step: int, make_state: Callable[[], TrainState]) -> None:
        """Keep the state when it is time to, or when the user wants to stop.

        Raises:
            Stopped: The user wants to stop; the state is on disk.
        """
        asked = self._stop.asked
        last = step == self._plan.train.steps
        if self.is_main and (asked or last or self._is_due(step, self._plan.checkpoint_every)):
            self._checkpoints.write(step, make_state(), self._identity)
        if asked and not last:
            raise Stopped(
                f"Stopped after step {step} of {self._plan.train.steps}; the same command goes on "
                "from there."
            )

    def finish(self) -> Path:
        """Draw the last sheet of samples and return it."""
        return self._samples.draw_sheet(self._plan.train.steps, self._folder / SHEET_FILE)

    # --------------------------------------------------------------------------------------------

    def _is_due(self, step: int, every: int) -> bool:
        return every > 0 and step % every == 0

    def _stop_without_checkpoint(self, step: int) -> None:
        """Stop a loop that offers no state: it had the chance to, after the step before."""
        if not self._stop.asked:
            return
        if self._stop_heard_at is not None and step > self._stop_heard_at:
            raise Stopped(f"Stopped after step {step}; this training loop cannot go on later.")
        self._stop_heard_at = step


def is_main_process() -> bool:
    """Tell whether this is the only process, or the first of those that accelerate launched."""
    return os.environ.get("RANK", "0") == "0"


def announce(
    plan: RunPlan, pipeline: StableDiffusionPipeline, adapter: nn.Module, say: Callable[[str], None]
) -> None:
    """Say how much is trained and how much memory that will need."""
    trained = sum(p.numel() for p in adapter.parameters() if p.requires_grad)
    say(f"{trained:,} trained parameters.")
    device = pipeline.unet.device.type
    if plan.train.mixed_precision == "bf16" and not computes_bfloat16(device):
        say("This processor only imitates bf16: a step may take ten times as long as with no.")
    try:
        needs = memory.estimate(pipeline, adapter, plan.train, plan.resolution)
    except Exception as error:  # an adapter may do what fake tensors cannot
        say(f"Memory: not estimated, {type(error).__name__}: {error}")
        return
    say(needs.sentence())
    if needs.more > needs.available:
        on_card = device == "cuda"
        advice = memory.next_thing_to_try(plan.train, plan.resolution, on_card=on_card)
        say(f"That may be too much. If it is, try {advice}.")


def start_from(adapter: nn.Module, file: Path) -> None:
    """Put a LoRA file's weights into an adapter that has not been trained.

    Raises:
        UsageError: The adapter is another kind, or has other layers or another rank.
    """
    try:
        adapters.load_adapter(adapter, file)
    except (HubError, TypeError, ValueError) as error:
        raise UsageError(
            f"The training cannot start from {file.name}: {error}",
            where=str(file),
            fix="Choose --rank, and the layers (--train-text-encoder, target_modules), as the file "
            "has them: nox -s lora -- inspect " + str(file),
        ) from error
