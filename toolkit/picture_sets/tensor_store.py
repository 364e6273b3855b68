"""Groups of tensors under a key, in memory or as one safetensors file each.

A file is either whole or not there (it is moved into place when complete), so a run that was
killed goes on with what it had. Each file carries a digest of its tensors: a damaged one is told
apart from a good one, reported, and made again.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from toolkit.core.atomic import replacing

SUFFIX = ".safetensors"


class TensorStore:
    """Tensors by key.

    Args:
        folder: Where the files go; it is made when the first one is written. None keeps the
            tensors in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._kept: dict[str, dict[str, Tensor]] = {}

    def load(self, key: str) -> dict[str, Tensor] | None:
        """Return the tensors of a key, or None when there are none or their file is damaged.

        A damaged file is reported on stderr.
        """
        if self.folder is None:
            return self._kept.get(key)
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                # Copies: a tensor out of a file keeps the file mapped, and a process may have
                # some 65,000 of these.
                names = file.keys()
                tensors = {name: file.get_tensor(name).clone() for name in names}
        except SafetensorError as error:
            fault = str(error)
        else:
            if metadata.get("sha256") == digest_of(tensors):
                return tensors
            fault = "its tensors are not the ones that were written"
        print(f"{path} is damaged ({fault}) and will be made again.", file=sys.stderr)
        return None

    def save(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors under a key, in place of older ones.

        Raises:
            OSError: The folder cannot be written.
        """
        own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        if self.folder is None:
            self._kept[key] = own
            return
        with replacing(self._path(key)) as temporary:
            save_file(own, temporary, metadata={"sha256": digest_of(own)})

    def _path(self, key: str) -> Path:
        assert self.folder is not None  # noqa: S101  # both callers have asked
        # Two letters deeper: folders with a hundred thousand files are slow to list.
        return self.folder / key[:2] / f"{key}{SUFFIX}"


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 over names, types, shapes and values of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # Seen as bytes, because NumPy does not know bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
