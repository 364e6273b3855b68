"""Captions by BLIP, from a local folder in transformers' layout. The only user of torch here."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from toolkit.scrapers.captions.clean import clean
from toolkit.scrapers.captions.model_files import check_folder, identity
from toolkit.scrapers.errors import WrongOptions
from toolkit.scrapers.hits import ImageHit

FILES = ("config.json", "model.safetensors", "tokenizer_config.json")
# Either has the words; without any, transformers makes a tokenizer that knows none.
VOCABULARIES = ("tokenizer.json", "vocab.txt")
# Three beams, as kohya's script has it: plain sentences, no chance involved.
BEAMS = 3
MOST_NEW_TOKENS = 50


class BlipCaptioner:
    """A BLIP captioning model.

    Args:
        folder: With the files that ``save_pretrained`` writes; safetensors only.

    Raises:
        WrongOptions: Files are missing, damaged or of another model.
    """

    def __init__(self, folder: Path) -> None:
        check_folder(folder, FILES)
        if not any((folder / name).is_file() for name in VOCABULARIES):
            raise no_model(folder, f"neither {' nor '.join(VOCABULARIES)} is there")
        import torch
        from safetensors import SafetensorError
        from transformers import BlipForConditionalGeneration, BlipProcessor
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._torch = torch
        try:
            self._processor = BlipProcessor.from_pretrained(folder, local_files_only=True)
            model, loaded = BlipForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise no_model(folder, str(error)[:300]) from error
        # transformers fills what is missing with random numbers: a BLIP that answers questions, or
        # finds pictures, would caption with random words.
        if missing := sorted(loaded["missing_keys"]):
            raise no_model(folder, f"{len(missing)} weights are missing, first {missing[0]}")
        self._model = model.eval()
        self.name = identity("blip", folder / "model.safetensors")

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return what the model sees."""
        with Image.open(picture) as file, self._torch.inference_mode():
            inputs = self._processor(images=file.convert("RGB"), return_tensors="pt")
            tokens = self._model.generate(
                **inputs, num_beams=BEAMS, max_new_tokens=MOST_NEW_TOKENS, do_sample=False
            )
        return clean(self._processor.decode(tokens[0], skip_special_tokens=True))


def no_model(folder: Path, why: str) -> WrongOptions:
    """Return what to say about a folder that holds no captioning model."""
    return WrongOptions(
        f"This is no BLIP captioning model: {why}",
        where=str(folder),
        fix="Give --caption-model the folder of one, as save_pretrained writes it.",
    )
