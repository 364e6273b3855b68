"""The profile of ``train``: one long training that can be read, and three short ones."""

from __future__ import annotations

from typing import Any

import torch

from harness.gate.experiments.context import Context, attach, train
from harness.gate.experiments.measuring import both
from harness.gate.experiments.pipelines import (
    embedded,
    encoded_texts,
    small_text_encoder,
    state_of,
    tokens_of,
)
from harness.gate.experiments.training_measures import measured
from harness.gate.experiments.training_measures.runs import same_draws
from harness.gate.experiments.training_trace import Reports, Trace, TrainingTraces
from harness.gate.profile.property import Measured, Profiled
from harness.gate.profile.training_watch import (
    SPREAD,
    Cards,
    LevelEncoder,
    Watch,
    disturb,
    moved,
    random_states,
)
from harness.gate.spies import Spy
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError

STEPS, BATCH_SIZE = 112, 64  # a given timestep of 1000 is missed with a probability of 0.08 %
SHORT = 5
DRAWN = 4  # timesteps that the scheduler holds after a drawing
CAPTION_DROPOUT, WARM_UP = 0.25, 8
MAX_GRAD_NORM, WEIGHT_DECAY = 0.7, 0.03
FEW_TARGETS = ("attn2.to_q", "attn2.to_v")


def run(context: Context) -> Profiled:
    """Train the contribution's way and the reference's."""
    return both(context, "training", measure)


def measure(context: Context, hooks: Hooks) -> Measured:
    """Measure one ``train``."""
    long = trace(context, hooks, STEPS)
    # As it may come second in a process: chance in another state, and something has been drawn.
    backwards = trace(
        context, hooks, SHORT, cards=Cards(backwards=True), disturbed=True, drawn=DRAWN
    )
    traces = TrainingTraces(
        long=long,
        spread=trace(context, hooks, SHORT + 3, cards=Cards(long=True), spread=True),
        backwards=backwards,
        other_seed=trace(context, hooks, SHORT, seed=12),
        again=None if same_draws(long, backwards) else trace(context, hooks, SHORT),
        velocity=velocity(context, hooks),
    )
    return measured(traces)


def velocity(context: Context, hooks: Hooks) -> Trace | None:
    """Train on a base that predicts the velocity, as SD 2.x does; a loop may refuse it."""
    try:
        return trace(context, hooks, SHORT, prediction_type="v_prediction")
    except HubError:
        return None


def trace(
    context: Context,
    hooks: Hooks,
    steps: int,
    *,
    cards: Cards | None = None,
    spread: bool = False,
    seed: int = 11,
    disturbed: bool = False,
    drawn: int = 0,
    **scheduler: Any,
) -> Trace:
    """Train a fresh tiny pipeline with everything watched, after a drawing of so many steps."""
    text_encoder = small_text_encoder(context)
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy, text_encoder=text_encoder, **scheduler)
    pipeline.unet.spy = None
    if drawn:
        pipeline.scheduler.set_timesteps(drawn)
    cards = cards or Cards()
    pipeline.vae.encoder = encoder = LevelEncoder(SPREAD if spread else 0.0)
    # A few layers are enough: what is looked at is the loop.
    few = context.lora_config().model_copy(update={"target_modules": FEW_TARGETS})
    adapter = attach(context, pipeline, hooks, config=few)
    plain = context.train_config()
    config = plain.model_copy(
        update={
            "steps": steps,
            "batch_size": BATCH_SIZE,
            "seed": seed,
            "caption_dropout": CAPTION_DROPOUT,
            "lr_warmup_steps": WARM_UP,
            "max_grad_norm": MAX_GRAD_NORM,
            "weight_decay": WEIGHT_DECAY,
            "learning_rate": plain.learning_rate / 2,
        }
    )
    watch = Watch(pipeline, adapter, MAX_GRAD_NORM)
    pipeline.unet.stand_in = watch
    captions = tokens_of(pipeline, [*cards.captions, ""])
    texts = embedded(pipeline, [*cards.captions, ""])
    encoded = encoded_texts(pipeline)  # from here on
    trained = {id(p) for p in watch.parameters}
    before = [p.detach().clone() for p in watch.parameters]
    state_before = state_of(pipeline, adapter)
    reports = Reports(watch)
    with watch.optimizers():
        # The hub seeds the process's generators before a training; what a loop draws from them
        # is the same again only as long as nothing else has drawn.
        generators: dict[str, Any] = {}
        losses = train(
            context,
            pipeline,
            cards,
            adapter,
            config,
            reports,
            hooks,
            before=lambda: generators.update(disturb() if disturbed else random_states()),
        )
    still = sum(torch.equal(a, b) for a, b in zip(before, watch.parameters, strict=True))
    return Trace(
        config=config,
        watch=watch,
        encoder=encoder,
        cards=cards,
        losses=losses,
        reports=reports,
        moved_share=1 - still / max(1, len(before)),
        returned=[watch.parameters[i].detach().clone() for i in watch.watched],
        generators=moved(generators, random_states()),
        state_before=state_before,
        state_after=state_of(pipeline, adapter),
        untokenized=spy.untokenized is not None,
        captions=captions,
        trains_text=any(id(p) in trained for p in pipeline.text_encoder.parameters()),
        encoded=encoded,
        texts=texts,
    )
