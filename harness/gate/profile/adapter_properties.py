"""The properties of ``make_lora``. What is measured: ``experiments/profile_adapter.py``."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property

LAYERS, LINEAR, REPEATABLE = "adapter.layers", "adapter.linear", "adapter.repeatable"


def prop(
    id: str, title: str, sentence: str, *measures: Measure, **others: str | tuple[str, ...]
) -> Property:
    """Return a property of ``make_lora``."""
    return Property(id, title, sentence, "make_lora", measures, **others)  # type: ignore[arg-type]


ADAPTER: tuple[Property, ...] = (
    prop(
        LAYERS,
        "Which layers are adapted",
        "Each layer of the U-Net is asked by itself, before and after the adapter was moved.",
        Measure("reached"),
        fix="Adapt the layers whose names end with config.target_endings.",
        calls=("named_modules", "target_endings", "isinstance"),
    ),
    prop(
        "adapter.blocks",
        "Where in the U-Net the adapted layers are",
        "The share of them in each part, as a part of all that are adapted.",
        Measure("down_blocks", tolerance=0.04),
        Measure("mid_block", tolerance=0.04),
        Measure("up_blocks", tolerance=0.04),
        fix="Adapt the layers whose names end with config.target_endings, in every block.",
        calls=("named_modules", "target_endings"),
    ),
    prop(
        "adapter.target_modules",
        "What target_modules changes",
        "The same with attn2.to_k asked for alone.",
        Measure("with attn2.to_k asked for"),
        fix="Adapt the layers whose names end with config.target_endings.",
        calls=("target_endings", "target_modules"),
    ),
    prop(
        "adapter.rank",
        "The rank of its change",
        "The rank of the change of cross-attention's matrices, and with two more asked for.",
        Measure("of its change", tolerance=0.1),
        Measure("with two more", tolerance=0.1),
        fix="The inner width is config.rank.",
        calls=("rank", "LoRALayer"),
        because=(LINEAR, REPEATABLE),
    ),
    prop(
        "adapter.alpha",
        "How strong its change is",
        "Every tensor is moved by as much as a fresh matrix has; the change of cross-attention, "
        "and with twice the alpha.",
        Measure("strength of a known change", relative=0.15),
        Measure("with twice the alpha", relative=0.02),
        fix="Scale by config.effective_alpha / config.rank.",
        calls=("scale", "alpha", "effective_alpha"),
        because=(LINEAR, REPEATABLE, "adapter.rank"),
    ),
    prop(
        "adapter.dropout",
        "Dropout",
        "The same question twice in training mode, without dropout and with a half.",
        Measure("unasked, in training"),
        Measure("with 0.5, in training"),
        fix="nn.functional.dropout(x, config.dropout, self.training).",
        calls=("dropout",),
        because=(REPEATABLE,),
    ),
    prop(
        REPEATABLE,
        "Whether it answers the same twice",
        "The same question twice in eval mode.",
        Measure("twice the same, while drawing"),
        never="Chance in the adapter makes pictures that no seed brings back.",
        fix="dropout(..., training=self.training).",
        calls=("dropout", "rand", "randn"),
    ),
    prop(
        "adapter.parameters",
        "What is trainable",
        "Trainable numbers of the adapter, frozen tensors in it, and trainable ones outside.",
        Measure("trainable numbers", tolerance=0.5),
        Measure("frozen tensors in the adapter", tolerance=0.5),
        Measure("trainable tensors outside", tolerance=0.5),
        fix="Freeze the three models, then return exactly what was added.",
        calls=("requires_grad_", "ModuleList", "ModuleDict", "Parameter"),
        because=(LAYERS, "adapter.rank"),
    ),
    prop(
        "adapter.initial",
        "How its tensors start",
        "Tensors that start at zero, and the size of the others.",
        Measure("share that starts at zero", tolerance=0.01),
        Measure("size of the others, times the root of their width", relative=0.15),
        fix="kaiming_uniform_(A, a=sqrt(5)) and zeros_(B).",
        calls=("kaiming_uniform_", "zeros_", "normal_", "Parameter"),
    ),
    prop(
        LINEAR,
        "Whether its change is linear in the input",
        "The change for a sum beside the sum of the changes, layer by layer.",
        Measure("distance from a linear layer", tolerance=2e-4),
        fix="x @ A.T @ B.T, in float32, with nothing between.",
        calls=("forward", "to", "float"),
        because=(REPEATABLE,),
    ),
    prop(
        "adapter.gradients",
        "What gradient reaches the layers before it",
        "The gradient of a layer's change with respect to its input, along the input.",
        Measure("gradient through it, of its change's", tolerance=0.05),
        fix="Detach nothing in forward.",
        calls=("detach", "no_grad", "forward"),
        because=(LINEAR, REPEATABLE),
    ),
    prop(
        "adapter.lora_scale",
        "What lora_scale changes",
        "The changes of all layers with lora_scale 0.5 and 0, as shares of those with 1.",
        Measure("at half the strength", tolerance=0.01),
        Measure("at none", tolerance=0.001),
        fix="Multiply by self.lora_scale once, in forward.",
        calls=("lora_scale", "forward"),
        because=(REPEATABLE,),
    ),
)
