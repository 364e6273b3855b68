"""The properties of ``generate``. What is measured: ``experiments/drawing_measures/``."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property

PROMPTS, STEPS = "drawing.prompts", "drawing.steps"


def prop(
    id: str, title: str, sentence: str, *measures: Measure, **others: str | bool | tuple[str, ...]
) -> Property:
    """Return a property of ``generate``."""
    return Property(id, title, sentence, "generate", measures, **others)  # type: ignore[arg-type]


DRAWING: tuple[Property, ...] = (
    prop(
        "drawing.size",
        "Size and number of the pictures",
        "Five pictures of 96 x 64 pixels.",
        Measure("latents"),
        Measure("pictures"),
        Measure("number", tolerance=0.1),
        never="Pictures of another size cannot be compared with others'.",
        fix="Latents are (4, height // 8, width // 8).",
        calls=("height", "width", "images"),
    ),
    prop(
        "drawing.first_latents",
        "What the pictures start from",
        "The first latents of pictures with the seeds 40 to 44, and of one with 42.",
        Measure("seeds", firm=True),
        Measure("strength", tolerance=0.01),
        never="Picture i starts from the noise of config.seed + i, whatever is drawn beside it: "
        "that is how two contributions are compared on the same pictures.",
        fix='torch.randn(shape, generator=torch.Generator("cpu").manual_seed(config.seed + i)).',
        calls=("manual_seed", "seed", "latents", "randn"),
        because=("drawing.size", PROMPTS),
    ),
    prop(
        STEPS,
        "At which timesteps the U-Net is asked",
        "Pictures of 4 and of 7 steps.",
        Measure("timesteps of 4 steps"),
        Measure("timesteps of 7 steps"),
        fix="num_inference_steps=config.num_inference_steps, with the pipeline's own scheduler.",
        calls=("num_inference_steps", "scheduler", "set_timesteps"),
    ),
    prop(
        PROMPTS,
        "The prompts that reach the U-Net",
        "Five prompts, four with commas; their embeddings are looked up among the prompts' own.",
        Measure("the U-Net is given"),
        serious=True,
        fix="Pass the prompts as they are, in their order.",
        calls=("prompts", "prompt", "text_encoder", "clip_skip"),
    ),
    prop(
        "drawing.negative_prompts",
        "What stands beside the prompts",
        "The same for the negative prompt, and without one.",
        Measure("beside them"),
        Measure("without a negative prompt"),
        fix="negative_prompt=[config.negative_prompt] * len(prompts).",
        calls=("negative_prompt",),
        because=(PROMPTS,),
    ),
    prop(
        "drawing.guidance",
        "How strong the guidance is",
        "A guidance of 5 is asked for. The U-Net answers a known pattern to prompts and nothing "
        "to the negative prompt; how much of it is in the latents after a step tells the factor.",
        Measure("strength in the first step", relative=0.02),
        Measure("steps with a text beside the prompts", tolerance=0.01),
        Measure("the same with a guidance of 1", tolerance=0.01),
        fix="guidance_scale=config.guidance_scale.",
        calls=("guidance_scale", "guidance_rescale"),
        because=(PROMPTS, "drawing.negative_prompts", "drawing.size"),
    ),
    prop(
        "drawing.sampler",
        "How a picture comes from its first latents",
        "The latents that are decoded after four steps, along three fixed directions.",
        *(Measure(f"along direction {i + 1}", tolerance=0.02) for i in range(3)),
        fix="Leave the steps to the pipeline and its own scheduler.",
        calls=("scheduler", "step", "eta", "callback_on_step_end", "guidance_rescale"),
        because=(
            "drawing.size",
            STEPS,
            "drawing.guidance",
            "drawing.first_latents",
            PROMPTS,
            "drawing.negative_prompts",
            "drawing.precision",
            "drawing.repeatable",
        ),
    ),
    prop(
        "drawing.repeatable",
        "Whether a picture hangs on anything else",
        "Five pictures again, with the process's generators in another state, and the first one "
        "alone.",
        Measure("drawn again", firm=True),
        Measure("drawn alone", firm=True),
        never="A picture is its prompt's, its seed's and its settings'; or else it cannot be "
        "drawn again.",
        fix='torch.Generator("cpu").manual_seed(config.seed + i), for each picture.',
        calls=("manual_seed", "randn", "eta", "seed"),
        because=("drawing.first_latents", "drawing.order", PROMPTS),
    ),
    prop(
        "drawing.order",
        "Which picture is whose",
        "Each picture is looked up among those that were decoded, and its text among the prompts.",
        Measure("the pictures are"),
        Measure("share drawn for another's prompt", tolerance=0.01),
        never="Picture i belongs to prompt i.",
        fix="Return the pictures in the order in which they were drawn.",
        calls=("images", "return"),
        because=("drawing.size",),
    ),
    prop(
        "drawing.pixels",
        "What becomes of the decoded picture",
        "The pictures beside what the decoder made, and the deviation of the latents it was given.",
        Measure("distance from what was decoded (0 to 255)", tolerance=1.0),
        Measure("deviation of what is decoded", relative=0.05),
        fix="Return the pipeline's pictures as they are.",
        calls=("images", "convert", "resize", "transpose"),
        because=(
            "drawing.size",
            STEPS,
            "drawing.guidance",
            "drawing.first_latents",
            "drawing.sampler",
            PROMPTS,
        ),
    ),
    prop(
        "drawing.lora_scale",
        "How strong the adapter is while drawing",
        "A strength of 0.5 is asked for, and of 0 and 1.5; lora_scale of the adapter's layers in "
        "the U-Net's calls.",
        Measure("in the U-Net's calls"),
        Measure("with 0 asked for"),
        Measure("with 1.5 asked for"),
        serious=True,
        fix="layer.lora_scale = config.lora_scale for every layer that has one.",
        calls=("lora_scale",),
    ),
    prop(
        "drawing.mode",
        "In which mode the U-Net draws",
        "The U-Net is handed over in training mode.",
        Measure("share of calls in training mode", tolerance=0.01, grave=0.5),
        Measure("share of calls with gradients", tolerance=0.01),
        fix="pipeline.unet.eval(), inside torch.inference_mode().",
        calls=("eval", "train", "inference_mode", "no_grad"),
    ),
    prop(
        "drawing.precision",
        "In which precision pictures are drawn",
        "The type of the U-Net's input, whether autocast is on, and its further arguments.",
        Measure("the U-Net computes in"),
        Measure("it is given besides"),
        fix="Draw in the precision that the pipeline was handed over in.",
        calls=("autocast", "half", "bfloat16", "to"),
    ),
    prop(
        "drawing.files",
        "Which files it reads",
        "Files of pictures, texts and numbers that are opened while it draws, and what else it "
        "asks the machine for.",
        Measure("it reads"),
        Measure("it asks for"),
        never="A picture is drawn by the model that was trained, and by nothing beside it.",
        fix="Draw with the pipeline that was handed over.",
        calls=("open", "Path", "glob", "from_pretrained"),
    ),
    prop(
        "drawing.left_behind",
        "What is other after the drawing",
        "lora_scale, the scheduler and its settings, modes, tiling and hooks, before and after.",
        Measure("changed"),
        never="The next drawing, or the scoring, works with what is left.",
        fix="Put back what you change, in a finally.",
        calls=("lora_scale", "scheduler", "register_to_config", "enable_tiling"),
    ),
    prop(
        "drawing.generators",
        "Which random generators are left moved",
        "The states of Python's, NumPy's and torch's generators, before and after.",
        Measure("leaves moved"),
        fix="Draw from generators of your own.",
        calls=("manual_seed", "randn", "random"),
    ),
)
