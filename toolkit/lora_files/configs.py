"""PEFT's LoraConfig: where PEFT and diffusers keep alpha, outside the tensors.

It is `adapter_config.json` in PEFT's folders, and `lora_adapter_metadata` in the header of files of
diffusers, there for both models at once with `unet.` and `text_encoder.` before each entry.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from toolkit.core.errors import HubError

from .layout import PARTS, TEXT_ENCODER
from .memory import Lora, LoraLayer
from .names import TEXT_MODEL

HEADER_KEY: Final = "lora_adapter_metadata"
# Our note in diffusers' files that alpha = rank is the truth and not a guess.
FOLDED_KEY, FOLDED = "hub.alpha", "folded into the factors"

# With these set, the two factors alone are not the adapter.
CHANGES_THE_ADAPTER: Final = (
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
)
# With these starts, PEFT also changes the base model that the factors are added to.
CHANGES_THE_BASE: Final = ("pissa", "olora", "corda", "loftq", "lora_ga")

# PEFT takes regular expressions. A stranger's expression can run for ever, and what diffusers and
# PEFT write themselves are names, at most with ^ before, $ behind, or a backslash before each dot.
PLAIN_NAME: Final = re.compile(r"\^?(?:[A-Za-z0-9_.]|\\\.)+\$?")


@dataclass(frozen=True)
class AlphaRule:
    """Which alpha each layer of one model has, according to a LoraConfig."""

    alpha: float
    pattern: dict[str, float]
    rank_stabilised: bool

    def alpha_of(self, layer: str, rank: int) -> float:
        """Return a layer's alpha in the sense of every other format: scale = alpha / rank.

        Args:
            layer: Its name as in memory.
            rank: Its rank according to its tensors.
        """
        _, _, name = layer.partition(".")
        names = {name, name.removeprefix(TEXT_MODEL)}
        fitting = (a for key, a in self.pattern.items() if any(_fits(key, n) for n in names))
        alpha = next(fitting, self.alpha)
        # rsLoRA divides by the root of the rank; others divide by the rank.
        return alpha * math.sqrt(rank) if self.rank_stabilised else alpha


def _fits(key: str, name: str) -> bool:
    if key.startswith("^"):
        return name == key[1:]
    return name == key or name.endswith(f".{key}")


def parse_config(config: Any) -> AlphaRule:
    """Read the part of a LoraConfig that changes the strength.

    Raises:
        HubError: It describes more than a plain LoRA, or its numbers make no sense.
    """
    if not isinstance(config, dict):
        raise HubError("The adapter's configuration is not a JSON object.")
    _refuse_more_than_lora(config)
    if "lora_alpha" not in config:
        raise HubError("The adapter's configuration has no lora_alpha: its strength is unknown.")
    pattern = config.get("alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise HubError("The adapter's alpha_pattern is not a JSON object.")
    for key in pattern:
        if not PLAIN_NAME.fullmatch(key):
            raise HubError(
                f"alpha_pattern has the regular expression {key!r:.80}; only names can be read.",
                fix="Write the layers' names out in the configuration.",
            )
    return AlphaRule(
        _number("lora_alpha", config["lora_alpha"]),
        {
            key.replace("\\.", ".").removesuffix("$"): _number(f"alpha_pattern[{key!r:.80}]", value)
            for key, value in pattern.items()
        },
        bool(config.get("use_rslora")),
    )


def _refuse_more_than_lora(config: dict[str, Any]) -> None:
    if config.get("peft_type", "LORA") != "LORA":
        raise HubError(f"The adapter is a {config['peft_type']!r:.40} of PEFT, not a LoRA.")
    for option in CHANGES_THE_ADAPTER:
        if config.get(option):
            raise HubError(
                f"The adapter was made with PEFT's {option!r}: its two factors are not all of it.",
                fix="Merge it into its base with PEFT, then `extract` a LoRA from the two models.",
            )
    if config.get("bias", "none") != "none":
        raise HubError("The adapter also trained biases, which a LoRA file does not hold.")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(CHANGES_THE_BASE):
        raise HubError(
            f"The adapter was started with {start!r:.40}, which changed its base model too.",
            fix="Let PEFT convert it (save_pretrained with path_initial_model_for_weight_"
            "conversion), then read that.",
        )


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise HubError(f"{what} is {value!r:.40}, which is no number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise HubError(f"{what} is {value!r:.40}, which is no strength.")
    return number


def parse_header_entry(text: str) -> dict[str, AlphaRule]:
    """Read diffusers' ``lora_adapter_metadata``.

    Returns:
        Part (`unet`, `text_encoder`) -> rule, for the parts it speaks of.
    """
    try:
        flat = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HubError(f"The header's {HEADER_KEY} is no JSON: {str(error)[:80]}") from error
    if not isinstance(flat, dict):
        raise HubError(f"The header's {HEADER_KEY} is not a JSON object.")
    rules = {}
    for part in PARTS:
        prefix = f"{part}."
        config = {k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)}
        if config:
            rules[part] = parse_config(config)
    return rules


def config_of(lora: Lora, part: str) -> dict[str, Any]:
    """Return the LoraConfig of one model's layers: what differs from layer to layer by name.

    The text encoder's layers are named without `text_model`: PEFT compares the ends of names, so
    this finds them in every version of transformers. Only fields that each version of PEFT knows.
    """
    layers = {
        _short_name(name): layer
        for name, layer in lora.layers.items()
        if name.startswith(f"{part}.")
    }
    rank = _commonest(layer.rank for layer in layers.values())
    alpha = _commonest(layer.alpha for layer in layers.values())
    return {
        "r": int(rank),
        "lora_alpha": _tidy(alpha),
        "target_modules": sorted(layers),
        "rank_pattern": {n: layer.rank for n, layer in layers.items() if layer.rank != rank},
        "alpha_pattern": {
            n: _tidy(layer.alpha) for n, layer in layers.items() if layer.alpha != alpha
        },
    }


def header_entry_of(lora: Lora) -> str:
    """Return diffusers' ``lora_adapter_metadata`` for a LoRA."""
    flat = {
        f"{part}.{key}": value
        for part in PARTS
        if layers_of(lora, part)
        for key, value in config_of(lora, part).items()
    }
    return json.dumps(flat, sort_keys=True)


def layers_of(lora: Lora, part: str) -> dict[str, LoraLayer]:
    """Return the layers of one model."""
    return {n: layer for n, layer in lora.layers.items() if n.startswith(f"{part}.")}


def _short_name(layer: str) -> str:
    part, _, name = layer.partition(".")
    return name.removeprefix(TEXT_MODEL) if part == TEXT_ENCODER else name


def _commonest(values: Iterable[float]) -> float:
    """Return the most frequent value; of equally frequent ones the smallest, so bytes repeat."""
    counted = sorted(values)
    return max(dict.fromkeys(counted), key=counted.count)


def _tidy(number: float) -> float | int:
    return int(number) if number == int(number) else number
