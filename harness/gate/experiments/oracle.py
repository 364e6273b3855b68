"""A U-Net that knows the answer: it predicts exactly the noise, or misses it by a known amount.

With a perfect prediction every right loss has no slope, whatever its weights. So a wrong target, a
forgotten zero_grad, an invented loss and missing clipping show themselves one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.gate.components import GAIN
from harness.gate.experiments.context import Context, Recorder, attach, train
from harness.gate.spies import Spy, UNetCall
from harness.gate.toy_pictures import PlainColours
from toolkit.core.settings import TrainConfig

# Per optimiser step: by how much the answer misses the noise, and how steep its gradient is.
PHASES: tuple[tuple[float, float], ...] = (
    (0.0, 1.0),
    (0.0, 1.0),
    (1.0, 1.0),
    (1.0, 1.0),
    (0.0, 1.0),
    (0.0, 1.0),
    (1.0, 1e3),
    (1.0, 1e6),
)
EXACT_FIRST, MISSED, EXACT_AGAIN, STEEP, STEEPER = (0, 1), (2, 3), (4, 5), 6, 7
MAX_GRAD_NORM = 0.5


@dataclass
class OracleSeen:
    """What the experiment saw."""

    config: TrainConfig
    spy: Spy
    recorder: Recorder
    scaling_factor: float
    alphas_cumprod: Tensor
    own_losses: tuple[float, ...]  # of TrainResult

    def slope(self, phases: tuple[int, ...]) -> float | None:
        """Return the mean size of the loss's gradient at the U-Net's output, per picture."""
        norms = [
            float(call.output_grad.double().norm()) / max(1, len(call.sample)) ** 0.5
            for call in self.spy.trained_calls
            if call.after_steps in phases and call.output_grad is not None
        ]
        return sum(norms) / len(norms) if norms else None

    def loss(self, phases: tuple[int, ...]) -> float | None:
        """Return the mean of the losses reported for these steps."""
        losses = [
            loss
            for number, loss in zip(self.recorder.numbers, self.recorder.losses, strict=True)
            if number - 1 in phases
        ]
        return sum(losses) / len(losses) if losses else None

    def grad_norm(self, step: int) -> float | None:
        """Return the gradient norm that the optimiser found at a step."""
        rounds = self.spy.rounds
        if step >= len(rounds):
            return None
        return float(sum(one.grad_norm**2 for one in rounds[step]) ** 0.5)

    def exact_calls(self) -> list[UNetCall]:
        """Calls that were answered exactly and got a gradient back."""
        return [
            call
            for call in self.spy.trained_calls
            if call.after_steps in EXACT_FIRST and call.output_grad is not None
        ]


class Oracle:
    """Answers for the U-Net.

    Args:
        alphas: alpha_bar of the base's scheduler, (T,).
        factor: The VAE's scaling factor.
        velocity: Answer the velocity instead of the noise.
    """

    def __init__(self, alphas: Tensor, factor: float, *, velocity: bool = False) -> None:
        self.alphas = alphas
        self.latents = GAIN * factor
        self.velocity = velocity

    def truth(self, call: UNetCall) -> Tensor:
        """Return what a perfect U-Net would say, (B, 4, h, w)."""
        rows = call.timesteps.round().long().clamp(0, len(self.alphas) - 1)
        alpha = self.alphas[rows][:, None, None, None]
        noise = (call.sample - alpha.sqrt() * self.latents) / (1 - alpha).sqrt()
        if self.velocity:
            return alpha.sqrt() * noise - (1 - alpha).sqrt() * self.latents
        return noise

    def __call__(self, call: UNetCall, output: Tensor) -> Tensor:
        """Return the truth of this phase, with the U-Net's own gradient behind it."""
        miss, steepness = PHASES[min(call.after_steps, len(PHASES) - 1)]
        value = (self.truth(call) + miss).to(output)
        return value + steepness * (output - output.detach())


def run(context: Context) -> OracleSeen:
    """Train with the oracle, every picture having the same latents."""
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy, constant=True)
    adapter = attach(context, pipeline)
    alphas = pipeline.scheduler.alphas_cumprod.float()
    factor = float(pipeline.vae.config.scaling_factor)
    spy.answering = Oracle(alphas, factor)
    plain = context.train_config(steps=len(PHASES), batch_size=4, caption_dropout=0.0)
    changes = {"max_grad_norm": MAX_GRAD_NORM, "learning_rate": plain.learning_rate / 2}
    config = plain.model_copy(update=changes)
    recorder = Recorder()
    with spy.watching_optimizers():
        losses = train(context, pipeline, PlainColours(), adapter, config, recorder)
    return OracleSeen(
        config=config,
        spy=spy,
        recorder=recorder,
        scaling_factor=factor,
        alphas_cumprod=alphas,
        own_losses=losses,
    )


def candidates(seen: OracleSeen, call: UNetCall) -> dict[str, Tensor]:
    """Return what a loop may have compared the prediction with by mistake, (B, 4, h, w) each."""
    oracle = Oracle(seen.alphas_cumprod, seen.scaling_factor)
    velocity = Oracle(seen.alphas_cumprod, seen.scaling_factor, velocity=True)
    noise = oracle.truth(call)
    latents = torch.full_like(noise, oracle.latents)
    return {
        "the latents instead of the noise": latents,
        "the unscaled latents": latents / seen.scaling_factor,
        "the noisy latents (the U-Net's input)": call.sample,
        "the negative noise": -noise,
        "zero": torch.zeros_like(noise),
        "the velocity (v-prediction)": velocity.truth(call),
        "the noise minus the latents": noise - latents,
    }


def likeliest_target(seen: OracleSeen) -> str | None:
    """Return which mistaken target the gradient points away from."""
    scores: dict[str, list[float]] = {}
    for call in seen.exact_calls():
        if call.output is None or call.output_grad is None:
            continue
        for name, target in candidates(seen, call).items():
            miss = (call.output - target).flatten(1)  # (B, n)
            grad = call.output_grad.float().flatten(1)
            cosine = torch.nn.functional.cosine_similarity(miss, grad, dim=1)
            scores.setdefault(name, []).append(float(cosine.mean()))
    means = {name: sum(values) / len(values) for name, values in scores.items()}
    best = max(means, key=lambda name: means[name], default=None)
    return best if best is not None and means[best] > 0.97 else None
