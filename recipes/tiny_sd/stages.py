"""The stages in their order, each a small function of the same context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .adopt import adopt
from .captions import tokenizer_texts
from .card import print_table, write_card
from .corpus import Corpus, build_corpus, load_corpus, save_corpus
from .decoder import train_decoder
from .evaluate import evaluate
from .export import export
from .latents import build_latents
from .packages import read_packages
from .reference import build_reference, load_reference
from .settings import Recipe
from .tokenizer import build_tokenizer, learn_merges, save_tokenizer
from .unet import train_unet
from .vae import contact_sheet, train_vae


@dataclass(frozen=True)
class Context:
    """Where a stage reads and writes."""

    recipe: Recipe
    run: Path
    packages: Path
    model: Path
    reference: Path  # the evaluation's pictures
    table: Path | None = None  # another packages.toml, for tests

    def corpus(self) -> Corpus:
        """Load the corpus, with a helpful word when it was not built."""
        if not (self.run / "corpus.json").exists():
            raise SystemExit(
                f"No corpus in {self.run}.\n"
                f"  Fix: run `python -m recipes.tiny_sd corpus --run {self.run}` first."
            )
        return load_corpus(self.run)


def corpus_stage(context: Context) -> None:
    """Render the icons; draw the contact sheet and the evaluation's reference pictures."""
    packages = read_packages(context.table) if context.table else read_packages()
    corpus = build_corpus(packages, context.packages, context.recipe.icon_px)
    save_corpus(corpus, context.run)
    contact_sheet(corpus, context.reference / "contact-sheet.webp")
    build_reference(corpus, context.reference)
    print(f"{len(corpus.entries)} icons, corpus sha256 {corpus.sha256}")


def tokenizer_stage(context: Context) -> None:
    """Learn the merges from the captions and the corpus's names."""
    names = tuple(sorted({icon.name for icon in context.corpus().entries}))
    merges = learn_merges(tokenizer_texts(names), context.recipe.merges)
    save_tokenizer(build_tokenizer(merges), merges, context.run / "tokenizer")


def vae_stage(context: Context) -> None:
    """Train the autoencoder."""
    train_vae(context.corpus(), context.recipe, context.run)


def latents_stage(context: Context) -> None:
    """Freeze the encoder and encode the U-Net's pictures."""
    build_latents(context.corpus(), context.recipe, context.run)


def unet_stage(context: Context) -> None:
    """Train text encoder and U-Net."""
    train_unet(context.recipe, context.run)


def decoder_stage(context: Context) -> None:
    """Improve the decoder for the frozen encoder."""
    train_decoder(context.corpus(), context.recipe, context.run)


def export_stage(context: Context) -> None:
    """Write the model folder."""
    export(context.recipe, context.run, context.model)


def evaluate_stage(context: Context) -> None:
    """Measure the model folder and write its card."""
    reference = load_reference(context.reference)
    print_table(evaluate(context.model, reference, context.recipe.evaluation_prompts))
    write_card(context.model)


def adopt_stage(context: Context) -> None:
    """Start a run from the model folder's weights."""
    adopt(context.recipe, context.run, context.model)


STAGES: Final[dict[str, Callable[[Context], None]]] = {
    "corpus": corpus_stage,
    "tokenizer": tokenizer_stage,
    "vae": vae_stage,
    "latents": latents_stage,
    "unet": unet_stage,
    "decoder": decoder_stage,
    "export": export_stage,
    "evaluate": evaluate_stage,
}

# Stages that `all` leaves out.
EXTRA_STAGES: Final[dict[str, Callable[[Context], None]]] = {"adopt": adopt_stage}
