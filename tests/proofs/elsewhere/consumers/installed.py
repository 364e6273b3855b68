"""diffusers and PEFT, which are installed."""

from __future__ import annotations

from collections.abc import Sequence

from diffusers import StableDiffusionPipeline
from peft import PeftModel
from safetensors.torch import load_file

from toolkit.lora_files.layout import TEXT_ENCODER, UNET

from . import Merge


def in_diffusers(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
    """Load all files, set their strengths, fuse."""
    names = [f"ours{number}" for number in range(len(files))]
    for name, (file, _) in zip(names, files, strict=True):
        pipeline.load_lora_weights(file.parent, weight_name=file.name, adapter_name=name)
    used = 2 * sum(
        hasattr(module, "lora_A") and names[0] in module.lora_A
        for part in (pipeline.unet, pipeline.text_encoder)
        for module in part.modules()
    )
    parts = [p for p in (UNET, TEXT_ENCODER) if getattr(getattr(pipeline, p), "peft_config", None)]
    if len(files) == 1:
        pipeline.fuse_lora(components=parts, lora_scale=files[0][1])
    else:
        pipeline.set_adapters(names, [strength for _, strength in files])
        pipeline.fuse_lora(components=parts, adapter_names=names)
    pipeline.unload_lora_weights()
    return used + sum(key.endswith(".alpha") for key in load_file(files[0][0]))


def in_peft(folders: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
    """Load all folders, set their strengths, merge."""
    used = 0
    for part in (UNET, TEXT_ENCODER):
        model = None
        there = [
            (f"ours{number}", folder / part, strength)
            for number, (folder, strength) in enumerate(folders)
            if (folder / part).is_dir()
        ]
        for name, folder, _ in there:
            if model is None:
                model = PeftModel.from_pretrained(
                    getattr(pipeline, part), folder, adapter_name=name
                )
            else:
                model.load_adapter(folder, adapter_name=name)
        if model is None:
            continue
        for module in model.modules():
            if hasattr(module, "set_scale") and hasattr(module, "lora_A"):
                for name, _, strength in there:
                    if name in module.lora_A:
                        module.set_scale(name, strength)
                used += 2 * ("ours0" in module.lora_A)
        merged = model.merge_and_unload(adapter_names=[name for name, _, _ in there])
        setattr(pipeline, part, merged)
    return used
