"""Fetch a model from the Hugging Face Hub; errors say what went wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.errors import BaseModelError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

# Weights as safetensors, configurations, the tokenizer; no pickles, no safety checker.
PATTERNS = (
    "model_index.json",
    *(f"{part}/*.json" for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler")),
    "tokenizer/*.txt",
    *(f"{part}/*.safetensors" for part in ("unet", "vae", "text_encoder")),
)
SPARE = ("*.fp16.*", "*non_ema*")  # other versions of the same weights


def fetch(model: str) -> Path:
    """Fetch a model, or find it in the cache of an earlier call; return its folder.

    Args:
        model: Such as ``CompVis/stable-diffusion-v1-4``.

    Raises:
        BaseModelError: No such model, no access to it, or no network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    token = access_token()
    try:
        folder = snapshot_download(
            model,
            allow_patterns=list(PATTERNS),
            ignore_patterns=list(SPARE),
            token=token or False,
        )
    except GatedRepoError as error:
        raise no_access(model, token) from error
    except RepositoryNotFoundError as error:
        raise BaseModelError(
            f"The Hugging Face Hub has no model {model}, or shows it only to its owners.",
            fix="Check the spelling. For a private model put HF_TOKEN=... into .env.",
        ) from error
    except LocalEntryNotFoundError as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise http_fault(model, token, error.__cause__) from error
        raise BaseModelError(
            f"{model} is not on this machine, and the Hugging Face Hub cannot be reached.",
            fix="Connect to the network once to fetch it (about 4 GB), or give --base a folder or "
            "a .safetensors file that is here.",
        ) from error
    except HfHubHTTPError as error:
        raise http_fault(model, token, error) from error
    return Path(folder)


def http_fault(model: str, token: str | None, error: HfHubHTTPError) -> BaseModelError:
    """Describe an answer of the Hub other than the model."""
    status = error.response.status_code
    if status in (401, 403):
        return no_access(model, token)
    return BaseModelError(
        f"The Hugging Face Hub answered {status} when asked for {model}.",
        fix="Try again later; what has been fetched so far is kept.",
    )


def no_access(model: str, token: str | None) -> BaseModelError:
    """Say what to do about a model behind a licence."""
    if token:
        fix = f"Accept its licence at https://huggingface.co/{model} with the account of HF_TOKEN."
    else:
        fix = (
            f"Accept its licence at https://huggingface.co/{model}, make a token at "
            "https://huggingface.co/settings/tokens, and put HF_TOKEN=... into .env."
        )
    return BaseModelError(f"{model} is only for accounts that accepted its licence.", fix=fix)


def access_token() -> str | None:
    """Return HF_TOKEN from the environment, or else from .env in the working folder."""
    from dotenv import dotenv_values

    return os.environ.get("HF_TOKEN") or dotenv_values(".env").get("HF_TOKEN") or None
