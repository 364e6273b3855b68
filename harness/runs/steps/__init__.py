"""The steps of a run. They do not import each other; ``harness.runs.pipeline`` calls them in order."""
