"""Files that other trainers' own code writes, with the change of weights that they compute.

Each producer writes a file or folder and returns what it makes of each layer. What the hub reads
must be that, or there is one sentence that says why it is not read.
"""

from __future__ import annotations

import copy
import importlib
import logging
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

from toolkit.lora_files.layout import UNET

from .base import copied, modules_of, text_encoder_of
from .programs import Program, importable, missing

Deltas = dict[str, Tensor]
# Name, and what writes the file at a path (or folder) and returns each layer's change.
Producer = tuple[str, Callable[[StableDiffusionPipeline, Path], Deltas]]

KOHYA: Final[dict[str, dict[str, Any]]] = {
    "linear": {},
    "alpha 1": {"alpha": 1.0},
    "with 3x3 convolutions": {"conv_dim": "2", "conv_alpha": "1.5"},
    "rank dropout": {"rank_dropout": 0.25},
    "block dims": {"block_dims": ",".join(str(1 + i % 4) for i in range(25)), "block_alphas":
                   ",".join(str(1 + i % 3) for i in range(25))},
    "block dims and convolutions": {"block_dims": ",".join(["2"] * 25), "conv_block_dims":
                                    ",".join(str(1 + i % 2) for i in range(25))},
}  # fmt: skip
LYCORIS: Final[dict[str, dict[str, Any]]] = {
    "locon": {"algo": "locon"},
    "locon, scalar": {"algo": "locon", "use_scalar": True},
    "locon, convolutions": {"algo": "locon", "preset": "unet-convblock-only"},
    "locon, Tucker": {"algo": "locon", "use_tucker": True, "preset": "unet-convblock-only"},
    "locon, rs_lora": {"algo": "locon", "rs_lora": True},
    "locon, train_norm": {"algo": "locon", "train_norm": True},
    "DoRA on output": {"algo": "locon", "dora_wd": True},
    "DoRA on input": {"algo": "locon", "dora_wd": True, "wd_on_output": False},
    "loha": {"algo": "loha"},
    "loha, scalar": {"algo": "loha", "use_scalar": True},
    "loha, Tucker": {"algo": "loha", "use_tucker": True, "preset": "unet-convblock-only"},
    "lokr, factor 4": {"algo": "lokr", "factor": 4},
    "lokr, full matrix": {"algo": "lokr", "full_matrix": True},
    "lokr, both decomposed": {"algo": "lokr", "decompose_both": True},
    "lokr, Tucker": {"algo": "lokr", "use_tucker": True, "preset": "unet-convblock-only"},
    "lokr, rs_lora": {"algo": "lokr", "rs_lora": True},
    "tlora": {"algo": "tlora"},
    "ia3": {"algo": "ia3"},
    "glora": {"algo": "glora"},
    # With other block sizes its files act at another strength than its training.
    "dylora": {"algo": "dylora", "block_size": 1},
    "diag-oft": {"algo": "diag-oft"},
    "boft": {"algo": "boft"},
    "full": {"algo": "full"},
}


def by_kohya(program: Program) -> Iterator[Producer]:
    """Yield kohya's sd-scripts: networks/lora.py and networks/dylora.py."""
    with importable([program.code], missing(["torchvision", "cv2", "einops"])):
        lora = importlib.import_module("networks.lora")
        dylora = importlib.import_module("networks.dylora")
    # Saving wants two hashes of a module that imports half of the world.
    hashes: Any = types.ModuleType("library.train_util")
    hashes.precalculate_safetensors_hashes = lambda *_: ("", "")
    sys.modules[hashes.__name__] = hashes
    logging.getLogger(lora.__name__).setLevel(logging.ERROR)
    logging.getLogger(dylora.__name__).setLevel(logging.ERROR)

    # A network with convolutions lengthens this list for every later one of the process.
    places = list(lora.LoRANetwork.UNET_TARGET_REPLACE_MODULE)

    def linear(pipeline: StableDiffusionPipeline, file: Path, **more: Any) -> Deltas:
        alpha = more.pop("alpha", 2.0)
        encoder = text_encoder_of(pipeline)
        lora.LoRANetwork.UNET_TARGET_REPLACE_MODULE = list(places)
        network = lora.create_network(1.0, 4, alpha, None, encoder, pipeline.unet, **more)
        ones = network.text_encoder_loras + network.unet_loras
        network.apply_to(encoder, pipeline.unet, True, True)
        filled(network)
        network.save_weights(str(file), torch.float32, {"ss_network_dim": "4"})
        changes = {one.lora_name: one.scale * product(one.lora_up, one.lora_down) for one in ones}
        return by_layer(changes, pipeline)

    def slices(pipeline: StableDiffusionPipeline, file: Path) -> Deltas:
        encoder = text_encoder_of(pipeline)
        network = dylora.create_network(1.0, 4, 2.0, None, encoder, pipeline.unet, unit=2)
        ones = network.text_encoder_loras + network.unet_loras
        network.apply_to(encoder, pipeline.unet, True, True)
        filled(network)
        network.save_weights(str(file), torch.float32, {})
        changes = {}
        for one in ones:
            state = one.state_dict()
            up, down = (
                state[f"{one.lora_name}.lora_{side}.weight"].float() for side in ("up", "down")
            )
            changes[one.lora_name] = one.scale * matmul(up, down)
        return by_layer(changes, pipeline)

    for name, more in KOHYA.items():
        yield f"kohya: {name}", partial(linear, **more)
    yield "kohya: dylora", slices


def by_lycoris(program: Program) -> Iterator[Producer]:
    """Yield LyCORIS as kohya's trainer calls it, and by its own wrapper.

    Its preset `full` finds the time embedding's layers twice in SD 1.x (4.1.3) and stops.
    """
    with importable([program.code], missing(["einops", "toml"])):
        module = importlib.import_module("lycoris.kohya")
        wrapper = importlib.import_module("lycoris.wrapper")
    logging.getLogger("LyCORIS").setLevel(logging.ERROR)

    def algorithm(pipeline: StableDiffusionPipeline, file: Path, **more: Any) -> Deltas:
        encoder = text_encoder_of(pipeline)
        network = module.create_network(
            1.0,
            4,
            2.0,
            None,
            encoder,
            pipeline.unet,
            conv_dim=2,
            conv_alpha=1.0,
            **{"preset": "attn-mlp", **more},
        )
        ones = network.text_encoder_loras + network.unet_loras
        for one in ones:
            filled(one)
        network.loras = ones
        with torch.no_grad():
            before = {one.lora_name: one.org_module[0].weight.detach().clone() for one in ones}
            network.apply_to(encoder, pipeline.unet, True, True)
            network.save_weights(str(file), torch.float32, {})
            network.restore()
            for one in ones:
                one.merge_to(1.0)
        changes = {one.lora_name: one.org_module[0].weight - before[one.lora_name] for one in ones}
        if more["algo"] == "dylora":  # it merges a rank that it draws by lot
            changes = {one.lora_name: whole(one) for one in ones}
        return by_layer(changes, pipeline)

    def own(pipeline: StableDiffusionPipeline, file: Path) -> Deltas:
        wrapper.LycorisNetwork.apply_preset({"target_module": ["Attention"]})
        network = wrapper.create_lycoris(pipeline.unet, 1.0, linear_dim=4, linear_alpha=2.0)
        for one in network.loras:
            filled(one)
        with torch.no_grad():
            before = {o.lora_name: o.org_module[0].weight.detach().clone() for o in network.loras}
            network.apply_to()
            network.save_weights(str(file), torch.float32, {})
            network.restore()
            network.merge_to(1.0)
        changes = {o.lora_name: o.org_module[0].weight - before[o.lora_name] for o in network.loras}
        return by_layer(changes, pipeline)

    for name, more in LYCORIS.items():
        yield f"LyCORIS: {name}", partial(algorithm, **more)
    yield "LyCORIS: its own wrapper", own


PEFT: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "rank and alpha patterns": {
        "rank_pattern": {"to_k": 2, "^conv_in": 3}, "alpha_pattern": {"to_k": 5, r"ff\.net\.2": 7},
    },
    "rsLoRA": {"use_rslora": True},
    "DoRA": {"use_dora": True},
}  # fmt: skip
TARGETS: Final = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.2", "proj_in", "conv1", "conv_in"]


def by_peft() -> Iterator[Producer]:
    """Yield PEFT's folders, and diffusers' files in its old and new layouts."""

    def adapted(
        pipeline: StableDiffusionPipeline, alpha: int = 6, **more: Any
    ) -> tuple[Any, LoraConfig, Deltas]:
        config = LoraConfig(
            r=4, lora_alpha=alpha, target_modules=TARGETS, init_lora_weights=False, **more
        )
        before = {name: one.weight.detach().clone() for name, one in modules_of(pipeline).items()}
        model = get_peft_model(pipeline.unet, config)
        # Its own merging says what it does; a copy of the base stays adapted.
        changed = copied(pipeline)
        changed.unet = copy.deepcopy(model).merge_and_unload()
        merged = {name: one.weight.detach() for name, one in modules_of(changed).items()}
        changes = {
            name: merged[name] - weight
            for name, weight in before.items()
            if not torch.equal(merged[name], weight)
        }
        return model, config, changes

    def folder(pipeline: StableDiffusionPipeline, path: Path, **more: Any) -> Deltas:
        model, _, changes = adapted(pipeline, **more)
        model.save_pretrained(path)
        return changes

    def file(pipeline: StableDiffusionPipeline, path: Path, layout: str) -> Deltas:
        # diffusers' converter writes alpha = rank whatever the adapter's alpha was.
        # And the old layout has no place for it.
        alpha = 6 if layout == "save_lora_weights" else 4
        model, config, changes = adapted(pipeline, alpha)
        tensors = get_peft_model_state_dict(model)
        plain = {key.removeprefix("base_model.model."): t for key, t in tensors.items()}
        if layout == "save_lora_weights":
            said = {k: sorted(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}
            StableDiffusionPipeline.save_lora_weights(
                path.parent, unet_lora_layers=plain, weight_name=path.name,
                unet_lora_adapter_metadata=said,
            )  # fmt: skip
        elif layout == "convert_state_dict_to_kohya":
            renamed = {f"unet.{key}": t for key, t in plain.items()}
            save_file(convert_state_dict_to_kohya(renamed), path)
        else:
            old = {"lora_A": "lora.down", "lora_B": "lora.up"}
            names = {k: k.replace("lora_A", old["lora_A"]) for k in plain}
            save_file(
                {f"unet.{n.replace('lora_B', old['lora_B'])}": plain[k] for k, n in names.items()},
                path,
            )
        return changes

    for name, more in PEFT.items():
        yield f"PEFT: {name}", partial(folder, **more)
    for name in ("save_lora_weights", "convert_state_dict_to_kohya", "the layout before PEFT"):
        yield f"diffusers: {name}", partial(file, layout=name)


def filled(network: nn.Module) -> None:
    """Give every trained tensor a value: up factors start at zero and would show nothing."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad and parameter.ndim:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif parameter.requires_grad:
                parameter.fill_(0.5)


def whole(one: Any) -> Tensor:
    """Return a DyLoRA's change at its whole rank."""
    down, up, scale = one.get_weight((one.block_count - 1) * one.block_size)
    change: Tensor = matmul(up.detach(), down.detach().reshape(one.lora_dim, *one.shape[1:]))
    return change * float(scale)


def product(up: Any, down: Any) -> Tensor:
    """Return up(down) as one weight."""
    return matmul(up.weight.detach(), down.weight.detach())


def matmul(up: Tensor, down: Tensor) -> Tensor:
    """Return (out, r, 1, 1) times (r, in, k, k), or the same for matrices."""
    return (up.flatten(1) @ down.flatten(1)).reshape(len(up), *down.shape[1:])


def by_layer(changes: dict[str, Tensor], pipeline: StableDiffusionPipeline) -> Deltas:
    """Give changes by a trainer's names their names in memory; norms keep the trainer's."""
    names: dict[str, str] = {}
    for name in modules_of(pipeline):
        part, _, path = name.partition(".")
        flat = path.replace(".", "_")
        prefixes = ("lora_unet_", "lycoris_") if part == UNET else ("lora_te_",)
        names |= {f"{prefix}{flat}": name for prefix in prefixes}
    return {names.get(name, name): delta.detach() for name, delta in changes.items()}
