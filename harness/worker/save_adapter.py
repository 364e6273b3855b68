"""After training: find what changed, prove that the files say the same, write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from torch import Tensor, nn

from harness.errors import HookResultError
from harness.worker.counting import Counter
from harness.worker.fresh_copy import fresh_copy, seed_everything
from harness.worker.hooks import Hooks
from harness.worker.jobs import (
    ADAPTER_FILE,
    DELTA_FILE,
    Job,
    SeedOutcome,
    TrainJob,
    seed_folder,
)
from toolkit.core import atomic
from toolkit.core.errors import DeltaError
from toolkit.deltas.file import PARTS, write_delta
from toolkit.deltas.probing import effective_delta
from toolkit.deltas.tolerance import TOLERANCE
from toolkit.deltas.verify import merge_error, text_merge_error
from toolkit.lora_files.shared import load_tensors, save_tensors

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

Deltas = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Trained:
    """One seed's training, finished."""

    seed: int
    pipeline: StableDiffusionPipeline
    adapter: nn.Module
    losses: tuple[float, ...]


def keep(
    job: TrainJob,
    hooks: Hooks,
    base: StableDiffusionPipeline,
    trained: Trained,
    counter: Counter | None = None,
) -> SeedOutcome:
    """Write the adapter and the effective change of the base; check that both tell the truth.

    A change that cannot be expressed as new weights of the base leaves no delta; the outcome says
    why.

    Raises:
        HookResultError: Training changed the autoencoder, left NaN, or trained something that is
            not in the adapter.
    """
    folder = seed_folder(job.out, trained.seed)
    folder.mkdir(parents=True, exist_ok=True)
    changed, error, why = 0, 0.0, None
    try:
        deltas = find_deltas(job, base, trained.pipeline)
        error = difference(base, trained.pipeline, deltas)
        if not error <= TOLERANCE:  # written so that NaN fails too
            raise DeltaError(
                "base + change does not compute what the trained model computes: relative error "
                f"{error:.2e}, allowed {TOLERANCE:.0e}"
            )
        write_delta(folder / DELTA_FILE, deltas, job.contribution.header)
        changed = sum(len(delta) for delta in deltas.values())
    except DeltaError as fault:
        error, why = 0.0, fault.what
    save_adapter(trained.adapter, folder / ADAPTER_FILE, job.contribution.header)
    if why is not None or not job.scored:  # else a job of its own makes the change again
        check_round_trip(job, hooks, base, trained)
    return SeedOutcome(
        seed=trained.seed,
        losses=trained.losses,
        trainable_parameters=sum(
            p.numel() for p in trained.adapter.parameters() if p.requires_grad
        ),
        changed_modules=changed,
        merge_error=error,
        unmergeable=why,
        watched=counter.watched() if counter else None,
    )


def find_deltas(
    job: Job, base: StableDiffusionPipeline, pipeline: StableDiffusionPipeline
) -> Deltas:
    """Return what training changed in the U-Net and the text encoder.

    Raises:
        HookResultError: The autoencoder changed, or a weight is not finite.
    """
    for part in PARTS:
        getattr(pipeline, part).eval()
    if effective_delta(base.vae, pipeline.vae):
        raise HookResultError(
            "Training changed the autoencoder (VAE).",
            where=job.contribution.path,
            fix="Freeze pipeline.vae: pipeline.vae.requires_grad_(False).",
        )
    deltas = {part: effective_delta(getattr(base, part), getattr(pipeline, part)) for part in PARTS}
    if not all(bool(d.isfinite().all()) for delta in deltas.values() for d in delta.values()):
        raise HookResultError(
            "The trained weights hold NaN or infinity.",
            where=job.contribution.path,
            fix="Lower the learning rate, or look for a division by zero in the loss.",
        )
    return deltas


def difference(
    clean: StableDiffusionPipeline, live: StableDiffusionPipeline, deltas: Deltas
) -> float:
    """Return the larger relative error, U-Net or text encoder, of ``clean + deltas``."""
    config, tokens = clean.unet.config, clean.tokenizer.model_max_length
    unet_error = merge_error(
        clean.unet,
        live.unet,
        deltas["unet"],
        sample_size=config.sample_size,
        cross_attention_dim=config.cross_attention_dim,
        tokens=tokens,
    )
    text_error = text_merge_error(
        clean.text_encoder, live.text_encoder, deltas["text_encoder"], tokens
    )
    # max() would drop a NaN that comes second.
    return unet_error if not unet_error <= text_error else text_error


def check_round_trip(
    job: TrainJob, hooks: Hooks, base: StableDiffusionPipeline, trained: Trained
) -> None:
    """Rebuild the trained model from the saved file alone, as ``generate`` will.

    Raises:
        HookResultError: The file does not hold all that was trained.
    """
    again = fresh_copy(base)
    seed_everything(trained.seed + 1)  # what is random in make_lora must be in the file
    adapter = hooks.call("make_lora", pipeline=again, config=job.lora_config())
    load_adapter(adapter, seed_folder(job.out, trained.seed) / ADAPTER_FILE)
    for part in PARTS:
        getattr(again, part).eval()
    error = difference(again, trained.pipeline, {part: {} for part in PARTS})
    if not error <= TOLERANCE:
        raise HookResultError(
            "The saved adapter does not bring the trained model back: relative error "
            f"{error:.2e}, allowed {TOLERANCE:.0e}.",
            where=hooks.place("make_lora"),
            fix="Train only the parameters of the module that make_lora returns, and register "
            "everything random in it as a parameter or buffer.",
        )


def save_adapter(adapter: nn.Module, path: Path, header: Mapping[str, str]) -> None:
    """Write the adapter's own ``state_dict`` as safetensors; what layers share is written once."""
    with atomic.replacing(path) as temporary:
        save_tensors(adapter.state_dict(), temporary, {"format": "pt", **header})


def load_adapter(adapter: nn.Module, path: Path) -> None:
    """Load a file of ``save_adapter`` into a freshly made adapter, strictly.

    Raises:
        DeltaError: The file cannot be read, or the weights do not fit the adapter that
            ``make_lora`` builds now.
    """
    try:
        adapter.load_state_dict(load_tensors(path))
    except (SafetensorError, OSError) as error:
        raise DeltaError(
            f"The trained weights cannot be read: {error}",
            where=path.name,
            fix="Train again, or name another training with --run.",
        ) from error
    except RuntimeError as error:
        raise DeltaError(
            f"The trained weights do not fit this adapter: {error}",
            where=path.name,
            fix="The code or its settings changed since training: train again.",
        ) from error
