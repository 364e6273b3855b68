"""The PEFT methods that can be named, and the options of each.

Torch-free: contribution.toml is checked against this table without importing anything.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Final

Option = bool | int | float | str | list[str]


@dataclass(frozen=True)
class Method:
    """One PEFT method.

    Args:
        config: Name of its class in ``peft``.
        paper: Link to where it comes from.
        rank: The option that holds the rank, or None when there is none.
        alpha: The option that holds alpha, or None when there is none.
        convolutions: Whether it can adapt the 1x1 convolutions of a transformer block.
        targets: Layers that it is made for, when they are not the usual ones.
        options: What differs here from PEFT's defaults.
    """

    config: str
    paper: str
    rank: str | None = None
    alpha: str | None = None
    convolutions: bool = False
    targets: tuple[str, ...] = ()
    options: dict[str, Option] = field(default_factory=dict)


def _arxiv(number: str) -> str:
    return f"https://arxiv.org/abs/{number}"


# VeRA, VB-LoRA, PVeRA, TinyLoRA, UniLoRA and FRoD keep state outside the layers, and PEFT refuses
# to put them into a diffusers model. AdaLoRA wants a call after every step that no `train` here
# makes. PiSSA and OLoRA change the frozen weight itself, so strength 0 would not be the base. LN
# tuning replaces norms, which the hub cannot read back. SHiRA trips over torch's sparse tensors.
METHODS: Final[dict[str, Method]] = {
    "LoRA": Method("LoraConfig", _arxiv("2106.09685"), "r", "lora_alpha", convolutions=True),
    "DoRA": Method(
        "LoraConfig", _arxiv("2402.09353"), "r", "lora_alpha", True, options={"use_dora": True}
    ),
    "rsLoRA": Method(
        "LoraConfig", _arxiv("2312.03732"), "r", "lora_alpha", True, options={"use_rslora": True}
    ),
    "LoHa": Method("LoHaConfig", _arxiv("2108.06098"), "r", "alpha", convolutions=True),
    "LoKr": Method("LoKrConfig", _arxiv("2309.14859"), "r", "alpha", convolutions=True),
    # r counts blocks here and excludes a block size, so neither is the rank.
    "OFT": Method(
        "OFTConfig", _arxiv("2306.07280"), convolutions=True, options={"r": 0, "oft_block_size": 8}
    ),
    "BOFT": Method("BOFTConfig", _arxiv("2311.06243"), options={"boft_block_size": 8}),
    "IA3": Method(
        "IA3Config",
        _arxiv("2205.05638"),
        targets=("to_k", "to_v", "ff.net.2"),
        options={"feedforward_modules": ["ff.net.2"]},
    ),
    "RandLoRA": Method("RandLoraConfig", _arxiv("2502.00987"), "r", "randlora_alpha"),
    "HRA": Method("HRAConfig", _arxiv("2405.17484"), "r", convolutions=True),
    # Without init_weights PEFT starts it at random, and the untrained model is not the base.
    "FourierFT": Method(
        "FourierFTConfig", _arxiv("2405.03003"), options={"n_frequency": 200, "init_weights": True}
    ),
    "MiSS": Method("MissConfig", _arxiv("2409.15371"), "r"),
    "C3A": Method(
        "C3AConfig", _arxiv("2407.19342"), options={"block_size": 32, "init_weights": True}
    ),
    "GraLoRA": Method("GraloraConfig", _arxiv("2505.20355"), "r", "alpha"),
    "RoAd": Method("RoadConfig", _arxiv("2409.00119"), options={"group_size": 32}),
    "WaveFT": Method("WaveFTConfig", _arxiv("2505.12532"), options={"n_frequency": 200}),
    "DeLoRA": Method("DeloraConfig", _arxiv("2503.18225"), "r"),
    "HiRA": Method("HiraConfig", "https://openreview.net/forum?id=TwJrTz9cRS", "r"),
    "PSOFT": Method(
        "PsoftConfig", "https://openreview.net/forum?id=FSHrinMArK", "r", "psoft_alpha"
    ),
    "GLoRA": Method("GloraConfig", _arxiv("2306.07967"), "r"),
    "PEANuT": Method("PeanutConfig", _arxiv("2410.01870"), "r"),
    "DEFT": Method("DeftConfig", _arxiv("2509.22793"), "r", "alpha"),
    "SuperTuning": Method("SupertuningConfig", _arxiv("2607.09287"), options={"sparsity": 0.95}),
}


def near_names(method: str) -> list[str]:
    """Return the methods that a misspelt name may have meant; none when nothing comes near."""
    return difflib.get_close_matches(method, METHODS, n=3, cutoff=0.4)
