"""The profile of ``generate``: a U-Net that knows each text by name, and a decoder that is watched.

Shapes in comments: n pictures, h w rows and columns of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from harness.gate.audit import watching
from harness.gate.components import KnownDecoder
from harness.gate.experiments.context import Context, attach
from harness.gate.experiments.files_read import files
from harness.gate.experiments.measuring import both
from harness.gate.experiments.pipelines import changed, embedded, small_text_encoder, state_of
from harness.gate.profile.property import Measured, Profiled, Value
from harness.gate.profile.training_watch import disturb, moved, random_states
from harness.gate.spies import Spy, UNetCall
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError
from toolkit.core.settings import GenerateConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

Values = dict[str, Value]

PROMPTS = (
    "a red apple, on a white table, in the morning",
    "a blue fish, under water",
    "an old (red:1.3) car, at night",
    "a house",
    "two small birds with long tails on a thin branch of an old tree, seen from below, in the rain",
)
NEGATIVE = "blurry, with a frame"
BESIDE = ("negative", "empty")  # texts that no picture is drawn for
SEED, STEPS, GUIDANCE, SCALE = 40, 4, 5.0, 0.5
WIDTH, HEIGHT = 96, 64
DIRECTIONS = 3


class Decoder(KnownDecoder):
    """Decodes, and keeps what it was given and what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Tensor] = []
        self.made: list[Tensor] = []

    def forward(self, latents: Tensor, *rest: Any) -> Tensor:
        """Return pictures (n, 3, H, W)."""
        made = super().forward(latents, *rest)
        self.given.extend(latents.detach().float().clone())
        self.made.extend(made.detach().float().clone())
        return made


@dataclass
class Sketcher:
    """Answers for the U-Net while pictures are drawn: a fixed pattern for each prompt.

    Args:
        texts: Embeddings (5, S, D) of the prompts, of the negative prompt and of no words.
        adapter: Whose strength is looked at in each call.
        loud: Factor of the answers; 0 leaves what the sampler makes of nothing.
    """

    texts: Tensor
    adapter: nn.Module
    loud: float = 1.0
    calls: list[UNetCall] = field(default_factory=list)
    keys: list[list[str]] = field(default_factory=list)  # of each call, the text of each row
    scales: set[str] = field(default_factory=set)
    precisions: set[str] = field(default_factory=set)
    besides: set[str] = field(default_factory=set)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __call__(self, call: UNetCall) -> Tensor:
        """Note the call and answer."""
        self.calls.append(call)
        keys = [self.key(row) for row in call.states]
        self.keys.append(keys)
        self.scales |= {
            str(m.lora_scale) for m in self.adapter.modules() if hasattr(m, "lora_scale")
        }
        half = call.autocast
        self.precisions.add("half, by autocast" if half else str(call.output_dtype)[6:])
        self.besides |= set(call.besides)
        generator = torch.Generator().manual_seed(8)
        pattern = torch.randn(call.sample.shape[1:], generator=generator)  # (4, h, w)
        rows = [pattern * (0.0 if key in BESIDE else self.loud) for key in keys]
        return torch.stack(rows).to(call.output_dtype)

    def key(self, row: Tensor) -> str:
        """Name a text by its embedding (S, D)."""
        if row.shape != self.texts.shape[1:]:
            return "another"
        apart = (self.texts - row).flatten(1).norm(dim=1) / row.norm().clamp_min(1e-9)
        nearest = int(apart.argmin())
        if float(apart[nearest]) > 0.01:
            return "another"
        return (*map(str, range(1, len(PROMPTS) + 1)), "negative", "empty")[nearest]


@dataclass
class Drawn:
    """What one call of ``generate`` did."""

    config: GenerateConfig
    sketcher: Sketcher
    decoder: Decoder
    pictures: list[Image]
    generators: str
    changed: str


class Studio:
    """A pipeline with an adapter, on which pictures are drawn.

    Args:
        context: The run.
        hooks: Whose ``make_lora`` and ``generate`` are called.
    """

    def __init__(self, context: Context, hooks: Hooks) -> None:
        self.context, self.hooks = context, hooks
        small = small_text_encoder(context)
        self.pipeline: StableDiffusionPipeline = context.workshop.tiny(
            Spy(context.finder), text_encoder=small
        )
        self.pipeline.unet.spy = None
        self.adapter = attach(context, self.pipeline, hooks)
        for model in (self.pipeline.unet, self.adapter):
            model.eval()
        # The reference's adapter can be scaled; one that cannot is drawn with as it is.
        self.can_be_scaled = any(hasattr(m, "lora_scale") for m in self.adapter.modules())
        texts = [*PROMPTS, NEGATIVE, ""]
        self.texts = embedded(self.pipeline, texts)

    def draw(
        self,
        *,
        loud: float = 1.0,
        training: bool = False,
        count: int = len(PROMPTS),
        disturbed: bool = False,
        **changes: Any,
    ) -> Drawn:
        """Draw some pictures with everything watched; ``disturbed`` in another state of chance."""
        if disturbed:
            disturb()
        settings = self.context.hooks.owner.file.settings.generate.model_dump()
        plain = {
            "num_inference_steps": STEPS,
            "guidance_scale": GUIDANCE,
            "negative_prompt": NEGATIVE,
            "lora_scale": SCALE if self.can_be_scaled else 1.0,
            "seed": SEED,
            "width": WIDTH,
            "height": HEIGHT,
        }
        config = GenerateConfig(**{**settings, **plain, **changes})
        self.pipeline.vae.decoder = decoder = Decoder().eval()
        self.pipeline.unet.stand_in = sketcher = Sketcher(self.texts, self.adapter, loud)
        self.pipeline.unet.train(training)
        before, state = random_states(), self.state()
        pictures = self.hooks.call(
            "generate",
            pipeline=self.pipeline,
            adapter=self.adapter,
            prompts=list(PROMPTS[:count]),
            config=config,
        )
        return Drawn(
            config=config,
            sketcher=sketcher,
            decoder=decoder,
            pictures=list(pictures),
            generators=moved(before, random_states()),
            changed=changed(state, self.state()),
        )

    def state(self) -> dict[str, str]:
        """Return what a drawing must leave as it was."""
        vae = self.pipeline.vae
        return {
            **state_of(self.pipeline, self.adapter),
            "the VAE's tiling": f"{vae.use_tiling}, {vae.use_slicing}",
        }


def run(context: Context) -> Profiled:
    """Draw the contribution's way and the reference's."""
    return both(context, "drawing", measure)


def measure(context: Context, hooks: Hooks) -> Measured:
    """Measure one ``generate``, watched."""
    with watching(context.finder, context.scratch) as deeds:
        found = look(context, hooks)
    return {**found, "drawing.files": files(deeds)}


def look(context: Context, hooks: Hooks) -> Measured:
    """Measure what is drawn, and from what."""
    studio = Studio(context, hooks)
    plain = studio.draw()
    training = studio.draw(training=True, count=1)
    wordless = studio.draw(negative_prompt="", count=1)
    longer = studio.draw(num_inference_steps=STEPS + 3, count=1)
    shifted = studio.draw(seed=SEED + 2, count=1)
    unguided = studio.draw(guidance_scale=1.0, count=1)
    alone = studio.draw(count=1)
    again = studio.draw(disturbed=True)
    return {
        "drawing.first_latents": first_latents(plain, shifted),
        "drawing.steps": steps(plain, longer),
        "drawing.prompts": {"the U-Net is given": texts(plain, guided=True)},
        "drawing.negative_prompts": {
            "beside them": texts(plain, guided=False),
            "without a negative prompt": texts(wordless, guided=False),
        },
        "drawing.guidance": guidance(studio, plain, unguided, alone),
        "drawing.sampler": sampler(alone),
        "drawing.repeatable": {
            "drawn again": same_pictures(plain, again),
            "drawn alone": same_pictures(alone, plain),
        },
        "drawing.order": {
            "the pictures are": order(plain),
            "share drawn for another's prompt": exchanged(plain),
        },
        "drawing.pixels": pixels(plain),
        "drawing.size": size(plain),
        "drawing.lora_scale": {
            "in the U-Net's calls": scales_of(plain),
            "with 0 asked for": asked_scale(studio, 0.0),
            "with 1.5 asked for": asked_scale(studio, 1.5),
        },
        "drawing.mode": mode(training),
        "drawing.precision": {
            "the U-Net computes in": ", ".join(sorted(plain.sketcher.precisions)) or None,
            "it is given besides": ", ".join(sorted(plain.sketcher.besides)) or "nothing",
        },
        "drawing.left_behind": {"changed": plain.changed},
        "drawing.generators": {"leaves moved": plain.generators},
    }


def scales_of(drawn: Drawn) -> str | None:
    """Return the strengths that the adapter had in the U-Net's calls."""
    return ", ".join(sorted(drawn.sketcher.scales)) or None


def asked_scale(studio: Studio, scale: float) -> str | None:
    """Return the same where another strength is asked for."""
    if not studio.can_be_scaled:
        return None
    try:
        return scales_of(studio.draw(lora_scale=scale, count=1, num_inference_steps=1))
    except HubError:
        return "it is refused"


def noise_of(seed: int, shape: torch.Size) -> Tensor:
    """Return the noise that a seed means, (4, h, w)."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def is_pair(call: UNetCall) -> bool:
    """Tell whether a call asks for the same latents twice: with the negative prompt and without."""
    half = len(call.sample) // 2
    return len(call.sample) % 2 == 0 and torch.equal(call.sample[:half], call.sample[half:])


def first_calls(drawn: Drawn) -> list[tuple[UNetCall, list[str], list[int]]]:
    """Return the calls at the first timestep, with their texts and the rows of the prompts."""
    calls = drawn.sketcher.calls
    found = []
    for call, keys in zip(calls, drawn.sketcher.keys, strict=True):
        if call.timesteps[0] == calls[0].timesteps[0]:
            found.append((call, keys, rows_of_prompts(call, keys)))
    return found


def rows_of_prompts(call: UNetCall, keys: list[str]) -> list[int]:
    """Return the rows of a call that are asked with a prompt, by the texts of the rows."""
    half = len(keys) // 2
    if not is_pair(call):
        return [] if all(key in BESIDE for key in keys) else list(range(len(keys)))
    # Diffusers puts the prompts last; a loop of one's own may put them first.
    first = all(key in BESIDE for key in keys[half:]) and keys[0] not in BESIDE
    return list(range(half)) if first else list(range(half, len(keys)))


def starts(drawn: Drawn) -> Tensor:
    """Return the first latents of each picture, (n, 4, h, w)."""
    found = [call.sample[rows] for call, _, rows in first_calls(drawn) if rows]
    return torch.cat(found) if found else torch.zeros(0, 4, 1, 1)


def first_latents(plain: Drawn, shifted: Drawn) -> Values:
    """From which seed's noise each picture starts, and how strong it is."""
    seeds, sizes = [], []
    for drawn in (plain, shifted):
        for latents in starts(drawn)[: len(drawn.pictures)]:
            alike = {
                seed: float(
                    torch.nn.functional.cosine_similarity(
                        latents.flatten(), noise_of(seed, latents.shape).flatten(), dim=0
                    )
                )
                for seed in range(SEED + 8)
            }
            best = max(alike, key=lambda seed: alike[seed])
            exact = alike[best] > 0.9999
            seeds.append(str(best) if exact else "another noise")
            sizes.append(float(latents.std()) / float(noise_of(best, latents.shape).std()))
    return {
        "seeds": ", ".join(seeds),
        "strength": sum(sizes) / len(sizes) if sizes else None,
    }


def steps(plain: Drawn, longer: Drawn) -> Values:
    """How often the U-Net is asked for one picture, and at which timesteps."""
    found: Values = {}
    for name, drawn in ((f"{STEPS} steps", plain), (f"{STEPS + 3} steps", longer)):
        times = [round(float(call.timesteps[0])) for call in drawn.sketcher.calls]
        # Pictures that are drawn one after the other visit the same ones again.
        found[f"timesteps of {name}"] = ", ".join(map(str, dict.fromkeys(times)))
    return found


def texts(drawn: Drawn, *, guided: bool) -> str:
    """Return which texts the first timestep sees, in order: the prompts, or what is beside them."""
    found = []
    for _, keys, rows in first_calls(drawn):
        found += [key for i, key in enumerate(keys) if (i in rows) == guided]
    return ", ".join(found) or "none"


def second_sample(drawn: Drawn) -> Tensor | None:
    """Return the latents of the first picture after one step, (4, h, w)."""
    calls = drawn.sketcher.calls
    later = [c for c in calls if c.timesteps[0] != calls[0].timesteps[0]]
    return later[0].sample[-1] if later else None


def beside(drawn: Drawn) -> float:
    """Return the share of steps that ask with a text that no picture is drawn for, too.

    Of steps, not of calls: a loop may ask with both texts in one call or in two.
    """
    calls = list(zip(drawn.sketcher.calls, drawn.sketcher.keys, strict=True))
    every = {float(call.timesteps[0]) for call, _ in calls}
    asked = {float(call.timesteps[0]) for call, keys in calls if any(k in BESIDE for k in keys)}
    return len(asked) / max(1, len(every))


def same_pictures(some: Drawn, others: Drawn) -> str:
    """Tell whether pictures are those of another drawing, as far as both go."""
    pairs = zip(some.pictures, others.pictures, strict=False)
    apart = [
        float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max())
        if a.size == b.size
        else 255.0
        for a, b in pairs
    ]
    # A batch of another size may round the last bit otherwise.
    return "the same" if apart and max(apart) <= 1 else "another picture"


def sampler(drawn: Drawn) -> Values:
    """Some numbers of the latents that are decoded, by which two samplers can be told apart."""
    if not drawn.decoder.given:
        return {}
    latents = drawn.decoder.given[0]  # (4, h, w)
    generator = torch.Generator().manual_seed(21)
    directions = torch.randn((DIRECTIONS, *latents.shape), generator=generator)
    along = (directions * latents).flatten(1).sum(1) / directions.flatten(1).norm(dim=1)
    return {f"along direction {i + 1}": float(value) for i, value in enumerate(along)}


def guidance(studio: Studio, plain: Drawn, unguided: Drawn, strong: Drawn) -> Values:
    """How strong the guidance of the first step is, read off the latents after it."""
    silent = studio.draw(loud=0.0, guidance_scale=1.0, count=1)
    zero, one, some = second_sample(silent), second_sample(unguided), second_sample(strong)
    found: Values = {
        "strength in the first step": None,
        "steps with a text beside the prompts": beside(plain),
        "the same with a guidance of 1": beside(unguided),
    }
    if zero is None or one is None or some is None or zero.shape != some.shape:
        return found
    unit = one - zero
    norm = float(unit.square().sum())
    if norm > 1e-8:
        found["strength in the first step"] = float(((some - zero) * unit).sum()) / norm
    return found


def decoded(drawn: Drawn) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return what the decoder made as pictures of 0 to 255, (H, W, 3) each."""
    return [
        ((made / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).double().numpy()
        for made in drawn.decoder.made
    ]


def distances(drawn: Drawn) -> list[list[float]]:
    """Return how far each picture is from each that was decoded, 0 to 255."""
    made = decoded(drawn)
    found = []
    for picture in drawn.pictures:
        shown = np.asarray(picture.convert("RGB"), dtype=np.float64)
        found.append(
            [
                float(np.abs(shown - one).mean()) if shown.shape == one.shape else 255.0
                for one in made
            ]
        )
    return found


def order(drawn: Drawn) -> str:
    """Return which of the pictures that were decoded each picture is nearest to."""
    rows = distances(drawn)
    return ", ".join(str(row.index(min(row)) + 1) if row else "none" for row in rows)


def exchanged(drawn: Drawn) -> float | None:
    """Return the share of pictures whose first latents came with another picture's prompt."""
    keys = [keys[row] for _, keys, rows in first_calls(drawn) for row in rows]
    own = [str(i + 1) for i in range(len(PROMPTS))]
    pairs = [(key, mine) for key, mine in zip(keys, own, strict=False) if key in own]
    return sum(key != mine for key, mine in pairs) / len(pairs) if pairs else None


def pixels(drawn: Drawn) -> Values:
    """How far pictures are from what was decoded, and what was decoded from the latents."""
    rows = [min(row) for row in distances(drawn) if row]
    given = [float(latents.std()) for latents in drawn.decoder.given]
    return {
        "distance from what was decoded (0 to 255)": sum(rows) / len(rows) if rows else None,
        "deviation of what is decoded": sum(given) / len(given) if given else None,
    }


def size(drawn: Drawn) -> Values:
    """The size of latents and pictures, width by height, when 96 by 64 pixels are asked for."""
    first = starts(drawn)
    sizes = {f"{picture.width} x {picture.height}" for picture in drawn.pictures}
    return {
        "latents": f"{first.shape[-1]} x {first.shape[-2]}" if len(first) else None,
        "pictures": ", ".join(sorted(sizes)),
        "number": float(len(drawn.pictures)),
    }


def mode(drawn: Drawn) -> Values:
    """In which mode the U-Net draws when it was handed over in training mode."""
    calls = drawn.sketcher.calls
    share = sum(call.training for call in calls) / len(calls) if calls else None
    with_grad = sum(call.grad_enabled for call in calls) / len(calls) if calls else None
    return {"share of calls in training mode": share, "share of calls with gradients": with_grad}
