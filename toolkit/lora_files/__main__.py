"""python -m lora_files: see --help, or docs/lora_files.md."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
