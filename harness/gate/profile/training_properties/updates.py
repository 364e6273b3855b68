"""What the optimiser is given, and what it makes of it."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property
from harness.gate.profile.training_properties.names import STEPS, prop

UPDATES_PROPERTIES: tuple[Property, ...] = (
    prop(
        "training.gradients",
        "The gradient that the optimiser is given",
        "A known gradient comes back through the U-Net; its norm at the optimiser, where it is far "
        "below the clipping.",
        Measure("at the optimiser, as a multiple of what came back", tolerance=0.02),
        serious=True,
        fix="optimizer.zero_grad() before every backward(), and one step per batch.",
        calls=("zero_grad", "backward"),
    ),
    prop(
        "training.clipping",
        "How gradients are clipped",
        "The same gradient, far longer than max_grad_norm.",
        Measure("norm afterwards, as a multiple of max_grad_norm", tolerance=0.02, grave=10.0),
        Measure("direction kept (cosine)", tolerance=0.02),
        fix="clip_grad_norm_(parameters, config.max_grad_norm) with a list, after backward().",
        calls=("clip_grad_norm_", "clip_grad_value_", "max_grad_norm", "parameters"),
        because=("training.gradients",),
    ),
    prop(
        "training.optimizer",
        "The optimiser",
        "Class and settings, and its updates of six tensors over 30 steps beside those of AdamW "
        "(0.9, 0.999, 1e-8) from the same gradients.",
        Measure("it is"),
        Measure("distance of its updates from AdamW's", tolerance=0.01),
        fix="torch.optim.AdamW(parameters, weight_decay=config.weight_decay).",
        calls=("AdamW", "Adam", "SGD", "optimizer", "step"),
    ),
    prop(
        "training.learning_rate",
        "The learning rate",
        "Half of the setting is asked for, with a warm-up of 8 steps; as a multiple of it.",
        Measure("in step 1", tolerance=0.01),
        Measure("in the middle of the warm-up", tolerance=0.01),
        Measure("after the warm-up", tolerance=0.01),
        Measure("in the middle", tolerance=0.01),
        Measure("in the last step", tolerance=0.01),
        Measure("fastest group beside the slowest", tolerance=0.01),
        fix="config.learning_rate * min(1, step / lr_warmup_steps) with step from 1.",
        calls=("learning_rate", "lr", "lr_warmup_steps"),
        because=(STEPS,),
    ),
    prop(
        "training.trained",
        "What is trained",
        "Which tensors the optimiser holds, and which are others afterwards.",
        Measure("share of the adapter in the optimiser", tolerance=0.001, grave=0.02),
        Measure("share of the adapter that moved", tolerance=0.001, grave=0.02),
        Measure("other tensors in the optimiser", tolerance=0.5, grave=0.5),
        fix="[p for p in adapter.parameters() if p.requires_grad].",
        calls=("parameters", "AdamW"),
    ),
)
