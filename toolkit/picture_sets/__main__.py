"""python -m picture_sets: see --help, or docs/datasets.md."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
