"""Run kohya's train_network.py on a model of any size.

    python benchmarks/programs/kohya.py KOHYA-FOLDER BASE ARGUMENTS ...

Widths and depth of the U-Net are constants of kohya's module, those of Stable Diffusion 1.x. Here
they become the base's own, before the trainer starts; the rest of kohya's code is as it is. It asks
a model hub for its tokenizer whatever the base has: the base's own is put where it looks first.
"""

from __future__ import annotations

import importlib
import json
import runpy
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

TOKENIZER = "openai_clip-vit-large-patch14"  # the folder below --tokenizer_cache_dir


def main(kohya: Path, base: Path, arguments: list[str]) -> None:
    """Set the constants, then become the trainer."""
    sys.path.insert(0, str(kohya))
    original_unet: Any = importlib.import_module("library.original_unet")
    config = json.loads((base / "unet" / "config.json").read_text(encoding="utf-8"))
    widths, layers = tuple(config["block_out_channels"]), config["layers_per_block"]
    constants = {
        "BLOCK_OUT_CHANNELS": widths,
        "TIMESTEP_INPUT_DIM": widths[0],
        "TIME_EMBED_DIM": 4 * widths[0],
        "LAYERS_PER_BLOCK": layers,
        "LAYERS_PER_BLOCK_UP": layers + 1,
        "NORM_GROUPS": config["norm_num_groups"],
        "TRANSFORMER_NORM_NUM_GROUPS": config["norm_num_groups"],
        "DOWN_BLOCK_TYPES": config["down_block_types"],
        "UP_BLOCK_TYPES": config["up_block_types"],
    }
    for name, value in constants.items():
        if not hasattr(original_unet, name):
            raise SystemExit(f"kohya's library/original_unet.py has no {name}: another version.")
        setattr(original_unet, name, value)
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as cache:
        shutil.copytree(base / "tokenizer", Path(cache) / TOKENIZER)
        script = kohya / "train_network.py"
        sys.argv = [str(script), *arguments, "--tokenizer_cache_dir", cache]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
