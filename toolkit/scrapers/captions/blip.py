"""Captions by BLIP, from a local folder in transformers' layout. The only user of torch here."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from toolkit.scrapers.captions.clean import clean
from toolkit.scrapers.captions.model_files import check_folder, identity
from toolkit.scrapers.errors import WrongOptions
from toolkit.scrapers.hits import ImageHit

FILES = ("config.json", "model.safetensors", "tokenizer_config.json")
# Three beams, as kohya's script has it: plain sentences, no chance involved.
BEAMS = 3
MOST_NEW_TOKENS = 50


class BlipCaptioner:
    """A BLIP captioning model.

    Args:
        folder: With the files that ``save_pretrained`` writes; safetensors only.

    Raises:
        WrongOptions: Files are missing or of another model.
    """

    def __init__(self, folder: Path) -> None:
        check_folder(folder, FILES)
        import torch
        from transformers import BlipForConditionalGeneration, BlipProcessor
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._torch = torch
        try:
            self._processor = BlipProcessor.from_pretrained(folder, local_files_only=True)
            self._model = BlipForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            ).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise WrongOptions(
                f"This is no BLIP captioning model: {str(error)[:300]}",
                where=str(folder),
                fix="Give --caption-model the folder of one, as save_pretrained writes it.",
            ) from error
        self.name = identity("blip", folder / "model.safetensors")

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return what the model sees."""
        with Image.open(picture) as file, self._torch.inference_mode():
            inputs = self._processor(images=file.convert("RGB"), return_tensors="pt")
            tokens = self._model.generate(
                **inputs, num_beams=BEAMS, max_new_tokens=MOST_NEW_TOKENS, do_sample=False
            )
        return clean(self._processor.decode(tokens[0], skip_special_tokens=True))
