"""What a file is, by its extension and by its first bytes."""

from __future__ import annotations

from toolkit.core.file_starts import is_pickle

_PICKLES = "can run code when it is loaded"
_ARCHIVES = "hides what is inside"
_PROGRAMS = "is a program"
_PAGES = "can carry scripts into the hub's pages"
_SECRETS = "may hold a secret"
_WEIGHTS = "is not a format that the hub reads"

_GROUPS = {
    _PICKLES: ".pt .pth .ckpt .bin .pkl .pickle .joblib .npy .npz .h5 .hdf5 .pb .dill .mar",
    _WEIGHTS: ".onnx .gguf .ggml .msgpack .tflite",
    _ARCHIVES: ".zip .tar .gz .tgz .bz2 .xz .7z .rar .zst .lz4 .whl .egg .jar .iso .dmg",
    _PROGRAMS: ".exe .dll .so .dylib .pyd .sh .bash .bat .cmd .ps1 .com .msi .scr .vbs .wasm .lnk",
    _PAGES: ".html .htm .xhtml .js .mjs .svg .php",
    _SECRETS: ".env .pem .key .p12 .pfx",
    "is compiled Python code, which reviewers cannot read": ".pyc .pyo",
}

# Extension -> why it is not allowed.
FORBIDDEN = {suffix: why for why, suffixes in _GROUPS.items() for suffix in suffixes.split()}

SECRET_NAMES = frozenset({".env", ".netrc", ".pypirc", "id_rsa", "id_ed25519", "credentials"})

_MAGIC = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a Linux program"),
    (b"MZ", "a Windows program"),
    (b"\xfe\xed\xfa\xce", "a macOS program"),
    (b"\xfe\xed\xfa\xcf", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"\x00asm", "a WebAssembly program"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"SQLite format 3\x00", "a database"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
)


def steers_git(name: str) -> bool:
    """Tell whether git reads a file or folder of this name wherever it lies, and obeys it."""
    lower = name.lower()  # as file systems do that ignore case
    return (lower.startswith(".git") and lower != ".gitkeep") or lower == ".mailmap"


def kind_by_content(data: bytes) -> str | None:
    """Return what forbidden kind of file this is by its bytes, or None."""
    for magic, kind in _MAGIC:
        # Two letters are not much: a text may well start with "MZ" or "BZh".
        if data.startswith(magic) and (len(magic) > 3 or _is_binary(data)):
            return kind
    if len(data) > 262 and data[257:262] == b"ustar":
        return "a tar archive"
    if len(data) > 2 and is_pickle(data):
        return "a pickle"
    return None


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:1024] or any(byte > 0xF4 for byte in data[:1024])
