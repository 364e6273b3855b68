"""The properties of ``make_lora``. What is measured: ``experiments/adapter_measures/``."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property

CROSS, SELF, LAYERS = "adapter.cross_attention", "adapter.self_attention", "adapter.layers"
LINEAR, REPEATABLE = "adapter.linear", "adapter.repeatable"
TARGETS, CONVOLUTION = ("attn2.to_k", "ff.net.2", "proj_in"), "conv1"  # asked for alone


def prop(
    id: str, title: str, sentence: str, *measures: Measure, **others: str | tuple[str, ...]
) -> Property:
    """Return a property of ``make_lora``."""
    return Property(id, title, sentence, "make_lora", measures, **others)  # type: ignore[arg-type]


ADAPTER: tuple[Property, ...] = (
    prop(
        CROSS,
        "Which layers of cross-attention are adapted",
        "Each layer of the U-Net is asked by itself, before and after the adapter was moved.",
        Measure("reached"),
        fix="Adapt the layers whose names end with config.target_endings, in every block.",
        calls=("named_modules", "target_endings", "isinstance"),
    ),
    prop(
        SELF,
        "Which layers of self-attention are adapted",
        "The same for attn1, in which a picture looks at itself.",
        Measure("reached"),
        fix="Adapt the layers whose names end with config.target_endings, in every block.",
        calls=("named_modules", "target_endings", "isinstance"),
    ),
    prop(
        LAYERS,
        "Which other layers are adapted",
        "The same for all that is no attention: linear layers, convolutions and norms.",
        Measure("reached"),
        fix="Adapt the layers whose names end with config.target_endings.",
        calls=("named_modules", "target_endings", "isinstance"),
    ),
    prop(
        "adapter.target_modules",
        "What target_modules changes",
        "The same with one kind of layer asked for alone, of each kind that is linear in every "
        "place of its input; and a layer that two targets name.",
        *(Measure(f"with {target} asked for") for target in TARGETS),
        Measure("strength of a layer that is named twice", tolerance=0.3),
        fix="Adapt the layers whose names end with config.target_endings.",
        calls=("target_endings", "target_modules", "isinstance"),
    ),
    prop(
        "adapter.convolutions",
        "What becomes of convolutions",
        "The same with the 3x3 convolutions of the ResNets asked for alone.",
        Measure(f"with {CONVOLUTION} asked for"),
        fix="Adapt them as a linear layer on patches, or refuse them.",
        calls=("Conv2d", "kernel_size", "isinstance"),
    ),
    prop(
        "adapter.rank",
        "The rank of its change",
        "The rank of the change of cross-attention's matrices, with two more asked for, and with "
        "as many as the narrowest of these layers is wide.",
        Measure("of its change", tolerance=0.1),
        Measure("with two more", tolerance=0.1),
        Measure("with as many as the narrowest layer is wide", tolerance=0.1),
        fix="The inner width is config.rank.",
        calls=("rank", "LoRALayer"),
        because=(LINEAR, REPEATABLE),
    ),
    prop(
        "adapter.alpha",
        "How strong its change is",
        "Every tensor is moved by as much as a fresh matrix has; the change of cross-attention, "
        "with other alphas, and with two more of rank.",
        Measure("strength of a known change", relative=0.15),
        Measure("with half the alpha", relative=0.02),
        Measure("with half as much again", relative=0.02),
        Measure("with two more of rank", relative=0.1),
        fix="Scale by config.effective_alpha / config.rank.",
        calls=("scale", "alpha", "effective_alpha"),
        because=(LINEAR, REPEATABLE, "adapter.rank"),
    ),
    prop(
        "adapter.dropout",
        "Dropout",
        "The change in training mode with a dropout of a half, beside the one without.",
        Measure("with 0.5, in training"),
        Measure("spread that it makes, beside the change", relative=0.25),
        fix="nn.functional.dropout(x, config.dropout, self.training).",
        calls=("dropout",),
        because=(REPEATABLE,),
    ),
    prop(
        "adapter.chance",
        "Chance without dropout",
        "The same question twice in training mode, without dropout.",
        Measure("unasked, in training"),
        fix="Drop nothing unless config.dropout says so.",
        calls=("dropout", "rand", "randn"),
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
        "adapter.outside",
        "What is trainable outside the adapter",
        "Tensors of U-Net, VAE and text encoder that want a gradient and are not in the adapter.",
        Measure("trainable tensors outside", tolerance=0.5),
        never="Gradients are computed for them, an optimiser may take them, and no file has them.",
        fix="Freeze the three models, then return exactly what was added.",
        calls=("requires_grad_", "ModuleList", "ModuleDict", "Parameter"),
    ),
    prop(
        "adapter.parameters",
        "What is trainable",
        "Trainable numbers, beside those of a LoRA of the asked rank on the layers that are "
        "reached, and frozen tensors.",
        Measure("trainable numbers, beside a LoRA's", tolerance=0.002),
        Measure("frozen tensors in the adapter", tolerance=0.5),
        fix="Return exactly what was added, and train all of it.",
        calls=("requires_grad_", "ModuleList", "ModuleDict", "Parameter"),
        because=("adapter.rank",),
    ),
    prop(
        "adapter.initial",
        "How its tensors start",
        "Tensors that start at zero, the size of the others, their likeness (correlation), whether "
        "a seed decides them, and how far a layer's answer is from the base's.",
        Measure("share that starts at zero", tolerance=0.01),
        Measure("numbers that start at zero, beside a LoRA's", tolerance=0.02),
        Measure("size of the others, times the root of their width", relative=0.15),
        Measure("most alike in two layers", tolerance=0.5),
        Measure("with another seed"),
        Measure("distance from the base", tolerance=1e-4),
        fix="kaiming_uniform_(A, a=sqrt(5)) and zeros_(B).",
        calls=("kaiming_uniform_", "zeros_", "normal_", "Parameter"),
    ),
    prop(
        "adapter.generators",
        "What it leaves of chance",
        "The state of torch's generator after make_lora, with two seeds.",
        Measure("afterwards"),
        never="Every seed then trains with the same chance: five seeds are one.",
        fix='A generator of its own: torch.Generator("cpu").manual_seed(...).',
        calls=("manual_seed", "seed", "fork_rng"),
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
        "adapter.places",
        "Whether a change stays at its place",
        "One token, or one pixel, is asked alone: the share of the change in other places.",
        Measure("share of its change elsewhere", tolerance=1e-3),
        fix="Treat each token and each pixel alike: (..., in) -> (..., out).",
        calls=("movedim", "permute", "transpose", "view", "reshape", "forward"),
        because=(REPEATABLE,),
    ),
    prop(
        "adapter.gradients",
        "Which gradients pass",
        "The gradient of a layer's change with respect to its input, along the input, and with "
        "respect to the adapter's tensors.",
        Measure("gradient through it, of its change's", tolerance=0.05),
        Measure("tensors that get one themselves", tolerance=0.001),
        fix="Detach nothing in forward.",
        calls=("detach", "no_grad", "forward"),
        because=(LINEAR, REPEATABLE),
    ),
    prop(
        "adapter.lora_scale",
        "What lora_scale changes",
        "The changes of all layers with lora_scale 0.5, 2 and 0, as shares of those with 1.",
        Measure("at half the strength", tolerance=0.01, grave=0.15),
        Measure("at twice the strength", tolerance=0.04),
        Measure("at none", tolerance=0.001, grave=0.05),
        fix="Multiply by self.lora_scale once, in forward.",
        calls=("lora_scale", "forward"),
        because=(REPEATABLE,),
    ),
)
