"""The steps of a run. They do not import each other; ``harness.pipeline`` calls them in order."""
