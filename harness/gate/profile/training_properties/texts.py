"""Which text comes with each picture."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property
from harness.gate.profile.training_properties.names import LATENTS, PIXELS, prop

TEXTS_PROPERTIES: tuple[Property, ...] = (
    prop(
        "training.captions",
        "Which caption goes with a picture",
        "Each embedding that reaches the U-Net is looked up among the captions' own.",
        Measure("share with another picture's", tolerance=0.02),
        never="The model learns to draw what a caption does not say.",
        fix="Index captions and pictures with the same numbers.",
        calls=("text_encoder", "captions", "caption", "encoder_hidden_states"),
        because=(PIXELS, LATENTS),
    ),
    prop(
        "training.texts",
        "Which texts are encoded",
        "The tokens that the text encoder is given, beside those of the whole captions.",
        Measure("share that is no caption", tolerance=0.001),
        Measure("the same of captions that do not fit", tolerance=0.001),
        Measure("the text encoder is given"),
        serious=True,
        fix="Give the tokenizer the captions as the data set has them.",
        calls=("tokenizer", "captions", "caption", "max_length", "split"),
        because=("training.dropped_caption",),
    ),
    prop(
        "training.embeddings",
        "The text that reaches the U-Net",
        "The same: embeddings that are no caption's, as the base's text encoder gives it whole.",
        Measure("tokens"),
        Measure("share of other texts", tolerance=0.02),
        Measure("distance from a caption's", tolerance=1e-3),
        serious=True,
        fix='tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt"), then '
        "text_encoder(input_ids)[0]: generate sends prompts that way.",
        calls=("text_encoder", "tokenizer", "split", "hidden_states"),
        because=("training.captions", "training.texts", LATENTS),
    ),
    prop(
        "training.caption_dropout",
        "How often a caption is dropped",
        "A quarter is asked for; the share that comes without its caption, and whether a batch "
        "loses its captions together.",
        Measure("share", tolerance=0.03, grave=0.5),
        Measure("together, as a multiple of chance", tolerance=0.5),
        Measure("difference between pictures", tolerance=0.12),
        fix="torch.rand(batch_size) < config.caption_dropout, for each picture.",
        calls=("caption_dropout", "rand"),
        because=("training.embeddings",),
    ),
    prop(
        "training.dropped_caption",
        "What stands for a dropped caption",
        "The text that comes with all pictures alike.",
        Measure("it is"),
        fix="The embedding of the empty caption: it is what guidance subtracts.",
        calls=("masked_fill", "caption_dropout", "text_encoder"),
    ),
)
