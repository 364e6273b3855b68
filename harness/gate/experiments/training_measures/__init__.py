"""Measure a watched training, property by property. See ``profile/training_properties.py``."""

from __future__ import annotations

from harness.gate.experiments.training_measures import inputs, losses, runs, texts, updates
from harness.gate.experiments.training_measures.losses import Losses
from harness.gate.experiments.training_measures.samples import Samples
from harness.gate.experiments.training_measures.texts import Texts
from harness.gate.experiments.training_trace import TrainingTraces
from harness.gate.profile.property import Measured


def measured(traces: TrainingTraces) -> Measured:
    """Return the values of every property of the group."""
    rows = Samples(traces.long)
    words = Texts(rows)
    answers = Losses(rows, words.dropped)
    return {
        "training.pixels": inputs.pixels(traces),
        "training.encoding": {"with gradients": "yes" if traces.long.encoder.with_grad else "no"},
        "training.precision": inputs.precision(traces.long),
        "training.latents": inputs.latents(traces, rows),
        "training.schedule": inputs.schedule(rows),
        "training.timesteps_told": inputs.told(rows),
        "training.timesteps": inputs.drawn(rows),
        "training.noise": inputs.noise(rows),
        "training.captions": texts.captions(words),
        "training.texts": {
            "share that is no caption": texts.strange_texts(traces.long),
            "the same of captions that do not fit": texts.strange_texts(traces.spread),
            "the text encoder is given": "words" if traces.long.untokenized else "token ids",
        },
        "training.embeddings": texts.embeddings(words),
        "training.caption_dropout": texts.caption_dropout(words),
        "training.dropped_caption": {
            "it is": words.name_of(words.dropped_key) if words.readable else None
        },
        "training.target": losses.target(answers),
        "training.prediction_type": losses.prediction_type(traces),
        "training.loss": losses.loss_shape(answers),
        "training.loss_weights": losses.loss_weights(answers),
        "training.gradients": updates.gradients(traces.long),
        "training.clipping": updates.clipping(traces.long),
        "training.optimizer": updates.optimizer(traces.long),
        "training.learning_rate": updates.learning_rate(traces.long),
        "training.trained": updates.trained(traces.long),
        "training.steps": runs.steps(traces.long),
        "training.batch": runs.batch(rows),
        "training.order": runs.order(rows),
        "training.losses": losses.returned_losses(traces.long, answers),
        "training.returned": updates.returned(traces.long),
        "training.seed": runs.seed(traces),
        "training.repeatable": runs.repeatable(traces),
        "training.generators": runs.generators(traces, words),
        "training.mode": runs.mode(traces.long),
        "training.left_behind": runs.left_behind(traces.long),
        "training.second_run": runs.second_run(traces),
    }
