"""What drawing will not do with a prompt, said before it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.core.clip_tokens import CLIP_TOKENS, count
from toolkit.core.errors import UsageError
from toolkit.core.prompt_syntax import LORA, WEIGHT, first_syntax
from toolkit.core.settings import GenerateConfig

SHOWN = 60
NEGATIVE_NEEDS = "--negative needs a --guidance above 1"


def refuse_tags(prompts: Sequence[str], config: GenerateConfig) -> None:
    """Refuse ``<lora:name:0.8>``, which would be read as words.

    Raises:
        UsageError: There is one; says how the hub is told the same.
    """
    for prompt in (*prompts, config.negative_prompt):
        if found := LORA.search(prompt):
            weight = f":{found[3]}" if found[3] else ""
            raise UsageError(
                f"{found[0]} in a prompt would be read as words.",
                where=shortened(prompt),
                fix=f"Take it out and say --lora {found[2]}.safetensors{weight}",
            )


def idle_negative(config: GenerateConfig) -> bool:
    """Tell whether a negative prompt would not be read: there is no guidance away from it."""
    return bool(config.negative_prompt) and config.guidance_scale <= 1


def prompt_notes(prompts: Sequence[str], config: GenerateConfig) -> list[str]:
    """Return what is worth knowing about prompts, one sentence each, no sentence twice."""
    return list(dict.fromkeys(_notes(prompts, config)))


def _notes(prompts: Sequence[str], config: GenerateConfig) -> Iterator[str]:
    negative = config.negative_prompt
    for prompt in (*prompts, negative):
        kind = "negative prompt" if prompt is negative else "prompt"
        if (tokens := count(prompt)) > CLIP_TOKENS:
            yield (
                f"note: the {kind} {shortened(prompt)!r} has {tokens} tokens; what is beyond "
                f"{CLIP_TOKENS} is not read."
            )
        if WEIGHT.search(prompt):
            yield (
                f"note: brackets in the {kind} {shortened(prompt)!r} are read as words, not as "
                "weights (the contribution PromptWeighting reads them)."
            )
        elif piece := first_syntax(prompt):
            yield f"note: {piece} in the {kind} {shortened(prompt)!r} is read as words."


def shortened(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
