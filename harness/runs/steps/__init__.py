"""The steps of a run. They do not import each other; the pipeline calls them in order."""
