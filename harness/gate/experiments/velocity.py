"""A base that predicts the velocity (as SD 2.x does): a loop trains towards it, or refuses."""

from __future__ import annotations

from dataclasses import dataclass

from harness.gate.experiments.context import Context, Recorder, attach, train
from harness.gate.experiments.oracle import EXACT_FIRST, MISSED, Oracle, OracleSeen
from harness.gate.spies import Spy
from harness.gate.toy_pictures import PlainColours
from toolkit.core.errors import HubError


@dataclass
class VelocitySeen:
    """What the experiment saw."""

    refused: str
    exact: float | None  # slope of the loss where the velocity is predicted exactly
    missed: float | None
    losses: tuple[float | None, float | None]  # reported for both
    place: str | None


def run(context: Context) -> VelocitySeen:
    """Train four steps with an oracle of the velocity."""
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy, constant=True, prediction_type="v_prediction")
    alphas = pipeline.scheduler.alphas_cumprod.float()
    factor = float(pipeline.vae.config.scaling_factor)
    spy.answering = Oracle(alphas, factor, velocity=True)
    config = context.train_config(steps=4, batch_size=4, caption_dropout=0.0)
    recorder, refused = Recorder(), ""
    adapter = attach(context, pipeline)
    with spy.watching_optimizers():
        try:
            train(context, pipeline, PlainColours(), adapter, config, recorder)
        except HubError as error:
            refused = error.what
    seen = OracleSeen(config, spy, recorder, factor, alphas, ())
    losses = (seen.loss(EXACT_FIRST), seen.loss(MISSED))
    place = next((call.place for call in spy.trained_calls), None)
    return VelocitySeen(refused, seen.slope(EXACT_FIRST), seen.slope(MISSED), losses, place)
