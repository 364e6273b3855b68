"""Recipes: some hooks of one contribution, others of another. See docs/mixing.md."""
